//go:build linux

package firewall_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/ports/builtin"
)

// crowd has so many agents whose links are cut at once.
const crowd = 10

// crowded is a site with a crowd of agents in one zone.
func crowded() string {
	var b strings.Builder
	b.WriteString("inventory: laboratory\nzones: {core: {networks: [10.1.0.0/24]}, dmz: {networks: [10.2.0.0/24]}}\nhosts:\n")
	b.WriteString("  hq: {roles: [server], zone: core, advertise: [10.1.0.1]}\n")
	for i := range crowd {
		fmt.Fprintf(&b, "  a%[1]d: {roles: [agent], zone: dmz, advertise: [10.2.0.1%[1]d]}\n", i)
	}
	return b.String()
}

// cut is how one link is cut: after so many bytes that the router still lets through, packets of one direction or both
// are swallowed or answered with a reset.
type cut struct {
	fresh    bool // not the link that stands, but the dial that comes after it
	to, from bool // the agent
	verdict  string
	after    int // bytes
}

func (c cut) String() string {
	return fmt.Sprintf("%+v", struct {
		fresh, to, from bool
		verdict         string
		after           int
	}(c))
}

// cuts returns the cut of a round: each kind in turn, and all over the bytes of a dial, a welcome, an order and its end.
func cuts(round int) cut {
	ways := []cut{{to: true, from: true}, {to: true}, {from: true}}
	c := ways[round%len(ways)]
	c.fresh = round%2 == 1
	c.verdict = []string{"drop", "reject with tcp reset", "reject with tcp reset", "reject with tcp reset"}[round%4]
	c.after = round * 193 % 4500
	return c
}

// Links of many agents are cut at once, again and again, at each step of the protocol, in one direction or both, with a
// reset and in silence, while their jobs start, write and end: every job runs once, its end and its output arrive, and
// nothing is told twice. Who dials does not matter: agents, servers with callbacks, or both ends. (promise R23)
func TestCuts(t *testing.T) {
	t.Parallel()
	for plan, flows := range map[string][]string{
		builtin.Default: {"reeve.2/tcp"},
		"jobscheduler":  {"jobscheduler.1/tcp", "callback.1/tcp"},
		"systemwalker":  {"mjsnet.1/tcp", "jmnet.3/tcp"},
	} {
		t.Run(plan, func(t *testing.T) {
			t.Parallel()
			tp := topology{plan: plan, inventory: crowded()}
			if plan == "jobscheduler" { // so many callbacks in so short a time, and none may wait for a port that is held
				tp.extends = "pools:\n  - {id: callback, hold: {min: 200ms, reasons: [operator]}}\n"
			}
			l := build(t, tp)
			l.serve("hq")
			var agents []*agent
			for i := range crowd {
				a := l.member(fmt.Sprintf("a%d", i))
				l.witness(a)
				agents = append(agents, a)
			}
			heals := &sink{}
			var all sync.WaitGroup
			for i, a := range agents {
				all.Go(func() {
					for round := i; round < *rounds && !t.Failed(); round += crowd {
						l.cutOnce(a, round, heals)
					}
				})
			}
			all.Wait()
			for i, a := range agents {
				a.wantWitness(i)
				l.linked(a.name, true)
			}
			heals.log(t, *rounds)
			l.judge(flows...)
		})
	}
}

// sink collects how long links took to be up again after their path was.
type sink struct {
	mu    sync.Mutex
	took  []time.Duration
	whole int // rounds in which the link outlived the cut
}

func (s *sink) add(d time.Duration, down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.took = append(s.took, d); !down {
		s.whole++
	}
}

func (s *sink) log(t *testing.T, rounds int) {
	slices.Sort(s.took)
	if len(s.took) > 0 {
		t.Logf("%d rounds, in %d the link stood; the end of the job was there after the path: half within %s, all within %s",
			rounds, s.whole, s.took[len(s.took)/2].Round(time.Millisecond), s.took[len(s.took)-1].Round(time.Millisecond))
	}
}

