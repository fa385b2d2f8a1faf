package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/store"
)

func testProofs(t *testing.T, s store.Store) {
	ctx := t.Context()
	put := func(all ...store.Proof) {
		t.Helper()
		if _, err := s.Commit(ctx, store.Batch{Epoch: 1, Proofs: all}); err != nil {
			t.Fatal(err)
		}
	}
	found := func(flow, to, verdict string, minute int) store.Proof {
		return store.Proof{
			Flow: flow, From: "north", To: to, Protocol: "tcp", Address: to + ":7", Expect: "open", Verdict: verdict, Reason: "r", Text: fmt.Sprint("at ", minute),
			PlanHash: "h", Last: day().Add(time.Duration(minute) * time.Minute), Data: fmt.Sprintf(`{"n":%d}`, minute),
		}
	}
	stored := func(p store.Proof, id int64, first, times int) store.Proof {
		p.ID, p.First, p.Times = id, day().Add(time.Duration(first)*time.Minute), times
		return p
	}
	put(found("jmnet.1/tcp", "hq1", "proven", 1), found("jmnet.1/tcp", "hq2", "blocked", 1), found("acs.debug.2/tcp", "hq1", "proven", 1))
	put(found("jmnet.1/tcp", "hq1", "proven", 2))
	put(found("jmnet.1/tcp", "hq1", "blocked", 3), found("jmnet.1/tcp", "hq1", "proven", 4))
	newest := stored(found("jmnet.1/tcp", "hq1", "proven", 4), 5, 4, 1)
	second := stored(found("jmnet.1/tcp", "hq2", "blocked", 1), 2, 1, 1)
	debug := stored(found("acs.debug.2/tcp", "hq1", "proven", 1), 3, 1, 1)
	read := func(q store.ProofQuery) []store.Proof { t.Helper(); return must[[]store.Proof](t)(s.Proofs(ctx, q)) }
	same(t, "all", read(store.ProofQuery{}), []store.Proof{debug, newest, second})
	same(t, "a service", read(store.ProofQuery{Flow: "acs.debug"}), []store.Proof{debug})
	same(t, "a flow", read(store.ProofQuery{Flow: "jmnet.1/tcp", To: "hq2", Expect: "open"}), []store.Proof{second})
	same(t, "another plan", len(read(store.ProofQuery{PlanHash: "other"})), 0)
	same(t, "history", must[[]store.Proof](t)(s.ProofHistory(ctx, store.ProofQuery{Flow: "jmnet", To: "hq1"}, 10)), []store.Proof{
		newest, stored(found("jmnet.1/tcp", "hq1", "blocked", 3), 4, 3, 1), stored(found("jmnet.1/tcp", "hq1", "proven", 2), 1, 1, 2),
	})
	same(t, "the newest alone", len(must[[]store.Proof](t)(s.ProofHistory(ctx, store.ProofQuery{}, 1))), 1)

	// Another plan is another finding, also with the same verdict.
	other := found("jmnet.1/tcp", "hq2", "blocked", 5)
	other.PlanHash = "h2"
	put(other)
	same(t, "by plan", len(read(store.ProofQuery{PlanHash: "h2"})), 1)

	// A path that changes all the time keeps a bounded history, and the others theirs.
	for i := range 2 * store.KeepProofs {
		put(found("flap.1/tcp", "hq1", []string{"proven", "blocked"}[i%2], 10+i))
	}
	same(t, "bounded", len(must[[]store.Proof](t)(s.ProofHistory(ctx, store.ProofQuery{Flow: "flap"}, 1000))), store.KeepProofs)
	same(t, "its newest", read(store.ProofQuery{Flow: "flap"})[0].Text, fmt.Sprint("at ", 10+2*store.KeepProofs-1))

	before := day().Add(4 * time.Minute)
	same(t, "some go", must[int](t)(s.PruneProofs(ctx, before, 2)), 2)
	same(t, "the rest goes", must[int](t)(s.PruneProofs(ctx, before, 100)), 2)
	same(t, "what is left", len(must[[]store.Proof](t)(s.ProofHistory(ctx, store.ProofQuery{Flow: "jmnet"}, 10))), 2)
}

func testSilencesAndUses(t *testing.T, s store.Store) {
	ctx := t.Context()
	put := func(b store.Batch) {
		t.Helper()
		b.Epoch = 1
		if _, err := s.Commit(ctx, b); err != nil {
			t.Fatal(err)
		}
	}
	quiet := store.Silence{From: "north", To: "hq1", Flow: "reeve.2/tcp", Address: "hq1:7", Survived: 20 * time.Second, Died: 28 * time.Second, At: day()}
	put(store.Batch{Silences: []store.Silence{quiet, {From: "east", To: "hq1", At: day()}}})
	quiet.Survived, quiet.At = 55*time.Second, day().Add(time.Hour)
	put(store.Batch{Silences: []store.Silence{quiet}})
	same(t, "silences", must[[]store.Silence](t)(s.Silences(ctx)), []store.Silence{{From: "east", To: "hq1", At: day()}, quiet})

	use := store.Use{Host: "hq1", Service: "reeve", Kind: "listens", Count: 3, First: day(), Last: day()}
	put(store.Batch{Uses: []store.Use{use, {Host: "hq1", Service: "jobsch", Kind: "listens", First: day()}}})
	later := use
	later.Count, later.First, later.Last = 2, day().Add(time.Hour), day().Add(time.Hour)
	put(store.Batch{Uses: []store.Use{later, {Host: "hq1", Service: "jobsch", Kind: "listens", First: day().Add(time.Hour)}}})
	use.Count, use.Last = 5, later.Last
	same(t, "uses", must[[]store.Use](t)(s.Uses(ctx)), []store.Use{{Host: "hq1", Service: "jobsch", Kind: "listens", First: day()}, use})
}
