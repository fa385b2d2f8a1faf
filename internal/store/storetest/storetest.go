// Package storetest answers: does a database keep what package store promises?
//
// Run is the conformance suite that every database must pass. It knows the contract only; what is special to one
// database (its files, its locks, what a kill leaves) is tested beside it.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// Run runs the suite. Open returns an empty store in epoch 1 and sees to its closing.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	t.Helper()
	for name, test := range map[string]func(t *testing.T, s store.Store){
		"runs":              testRuns,
		"run guards":        testRunGuards,
		"run keys":          testRunKeys,
		"orders":            testOrders,
		"listing":           testListing,
		"paging":            testPaging,
		"folder of many":    testFolderOfMany,
		"nets":              testNets,
		"nodes":             testNodes,
		"tokens":            testTokens,
		"people":            testPeople,
		"audit":             testAudit,
		"settings":          testSettings,
		"epoch":             testEpoch,
		"all or nothing":    testAllOrNothing,
		"output":            testOutput,
		"output at random":  testOutputAtRandom,
		"artifacts":         testArtifacts,
		"prune by age":      testPruneByAge,
		"prune by count":    testPruneByCount,
		"prune output":      testPruneOutput,
		"many at once":      testManyAtOnce,
		"conflict in crowd": testConflictInCrowd,
		"against a twin":    testTwin,
		"cancelled caller":  testCancelledCaller,
		"sizes":             testSizes,
		"proofs":            testProofs,
		"silences, uses":    testSilencesAndUses,
		"occurrences":       testOccurrences,
		"hours":             testHours,
		"agenda":            testAgenda,
		"spans":             testSpans,
		"through":           testThrough,
		"times in one":      testTimesAllOrNothing,
		"scheduled runs":    testRunsOfSchedules,
		"ranges":            testRanges,
		"pauses":            testPauses,
		"overrides":         testOverrides,
		"calendars":         testCalendars,
		"durations":         testDurations,
		"ends":              testEnds,
		"pages":             testPages,
		"prune occurrences": testPruneOccurrences,
		"times twin":        testTimesTwin,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// day is when the tests play; instants are stored to the microsecond.
func day() time.Time { return time.Date(2026, 3, 14, 15, 9, 26, 535897000, time.UTC) }

func newRun(id, net string, jobs int) run.State {
	s := run.State{ID: id, Net: net, Version: 1, Status: run.Waiting, Created: day(), By: "ann"}
	for i := range jobs {
		s.Jobs = append(s.Jobs, run.Job{Name: fmt.Sprintf("job%d", i), Status: run.Ready, Since: day()})
	}
	return s
}

// end brings a run, as read, to its end.
func end(s run.State, status run.Status, at time.Time) run.State {
	s.Status, s.Ended = status, at
	for i := range s.Jobs {
		s.Jobs[i].Status = status
	}
	return s
}

func all(s run.State) []int {
	positions := make([]int, len(s.Jobs))
	for i := range positions {
		positions[i] = i
	}
	return positions
}

func write(s run.State, effects ...run.Effect) store.RunWrite {
	return store.RunWrite{State: s, Changed: all(s), Effects: effects}
}

func batch(writes ...store.RunWrite) store.Batch { return store.Batch{Epoch: 1, Runs: writes} }

func commit(t *testing.T, s store.Store, b store.Batch) store.Receipt {
	t.Helper()
	r, err := s.Commit(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func read(t *testing.T, s store.Store, id string) run.State {
	t.Helper()
	state, err := s.Run(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// must returns v or ends the test.
func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func wantConflict(t *testing.T, err error, noun, id string) {
	t.Helper()
	var c *store.Conflict
	if !errors.As(err, &c) {
		t.Errorf("got error %v, want a conflict about %s %s", err, noun, id)
		return
	}
	same(t, "conflict", *c, store.Conflict{Noun: noun, ID: id})
}

func wantNotFound(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("%s: got error %v, want not found", what, err)
	}
}

func testEpoch(t *testing.T, s store.Store) {
	if got := must[int64](t)(s.Epoch(t.Context())); got != 1 {
		t.Errorf("epoch of a new store: got %d, want 1", got)
	}
	for _, stale := range []int64{0, 2, -1} {
		b := batch(write(newRun("r1", "n", 1), run.StartAttempt{Job: "job0", N: 1, AgentID: "a"}))
		b.Epoch = stale
		if _, err := s.Commit(t.Context(), b); !errors.Is(err, store.ErrEpoch) {
			t.Errorf("commit in epoch %d: got error %v, want a stale epoch", stale, err)
		}
	}
	_, err := s.Run(t.Context(), "r1")
	wantNotFound(t, "run of a stale epoch", err)
	same(t, "orders", must[[]store.Order](t)(s.Orders(t.Context(), "")), []store.Order(nil))
}

func testSettings(t *testing.T, s store.Store) {
	same(t, "unset", must[store.Setting](t)(s.Setting(t.Context(), "held")), store.Setting{Name: "held"})
	set := func(v store.Setting) error {
		_, err := s.Commit(t.Context(), store.Batch{Epoch: 1, Settings: []store.Setting{v}})
		return err
	}
	if err := set(store.Setting{Name: "held", Value: "by ann"}); err != nil {
		t.Fatal(err)
	}
	same(t, "set", must[store.Setting](t)(s.Setting(t.Context(), "held")), store.Setting{Name: "held", Value: "by ann", Rev: 1})
	wantConflict(t, set(store.Setting{Name: "held", Value: "twice"}), "setting", "held")
	wantConflict(t, set(store.Setting{Name: "held", Value: "early", Rev: 2}), "setting", "held")
	if err := set(store.Setting{Name: "held", Value: "", Rev: 1}); err != nil {
		t.Fatal(err)
	}
	same(t, "set again", must[store.Setting](t)(s.Setting(t.Context(), "held")), store.Setting{Name: "held", Rev: 2})
}

func testAllOrNothing(t *testing.T, s store.Store) {
	commit(t, s, batch(write(newRun("old", "n", 1))))
	stale := newRun("old", "n", 1)
	stale.Rev = 7
	b := store.Batch{
		Epoch:    1,
		Runs:     []store.RunWrite{write(newRun("new", "n", 1), run.StartAttempt{Job: "job0", N: 1, AgentID: "a"}), write(stale)},
		Nets:     []store.NetVersion{{Name: "n", Version: 1, Text: "net: n", Applied: day()}},
		Nodes:    []store.NodeWrite{{Node: store.Node{ID: "id", Name: "north"}}},
		Tokens:   []store.TokenWrite{{Token: store.Token{ID: "tok"}}},
		Users:    []store.UserWrite{{User: store.User{Name: "ann"}}},
		Sessions: []store.SessionWrite{{Session: store.Session{Hash: "h", User: "ann"}}},
		Settings: []store.Setting{{Name: "x", Value: "y"}},
		Files:    []store.Artifact{{Run: "new", Job: "job0", N: 1, Name: "f", SHA256: "aa"}},
		Audit:    []store.AuditRecord{{At: day(), By: "ann", Action: "run.start"}},
	}
	_, err := s.Commit(t.Context(), b)
	wantConflict(t, err, "run", "old")

	ctx := t.Context()
	for what, err := range map[string]error{
		"run":     second(s.Run(ctx, "new")),
		"net":     second(s.Net(ctx, "n", 0)),
		"node":    second(s.Node(ctx, "id")),
		"token":   second(s.Token(ctx, "tok")),
		"user":    second(s.User(ctx, "ann")),
		"session": second(s.Session(ctx, "h")),
	} {
		wantNotFound(t, what, err)
	}
	same(t, "orders", must[[]store.Order](t)(s.Orders(ctx, "")), []store.Order(nil))
	same(t, "audit", must[[]store.AuditRecord](t)(s.ListAudit(ctx, 0, 0)), []store.AuditRecord(nil))
	same(t, "setting", must[store.Setting](t)(s.Setting(ctx, "x")), store.Setting{Name: "x"})
	if must[bool](t)(s.HasFile(ctx, "aa")) {
		t.Error("the artifact of a refused batch is there")
	}

	// The sequence that the refused batch asked for is given to the next order.
	b.Runs = b.Runs[:1]
	got := commit(t, s, b)
	same(t, "receipt", got.Orders, []store.Order{{AgentID: "a", Epoch: 1, Seq: 1, Run: "new", Job: "job0", N: 1}})
}

func second[T any](_ T, err error) error { return err }

func testCancelledCaller(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Commit(ctx, batch(write(newRun("r", "n", 1)))); !errors.Is(err, context.Canceled) {
		t.Errorf("commit of a caller that has gone: got error %v, want cancelled", err)
	}
	_, err := s.Run(t.Context(), "r")
	wantNotFound(t, "its run", err)
	if _, err := s.ListRuns(ctx, store.RunQuery{}); !errors.Is(err, context.Canceled) {
		t.Errorf("listing of a caller that has gone: got error %v, want cancelled", err)
	}
	commit(t, s, batch(write(newRun("r", "n", 1))))
	read(t, s, "r")
}

func testSizes(t *testing.T, s store.Store) {
	commit(t, s, batch(write(newRun("r", "n", 1))))
	var sum int64
	for name, size := range must[map[string]int64](t)(s.Sizes(t.Context())) {
		if name == "" || size < 0 {
			t.Errorf("size of %q: %d", name, size)
		}
		sum += size
	}
	if sum == 0 {
		t.Error("a store with a run in it has no size")
	}
}
