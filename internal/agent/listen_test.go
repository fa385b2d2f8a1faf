package agent

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// listening is an agent whose rows are opened by listen.
func listening(listen func(row string) (net.Listener, error), dials bool, rows ...string) *agent {
	a := &agent{cfg: Config{Log: slog.New(slog.DiscardHandler)}}
	v := &view{Ports: Ports{Listen: func(_ context.Context, row string) ([]net.Listener, error) {
		l, err := listen(row)
		if err != nil {
			return nil, err
		}
		return []net.Listener{l}, nil
	}}}
	for _, row := range rows {
		v.View.Listen = append(v.View.Listen, wire.Route{Row: row})
	}
	if dials {
		v.View.Dial = []wire.Route{{Row: "up"}}
	}
	a.view.Store(v)
	return a
}

// A number that is taken for a moment is waited for; one that stays taken ends the start only where it leaves no way to a
// server, and is said where it does not.
func TestListeningWaitsAMoment(t *testing.T) {
	t.Parallel()
	n := sockettest.Net(t)
	taken := fault.New(fault.Conflict, "taken", "")
	open := func(string) (net.Listener, error) { return n.Listen(t.Context(), sockettest.Service, "127.0.0.1") }

	tries := 0
	a := listening(func(row string) (net.Listener, error) {
		if tries++; tries < 4 {
			return nil, taken
		}
		return open(row)
	}, false, "a")
	if err := a.entrances.listen(t.Context(), a); err != nil || len(a.entrances.open) != 1 || len(a.entrances.refusals()) != 0 {
		t.Errorf("taken three times: %v, %d open, refused %v; want it open", err, len(a.entrances.open), a.entrances.refusals())
	}
	if err := a.entrances.close(); err != nil {
		t.Error(err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel() // nobody waits then
	a = listening(func(string) (net.Listener, error) { return nil, taken }, false, "a")
	if err := a.entrances.listen(ctx, a); !errors.Is(err, taken) {
		t.Errorf("no row can be opened: %v, want that as the error", err)
	}
	a = listening(func(string) (net.Listener, error) { return nil, taken }, true, "a")
	if err := a.entrances.listen(ctx, a); err != nil || len(a.entrances.refusals()) != 1 {
		t.Errorf("no row can be opened, and it dials: %v, refused %v; want it to go on and say so", err, a.entrances.refusals())
	}
	broken := fault.New(fault.Invalid, "no such address", "")
	tries = 0
	a = listening(func(string) (net.Listener, error) { tries++; return nil, broken }, false, "a")
	if err := a.entrances.listen(t.Context(), a); !errors.Is(err, broken) || tries != 1 {
		t.Errorf("an address that is none: %v after %d tries, want it at once", err, tries)
	}
}
