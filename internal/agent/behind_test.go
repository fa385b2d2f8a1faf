package agent

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

// An agent works by the view that its servers gave last; one that is told where they are now does not, because that view may
// be why it does not find them.
func TestAgentThatWasLeftBehind(t *testing.T) {
	t.Parallel()
	f, err := openFolder(filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	text, err := json.Marshal(wire.View{ID: "old", Dial: []wire.Route{{Row: "reeve", Addresses: []string{"hq:7373"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := writeSynced(f.file(viewFile), text); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		addresses []string
		want      string
	}{
		"as they said":   {nil, "hq:7373"},
		"told where now": {[]string{"hq:17373"}, "hq:17373"},
	} {
		a := &agent{
			cfg:    Config{Addresses: test.addresses, Rows: Rows{Enrol: "reeve", Dial: []string{"reeve"}}, Adopt: func(wire.View) (Ports, error) { return Ports{}, nil }},
			folder: f, member: &member{known: known{Addresses: test.addresses}},
		}
		if err := a.openView(); err != nil {
			t.Fatal(err)
		}
		if got := a.targets(); len(got) != 1 || got[0].Address != test.want {
			t.Errorf("%s: it dials %v, want %s", name, got, test.want)
		}
	}
}
