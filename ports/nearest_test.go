package ports_test

import (
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/ports"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"jmnet", "jmsrv", "jobsch", "mpnjsocl", "x"}
	for name, want := range map[string]string{
		"jmnt": "jmnet", "jment": "jmnet", "JMNET": "", "mpnjsolc": "mpnjsocl", "jobschd": "jobsch", "unlike": "", "y": "", "": "", strings.Repeat("jmnet", 30): "",
	} {
		if got := ports.Nearest(name, known); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

// A misspelt reference is told with the name that was meant.
func TestMeant(t *testing.T) {
	t.Parallel()
	p := ports.Plan{
		Name:       "p",
		Roles:      []ports.Role{{ID: "server", Is: ports.Server}},
		Conditions: []ports.Condition{{ID: "centric", Text: "x"}},
		Families:   []ports.Family{{ID: "acs-services", Formula: "offset"}},
		Services:   []ports.Service{{ID: "a", Family: "acs-servces", Offset: 5, When: "centrik", RunsOn: []string{"sever"}, Protocols: []ports.Protocol{ports.TCP}}},
	}
	inv := ports.Inventory{
		Zones: []ports.Zone{{Name: "core"}}, Dials: []ports.Dial{{From: "cor", To: "core"}},
		Hosts: []ports.Host{{Name: "h", Zone: "coer", Roles: []string{"serverr"}}},
	}
	_, found := ports.Compile(p, inv, 0)
	got := map[string]bool{}
	for _, d := range found {
		got[d.Suggestion] = true
	}
	for _, want := range []string{"did you mean acs-services?", "did you mean centric?", "did you mean server?", "did you mean core?"} {
		if !got[want] {
			t.Errorf("no finding says %q: %v", want, found)
		}
	}
}