// witness applies the net by which an agent's host says what ran there.
func (l *laboratory) witness(a *agent) {
	l.t.Helper()
	file := filepath.Join(a.home, "witness.yaml")
	write(l.t, file, fmt.Sprintf(`net: lab/%[1]s
params: {round: "0"}
jobs:
  - name: witness
    agent: {name: %[1]s}
    script: |
      #!/bin/sh
      echo "$round $REEVE_ATTEMPT" >>%[2]s
      echo "round $round"
  - name: after
    after: [witness]
    agent: {name: %[1]s}
    script: |
      #!/bin/sh
      echo "$round after" >>%[2]s
`, a.name, filepath.Join(a.home, "witness")))
	l.server.must("net", "apply", file)
}

// cutOnce cuts an agent's link while a run of its net is under way, heals it, and waits for the run's end.
func (l *laboratory) cutOnce(a *agent, round int, heals *sink) {
	t := l.t
	c := cuts(round)
	table := "cut_" + a.name
	if c.fresh {
		l.router.nft(fmt.Sprintf("table inet %s {\nchain forward {\ntype filter hook forward priority filter - 10;\nip saddr %s tcp flags != rst reject with tcp reset\nip daddr %[2]s tcp flags != rst reject with tcp reset\n}\n}\n", table, a.address))
		l.linked(a.name, false)
		l.router.nft("delete table inet " + table + "\n")
	}
	rule := ""
	if c.to {
		rule += fmt.Sprintf("ip daddr %s meta l4proto tcp quota over %d bytes %s\n", a.address, c.after, c.verdict)
	}
	if c.from {
		rule += fmt.Sprintf("ip saddr %s meta l4proto tcp quota over %d bytes %s\n", a.address, c.after, c.verdict)
	}
	l.router.nft("table inet " + table + " {\nchain forward {\ntype filter hook forward priority filter - 10;\n" + rule + "}\n}\n")
	r, err := l.server.api.StartRun(t.Context(), api.StartRun{Net: "lab/" + a.name, Params: map[string]string{"round": fmt.Sprint(round)}})
	if err != nil {
		t.Error(err)
		return
	}
	down := l.downWithin(a.name, 4500*time.Millisecond, r.ID)
	l.router.nft("delete table inet " + table + "\n")
	healed := time.Now()
	if !l.endsWell(r.ID) {
		t.Errorf("round %d (%s): the run %s has not ended well", round, c, r.ID)
		return
	}
	heals.add(time.Since(healed), down)
	var out strings.Builder
	if err := l.server.api.Logs(t.Context(), api.LogQuery{Run: r.ID, Follow: true}, func(line api.Log) error {
		out.WriteString(line.Text)
		return nil
	}); err != nil {
		t.Error(err)
	}
	if got, want := out.String(), fmt.Sprintf("round %d\n", round); got != want {
		t.Errorf("round %d (%s): the output is %q, want %q", round, c, got, want)
	}
}

// downWithin waits until an agent's link is down, the run has ended, or the time is over.
func (l *laboratory) downWithin(name string, limit time.Duration, run string) bool {
	over := time.NewTimer(limit)
	defer over.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if n, err := l.server.api.Node(l.t.Context(), name); err == nil && !n.Linked {
			return true
		}
		if r, err := l.server.api.Run(l.t.Context(), run); err == nil && r.Ended != nil {
			return false
		}
		select {
		case <-over.C:
			return false
		case <-tick.C:
		}
	}
}

// endsWell waits for a run's end.
func (l *laboratory) endsWell(id string) bool {
	over := time.NewTimer(90 * time.Second)
	defer over.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if r, err := l.server.api.Run(l.t.Context(), id); err == nil && r.Ended != nil {
			return r.State == "succeeded"
		}
		select {
		case <-over.C:
			return false
		case <-tick.C:
		}
	}
}

// wantWitness wants each round of an agent to have run once: its first attempt, and what comes after it.
func (a *agent) wantWitness(first int) {
	a.t.Helper()
	var want []string
	for round := first; round < *rounds; round += crowd {
		want = append(want, fmt.Sprintf("%d 1", round), fmt.Sprintf("%d after", round))
	}
	if got := strings.Split(strings.TrimSpace(read(a.t, filepath.Join(a.home, "witness"))), "\n"); !slices.Equal(got, want) && !a.t.Failed() {
		a.t.Errorf("on %s ran %q, want %q", a.name, got, want)
	}
}
