//go:build linux

package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
)

// A job waits for a listener that comes later: held with what the connect said, not started, and started once.
func TestNeedsWhatComesLater(t *testing.T) {
	t.Parallel()
	port := sockettest.Lease(t)
	database := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	s := newServer(t)
	h := newHost(t, s)
	h.config = func(c *Config) {
		c.Reach = func(ctx context.Context, address string) error {
			return s.net.Reach(ctx, sockettest.Service, address, time.Second)
		}
	}
	h.start()
	l := s.linked(1)
	witness := filepath.Join(t.TempDir(), "witness")
	var o orders
	needy, free := o.script("needy", "echo started >> "+witness+"\n"), o.script("free", "exit 0\n")
	needy.Needs = []string{database}
	// Together with one that needs nothing, and alone.
	refused := s.command(l, wire.Commands{Orders: []wire.Order{needy, free}}).Refused
	for len(refused) == 1 && refused[0].Reason == "delivery" {
		refused = s.command(l, wire.Commands{Orders: []wire.Order{needy}}).Refused
	}
	if len(refused) != 1 || refused[0].Attempt != needy.Attempt || refused[0].Final || refused[0].Reason != "needs" ||
		!strings.Contains(refused[0].Detail, database+"/tcp is not there since 20") || !strings.Contains(refused[0].Detail, "connection refused") {
		t.Fatalf("refused: %+v", refused)
	}
	s.ended(free.Attempt)
	if _, err := os.Stat(witness); err == nil {
		t.Fatal("it was started without what it needs")
	}
	listener, err := socket.New(ports.Compiled{Claims: []ports.Claim{
		{Service: "db", Protocol: ports.TCP, Port: ports.Port(port), Binds: true, Status: ports.Works, Listeners: []string{"server"}},
	}}).Listen(t.Context(), "db", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	// The agent does not look more often than its pause lets it, however often it is asked.
	for len(refused) > 0 {
		refused = s.command(l, wire.Commands{Orders: []wire.Order{needy}}).Refused
	}
	if end := s.ended(needy.Attempt); exitCode(end) != "0" {
		t.Errorf("got %+v", end)
	}
	// Asked once more when what it needed is gone: it was started, and is not held.
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if r := s.command(l, wire.Commands{Orders: []wire.Order{needy}}).Refused; len(r) > 0 {
		t.Errorf("started before, and now: %+v", r)
	}
	if text, err := os.ReadFile(witness); err != nil || string(text) != "started\n" {
		t.Errorf("got %q (%v), want one start", text, err)
	}
}

func TestNeedsWithoutARow(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	h := newHost(t, s)
	h.start()
	l := s.linked(1)
	var o orders
	one, bad := o.script("run1", "exit 0\n"), o.script("run2", "exit 0\n")
	one.Needs, bad.Needs = []string{"127.0.0.1:1"}, []string{"db1"}
	for _, r := range s.command(l, wire.Commands{Orders: []wire.Order{one, bad}}).Refused {
		want := map[wire.Attempt]string{one.Attempt: "needs: the port plan has no row", bad.Attempt: "exec: the order is not valid"}[r.Attempt]
		if got := r.Reason + ": " + r.Detail; !r.Final || !strings.HasPrefix(got, want) {
			t.Errorf("got %+v, want %q for good", r, want)
		}
	}
}

// world is the destinations that a scout can try, and how often it did.
type world struct {
	mu    sync.Mutex
	up    map[string]bool
	tries map[string][]time.Time
	under int
	most  int
	takes time.Duration // one connect
}

func (w *world) reach(ctx context.Context, address string) error {
	w.mu.Lock()
	w.tries[address] = append(w.tries[address], time.Now())
	w.under++
	w.most = max(w.most, w.under)
	w.mu.Unlock()
	timer := time.NewTimer(w.takes)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.under--
	if !w.up[address] {
		return errors.New("connection refused")
	}
	return nil
}

// scouted runs f with a scout of a world, in a time of its own.
func scouted(t *testing.T, f func(w *world, ask func(orders ...wire.Order) []wire.Refusal)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{up: map[string]bool{}, tries: map[string][]time.Time{}, takes: time.Millisecond}
		s := newScout(func() func(context.Context, string) error { return w.reach }, time.Now)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		synctest.Wait()
		c := &commander{scout: s, begun: func(wire.Attempt) bool { return false }}
		f(w, func(orders ...wire.Order) []wire.Refusal {
			return c.lack(t.Context(), &wire.Commands{Orders: slices.Clone(orders)})
		})
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func needing(run string, addresses ...string) wire.Order {
	return wire.Order{Attempt: wire.Attempt{Run: run, Job: "job", N: 1}, Needs: addresses}
}

func TestScoutSparesTheDestination(t *testing.T) {
	t.Parallel()
	scouted(t, func(w *world, ask func(...wire.Order) []wire.Refusal) {
		var many []wire.Order
		for i := range 100 {
			many = append(many, needing(fmt.Sprintf("r%d", i), "db:1"))
		}
		for range 300 { // a server asks every 2 s
			if refused := ask(many...); len(refused) != len(many) {
				t.Fatalf("%d of %d are held", len(refused), len(many))
			}
			time.Sleep(2 * time.Second)
		}
		tries := w.tries["db:1"]
		if len(tries) < 35 || len(tries) > 90 {
			t.Errorf("%d connects in 10 minutes, want one every 8 to 17 s", len(tries))
		}
		w.up["db:1"] = true
		before := time.Now()
		for len(ask(many...)) > 0 {
			time.Sleep(2 * time.Second)
		}
		if took := time.Since(before); took > tryRarely+4*time.Second {
			t.Errorf("it was there for %v before it was seen", took)
		}
		count := len(w.tries["db:1"])
		for range 10 {
			ask(many...)
		}
		if got := len(w.tries["db:1"]); got != count {
			t.Errorf("%d more connects to what has just answered", got-count)
		}
	})
}

func TestScoutBounds(t *testing.T) {
	t.Parallel()
	scouted(t, func(w *world, ask func(...wire.Order) []wire.Refusal) {
		w.takes = 3 * time.Second
		var many []wire.Order
		for i := range maxDestinations + 10 {
			many = append(many, needing(fmt.Sprintf("r%d", i), fmt.Sprintf("h%d:1", i)))
		}
		told := ask(many...)
		if last := told[len(told)-1]; last.Reason != "needs" || !strings.Contains(last.Detail, "too many different destinations") {
			t.Errorf("got %+v", last)
		}
		if told[0].Reason != "delivery" {
			t.Errorf("got %+v, want that it is not known yet", told[0])
		}
		time.Sleep(maxDestinations / maxTries * 3 * time.Second)
		synctest.Wait()
		if w.most != maxTries || len(w.tries) != maxDestinations {
			t.Errorf("%d connects at once to %d destinations, want %d and %d", w.most, len(w.tries), maxTries, maxDestinations)
		}
		w.takes = time.Millisecond
		time.Sleep(forgetAfter)
		w.up["new:1"] = true
		if told := ask(needing("late", "new:1")); len(told) > 0 {
			t.Errorf("nobody needs the others any more: %+v", told)
		}
		if told := ask(needing("four", "a:1", "b:1", "c:1", "d:1", "new:1")); len(told) != 1 || !strings.HasSuffix(told[0].Detail, "; and 1 more") {
			t.Errorf("got %+v", told)
		}
	})
}

// Whatever comes and goes: an order passes only where each destination has answered within the last seconds, and when all
// are there for good, everything passes.
func TestScoutProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		names := []string{"a:1", "b:1", "c:1"}
		steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) [3]int {
			return [3]int{rapid.IntRange(0, 2).Draw(t, "who"), rapid.IntRange(0, 1).Draw(t, "up"), rapid.IntRange(0, 9000).Draw(t, "ms")}
		}), 1, 30).Draw(rt, "steps")
		wrong := "" // told outside: a failure ends its own goroutine only
		scouted(t, func(w *world, ask func(...wire.Order) []wire.Refusal) {
			since := map[string]time.Time{} // when each was last up
			note := func() {
				for _, n := range names {
					if w.up[n] {
						since[n] = time.Now()
					}
				}
			}
			for _, step := range steps {
				note()
				w.up[names[step[0]]] = step[1] == 1
				passed := len(ask(needing("r", names...))) == 0
				synctest.Wait()
				note()
				for _, n := range names {
					if ago := time.Since(since[n]); passed && ago > therePatience+w.takes {
						wrong = fmt.Sprintf("passed, and %s was last there %v ago", n, ago)
					}
				}
				time.Sleep(time.Duration(step[2]) * time.Millisecond)
			}
			synctest.Wait()
			for _, n := range names {
				w.up[n] = true
			}
			for range 30 {
				if len(ask(needing("r", names...))) == 0 {
					return
				}
				time.Sleep(2 * time.Second)
			}
			wrong = "all are there, and it is still held"
		})
		if wrong != "" {
			rt.Fatal(wrong)
		}
	})
}
