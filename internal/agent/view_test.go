package agent

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// A kept view that cannot be read is named, with what to do.
func TestDamagedView(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "{", "{}"} {
		data := filepath.Join(t.TempDir(), "agent")
		f, err := openFolder(data)
		if err != nil {
			t.Fatal(err)
		}
		defer f.close()
		if err := os.WriteFile(f.file(viewFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		a := &agent{folder: f, cfg: Config{Adopt: func(wire.View) (Ports, error) { return Ports{}, errors.New("this is no plan") }}}
		err = a.openView()
		var fail *fault.Error
		if !errors.As(err, &fail) || fail.Kind != fault.Invalid || !strings.Contains(fail.Error(), f.file(viewFile)) || fail.Fix == "" {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

// A view that comes while the agent starts is followed, as one that comes later: its rows are opened.
func TestViewWhileStarting(t *testing.T) {
	t.Parallel()
	a := &agent{cfg: Config{Log: slog.New(slog.DiscardHandler)}}
	a.view.Store(&view{View: wire.View{Dial: []wire.Route{{Row: "first"}}}})
	if err := a.entrances.listen(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	opened := make(chan string, 10)
	listen := func(_ context.Context, row string) ([]net.Listener, error) {
		opened <- row
		return nil, errors.New("not here")
	}
	a.view.Store(&view{Ports{Listen: listen}, wire.View{ID: "next", Listen: []wire.Route{{Row: "second", Port: 7373}}}})
	if refused := a.entrances.become(t.Context(), a); refused != nil { // it does not run yet
		t.Errorf("refused %v", refused)
	}
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- a.entrances.run(ctx, a) }()
	select {
	case row := <-opened:
		if row != "second" {
			t.Errorf("the row %s is opened", row)
		}
	case <-time.After(5 * time.Second):
		t.Error("the rows of the view are not opened")
	}
	cancel()
	if err := <-over; err != nil {
		t.Error(err)
	}
	if len(a.entrances.refusals()) != 1 {
		t.Errorf("refused: %v", a.entrances.refusals())
	}
}
