//go:build linux

package agent

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// A desk agent is enrolled as nothing else, and any other agent not as one: the code is good for the right order after
// the wrong one.
func TestDeskAgentIsEnrolledAsOne(t *testing.T) {
	t.Parallel()
	for desk, c := range map[bool]struct {
		wrong string
		says  string
	}{
		true:  {"", "this is a desk agent; enrol it with --desk"},
		false: {wire.Desk, "this is no desk agent"},
	} {
		s := newServer(t)
		w := newWaiter(t, s)
		config := w.config
		w.config = func(cfg *Config) { config(cfg); cfg.Desk = desk }
		address, code := w.waits()
		offer := s.offer(code)
		offer.Kind = c.wrong
		wantAnswer(t, s.dials(address, code).call(wire.PathEnrolOffer, offer, nil), http.StatusConflict, c.says)
		if _, err := os.Stat(filepath.Join(w.data, certificateFile)); !os.IsNotExist(err) {
			t.Errorf("desk %v: it has a certificate (%v)", desk, err)
		}
		s.kind = ""
		if desk {
			s.kind = wire.Desk
		}
		if err := s.grant(s.dials(address, code), code); err != nil {
			t.Fatal(err)
		}
		w.serves()

		// It goes on as what it was enrolled as, and as nothing else.
		mustEnd(t, w.host)
		w.config = func(cfg *Config) { config(cfg); cfg.Desk = !desk }
		ctx, cancel := context.WithCancel(t.Context())
		err := Run(ctx, w.cfg())
		cancel()
		if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "enrolled as a desk agent") {
			t.Errorf("desk %v, and then started as another kind: %v", desk, err)
		}
		w.config = func(cfg *Config) { config(cfg); cfg.Desk = desk; cfg.Enrol = false }
		w.start()
		s.linked(2)
	}
}
