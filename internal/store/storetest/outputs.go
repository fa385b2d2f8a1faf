package storetest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
)

func appendTo(t *testing.T, s store.Store, job string, offset int64, data string) int64 {
	t.Helper()
	sizes := must[[]int64](t)(s.AppendOutput(t.Context(), []store.OutputPiece{{Run: "r", Job: job, N: 1, Offset: offset, Data: []byte(data)}}))
	if len(sizes) != 1 {
		t.Fatalf("got %d sizes for 1 piece", len(sizes))
	}
	return sizes[0]
}

func testOutput(t *testing.T, s store.Store) {
	ctx := t.Context()
	readAll := func(job string) string {
		t.Helper()
		data, size, err := s.ReadOutput(ctx, "r", job, 1, 0, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if size != int64(len(data)) {
			t.Errorf("size of %s: got %d with %d bytes", job, size, len(data))
		}
		return string(data)
	}
	same(t, "nothing yet", readAll("a"), "")
	steps := []struct {
		offset int64
		data   string
		size   int64
		all    string
	}{
		{5, "beyond", 0, ""},
		{0, "hello ", 6, "hello "},
		{0, "hello ", 6, "hello "}, // again
		{0, "hel", 6, "hello "},    // a part of it again
		{3, "lo world", 11, "hello world"},
		{12, "a hole", 11, "hello world"},
		{11, "", 11, "hello world"},
		{11, "!", 12, "hello world!"},
	}
	for _, step := range steps {
		if got := appendTo(t, s, "a", step.offset, step.data); got != step.size {
			t.Errorf("%q at %d: got size %d, want %d", step.data, step.offset, got, step.size)
		}
		same(t, fmt.Sprintf("after %q at %d", step.data, step.offset), readAll("a"), step.all)
	}

	// Several attempts, and several pieces of one, in a call.
	sizes := must[[]int64](t)(s.AppendOutput(ctx, []store.OutputPiece{
		{Run: "r", Job: "b", N: 1, Offset: 0, Data: []byte("x")},
		{Run: "r", Job: "a", N: 1, Offset: 12, Data: []byte("?")},
		{Run: "r", Job: "b", N: 1, Offset: 1, Data: []byte("yz")},
		{Run: "r", Job: "a", N: 2, Offset: 9, Data: []byte("beyond")},
	}))
	same(t, "sizes", sizes, []int64{3, 13, 3, 0})
	same(t, "a", readAll("a"), "hello world!?")
	same(t, "b", readAll("b"), "xyz")

	part := func(offset int64, limit int) string {
		data, size, err := s.ReadOutput(ctx, "r", "a", 1, offset, limit)
		if err != nil || size != 13 {
			t.Errorf("reading %d from %d: size %d, error %v", limit, offset, size, err)
		}
		return string(data)
	}
	for _, c := range []struct {
		offset int64
		limit  int
		want   string
	}{{0, 0, ""}, {0, 5, "hello"}, {4, 4, "o wo"}, {12, 9, "?"}, {13, 9, ""}, {99, 9, ""}, {-1, 5, "hello"}} {
		same(t, fmt.Sprintf("part %d+%d", c.offset, c.limit), part(c.offset, c.limit), c.want)
	}
	if _, err := s.AppendOutput(ctx, []store.OutputPiece{{Run: "r", Job: "a", N: 1, Offset: -1, Data: []byte("x")}}); err == nil {
		t.Error("a negative offset was accepted")
	}

	// More than a chunk at once, of bytes that cannot be compressed, and of some that can.
	big := make([]byte, 700<<10)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(big)
	copy(big[300<<10:], make([]byte, 200<<10))
	appendTo(t, s, "big", 0, string(big[:10]))
	if got := appendTo(t, s, "big", 0, string(big)); got != int64(len(big)) {
		t.Errorf("big piece: got size %d, want %d", got, len(big))
	}
	if got := readAll("big"); got != string(big) {
		t.Error("the big piece is not what was written")
	}
}

func testOutputAtRandom(t *testing.T, s store.Store) {
	r := rand.New(rand.NewPCG(3, 4))
	whole := bytes.Repeat([]byte("0123456789abcdef, the quick brown fox; "), 3000)
	for i := range whole {
		if r.IntN(3) == 0 {
			whole[i] = byte(r.IntN(256))
		}
	}
	have := 0
	for range 300 {
		offset := max(0, have-r.IntN(3000)+r.IntN(400))
		end := min(len(whole), offset+r.IntN(3000))
		offset = min(offset, end)
		if offset <= have {
			have = max(have, end)
		}
		if got := appendTo(t, s, "a", int64(offset), string(whole[offset:end])); got != int64(have) {
			t.Fatalf("piece %d to %d: got size %d, want %d", offset, end, got, have)
		}
		from, limit := r.IntN(have+10), r.IntN(5000)
		data, _, err := s.ReadOutput(t.Context(), "r", "a", 1, int64(from), limit)
		if want := whole[min(from, have):min(from+limit, have)]; err != nil || !bytes.Equal(data, want) {
			t.Fatalf("reading %d bytes from %d of %d: got %d bytes, error %v", limit, from, have, len(data), err)
		}
	}
	if have < 10_000 {
		t.Fatalf("only %d bytes were written: the test shows little", have)
	}
}

func testArtifacts(t *testing.T, s store.Store) {
	ctx := t.Context()
	art := func(id, name, hash string) store.Artifact {
		return store.Artifact{Run: id, Job: "j", N: 1, Name: name, Size: 5, SHA256: hash}
	}
	commit(t, s, store.Batch{Epoch: 1, Files: []store.Artifact{art("r1", "b", "h1"), art("r1", "a", "h2"), art("r2", "a", "h1")}})
	commit(t, s, store.Batch{Epoch: 1, Files: []store.Artifact{art("r1", "b", "h1")}}) // again
	same(t, "artifacts", must[[]store.Artifact](t)(s.Artifacts(ctx, "r1")), []store.Artifact{art("r1", "a", "h2"), art("r1", "b", "h1")})
	same(t, "artifacts of no run", must[[]store.Artifact](t)(s.Artifacts(ctx, "r9")), []store.Artifact(nil))
	commit(t, s, store.Batch{Epoch: 1, Files: []store.Artifact{art("r1", "a", "h3")}}) // another content
	for hash, want := range map[string]bool{"h1": true, "h2": false, "h3": true, "": false} {
		if got := must[bool](t)(s.HasFile(ctx, hash)); got != want {
			t.Errorf("file %q: got %v, want %v", hash, got, want)
		}
	}
	same(t, "unreferenced", must[[]string](t)(s.Unreferenced(ctx, 10)), []string{"h2"})
	// It comes back before its file is removed.
	commit(t, s, store.Batch{Epoch: 1, Files: []store.Artifact{art("r3", "a", "h2")}})
	same(t, "unreferenced after it came back", must[[]string](t)(s.Unreferenced(ctx, 10)), []string(nil))
}

// ended stores a run that has ended at an instant, with output and an artifact of its own and one that all share.
func ended(t *testing.T, s store.Store, id, net string, at time.Time) {
	t.Helper()
	one := end(newRun(id, net, 2), "succeeded", at)
	commit(t, s, store.Batch{Epoch: 1, Runs: []store.RunWrite{{State: one, Key: "key-" + id}}, Files: []store.Artifact{
		{Run: id, Job: "job0", N: 1, Name: "own", SHA256: "own-" + id},
		{Run: id, Job: "job0", N: 1, Name: "shared", SHA256: "shared"},
	}})
	must[[]int64](t)(s.AppendOutput(t.Context(), []store.OutputPiece{{Run: id, Job: "job0", N: 1, Data: []byte("output of " + id)}}))
}

func ids(t *testing.T, s store.Store) []string {
	t.Helper()
	var out []string
	for _, r := range must[[]store.RunSummary](t)(s.ListRuns(t.Context(), store.RunQuery{Limit: 1000})) {
		out = append(out, r.ID)
	}
	return out
}

func testPruneByAge(t *testing.T, s store.Store) {
	ctx := t.Context()
	at := func(hours int) time.Time { return day().Add(time.Duration(hours) * time.Hour) }
	for i := range 6 {
		ended(t, s, fmt.Sprint("e", i), "n", at(i))
	}
	commit(t, s, batch(write(newRun("open", "n", 1)), write(end(newRun("lost", "n", 1), "unknown", at(0)))))
	// An order that is open keeps its run: closing it is what lets the agent's journal forget.
	ordered := end(newRun("ordered", "n", 1), "cancelled", at(0))
	commit(t, s, batch(write(ordered, run.StartAttempt{Job: "job0", N: 1, AgentID: "a"})))
	prune := func(before time.Time, limit, want int) {
		t.Helper()
		if got := must[int](t)(s.PruneRuns(ctx, before, 0, limit)); got != want {
			t.Errorf("pruned runs: got %d, want %d", got, want)
		}
	}
	prune(time.Time{}, 10, 0)
	prune(at(0), 10, 0)
	prune(at(4), 3, 3)
	same(t, "left", ids(t, s), []string{"ordered", "open", "lost", "e5", "e4", "e3"})
	prune(at(4), 3, 1)
	prune(at(4), 3, 0)
	prune(at(99), 0, 0)
	same(t, "left", ids(t, s), []string{"ordered", "open", "lost", "e5", "e4"})

	_, err := s.Run(ctx, "e0")
	wantNotFound(t, "pruned run", err)
	_, err = s.RunByKey(ctx, "key-e0")
	wantNotFound(t, "its key", err)
	same(t, "its artifacts", must[[]store.Artifact](t)(s.Artifacts(ctx, "e0")), []store.Artifact(nil))
	if _, size, err := s.ReadOutput(ctx, "e0", "job0", 1, 0, 10); err != nil || size != 0 {
		t.Errorf("its output: got size %d, error %v", size, err)
	}
	same(t, "unreferenced", must[[]string](t)(s.Unreferenced(ctx, 10)), []string{"own-e0", "own-e1", "own-e2", "own-e3"})
	if err := s.Forget(ctx, []string{"own-e1", "own-e0", "own-e9"}); err != nil {
		t.Fatal(err)
	}
	same(t, "unreferenced", must[[]string](t)(s.Unreferenced(ctx, 1)), []string{"own-e2"})

	// What is left is whole, and a pruned id's place is not taken over by a new run's jobs.
	same(t, "jobs of what is left", len(read(t, s, "e4").Jobs), 2)
	if data, _, err := s.ReadOutput(ctx, "e4", "job0", 1, 0, 100); err != nil || string(data) != "output of e4" {
		t.Errorf("output of what is left: got %q, error %v", data, err)
	}
	prune(at(99), 10, 2)
	commit(t, s, batch(store.RunWrite{State: read(t, s, "ordered"), Effects: []run.Effect{run.CloseAttempt{Job: "job0", N: 1, AgentID: "a"}}}))
	prune(at(99), 10, 1)
	same(t, "unreferenced at last", must[[]string](t)(s.Unreferenced(ctx, 10)), []string{"own-e2", "own-e3", "own-e4", "own-e5", "shared"})
	commit(t, s, batch(write(newRun("new", "n", 1))))
	same(t, "a new run", len(read(t, s, "new").Jobs), 1)
}

func testPruneByCount(t *testing.T, s store.Store) {
	for i := range 12 {
		ended(t, s, fmt.Sprintf("r%02d", i), []string{"a", "b"}[i%2], day())
	}
	commit(t, s, batch(write(newRun("q0", "a", 1)), write(newRun("z0", "b", 1))))
	prune := func(keep, limit, want int) {
		t.Helper()
		if got := must[int](t)(s.PruneRuns(t.Context(), time.Time{}, keep, limit)); got != want {
			t.Errorf("pruned runs: got %d, want %d", got, want)
		}
	}
	prune(0, 100, 0)
	prune(100, 100, 0)
	prune(2, 3, 3)
	prune(2, 100, 6)
	prune(2, 100, 0)
	// The newest two of each net, and what has not ended.
	same(t, "left", ids(t, s), []string{"z0", "r11", "r10", "r08", "q0"})
}

func testPruneOutput(t *testing.T, s store.Store) {
	ctx := t.Context()
	for i := range 4 {
		ended(t, s, fmt.Sprint("e", i), "n", day().Add(time.Duration(i)*time.Hour))
	}
	commit(t, s, batch(write(newRun("open", "n", 1))))
	must[[]int64](t)(s.AppendOutput(ctx, []store.OutputPiece{{Run: "open", Job: "job0", N: 1, Data: []byte("x")}}))
	for _, want := range []int{2, 1, 0} {
		if got := must[int](t)(s.PruneOutput(ctx, day().Add(3*time.Hour), 0, 2)); got != want {
			t.Errorf("runs whose output was pruned: got %d, want %d", got, want)
		}
	}
	for id, want := range map[string]int64{"e0": 0, "e2": 0, "e3": 12, "open": 1} {
		if _, size, err := s.ReadOutput(ctx, id, "job0", 1, 0, 1); err != nil || size != want {
			t.Errorf("output of %s: got size %d, error %v, want size %d", id, size, err, want)
		}
	}
	// The newest of the net, which is the open one, keeps its output; e3 is beyond the count.
	if got := must[int](t)(s.PruneOutput(ctx, time.Time{}, 1, 10)); got != 1 {
		t.Errorf("runs whose output was pruned by count: got %d, want 1", got)
	}
	for id, want := range map[string]int64{"e3": 0, "open": 1} {
		if _, size, err := s.ReadOutput(ctx, id, "job0", 1, 0, 1); err != nil || size != want {
			t.Errorf("output of %s after pruning by count: got size %d, error %v, want size %d", id, size, err, want)
		}
	}
	same(t, "runs", ids(t, s), []string{"open", "e3", "e2", "e1", "e0"})
	same(t, "a run without its output", len(read(t, s, "e0").Jobs), 2)
}
