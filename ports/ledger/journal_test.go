package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/ports"
)

// history is a ledger's file with what the ledger said after each of its records.
type history struct {
	file  []byte
	marks []byte
	ends  []int64 // where record i ends
	said  []string
}

// said prints leases without what differs from run to run.
func said(all []Lease) string {
	var lines []string
	for _, l := range all {
		lines = append(lines, fmt.Sprintf("%s %s %d/%d %s fence %d until %s", l.Name, l.Pool, l.Port, l.Pair, l.State, l.Fence, clock(l.HoldUntil)))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func write(t *testing.T) history {
	t.Helper()
	dir := t.TempDir()
	l := open(t, dir, Options{Binder: unbound, Clock: begin, Alive: func(Owner) Life { return Alive }})
	pool := tcp("p", ports.Range{First: 20000, Last: 20029})
	pool.Pair = ports.Pair{ID: "debug", Delta: 1, Optional: true}
	pool.Hold.Min = time.Minute
	var h history
	note := func() {
		all, err := l.Leases(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		h.ends, h.said = append(h.ends, l.journal.pos), append(h.said, said(all))
	}
	note()
	var grants []Grant
	for i := range 8 {
		grants = append(grants, must(t, l, Request{Pool: pool, Name: fmt.Sprint("n", i), Owner: pretend(1), Pair: i%3 == 0, Sticky: i%2 == 0}))
		note()
	}
	for i, g := range grants[:4] {
		give := l.Release
		if i%2 == 0 {
			give = l.Forget
		}
		if err := give(t.Context(), g.Lease.ID, g.Lease.Fence, "done"); err != nil {
			t.Fatal(err)
		}
		note()
	}
	var err1, err2 error
	h.file, err1 = os.ReadFile(filepath.Join(dir, journalFile))
	h.marks, err2 = os.ReadFile(filepath.Join(dir, syncFile))
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return h
}

// with opens a ledger whose file is the given one, and returns what it says, whether it is damaged, and what a grant
// answers.
func with(t *testing.T, file, marks []byte) (leases string, damaged bool) {
	t.Helper()
	dir := t.TempDir()
	err := errors.Join(os.WriteFile(filepath.Join(dir, journalFile), file, 0o600), os.WriteFile(filepath.Join(dir, syncFile), marks, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Binder: unbound, Clock: begin, Alive: func(Owner) Life { return Alive }, sync: func(*os.File) error { return nil }}
	l, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	all, err := l.Leases(t.Context())
	leases = said(all)
	var r *Refusal
	if err != nil && (!errors.As(err, &r) || r.Outcome != IsDamaged) {
		t.Fatal(err)
	}
	request := Request{Pool: tcp("q", ports.Range{First: 30000, Last: 30001}), Name: "new", Owner: pretend(2)}
	g, granted := l.Lease(t.Context(), request)
	g.Close()
	if (granted == nil) != (r == nil) {
		t.Fatalf("damaged: %v, but a grant says %v", r, granted)
	}
	if r != nil {
		// A repair keeps the file and goes on from what can be read.
		report, err := l.Repair(t.Context(), Observation{}, ports.Compiled{})
		if err != nil || report.Copy == "" || len(report.Lost) == 0 {
			t.Fatalf("repair: %+v, %v", report, err)
		}
		kept, err := os.ReadFile(report.Copy)
		if err != nil || string(kept) != string(file) {
			t.Fatalf("the copy differs: %v", err)
		}
		repaired, err := l.Leases(t.Context())
		if err != nil || said(repaired) != leases {
			t.Fatalf("after repair: %v\n%s\nwant\n%s", err, said(repaired), leases)
		}
		must(t, l, request)
	}
	// What was granted after the trouble is there for the next who opens.
	m, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if got := find(t, m, "new"); got.Port != 30000 {
		t.Fatalf("the new lease is %+v", got)
	}
	return leases, r != nil
}

// A file that ends anywhere says what its whole records say; one that ends in its snapshot is damaged. Where the marks
// say that more was on the disk, it is damaged too: no acknowledged lease is lost in silence.
func TestCutAnywhere(t *testing.T) {
	t.Parallel()
	h := write(t)
	last := h.ends[len(h.ends)-1]
	for at := int64(0); at <= last; at += step(t) {
		want, records := "", -1
		for i, end := range h.ends {
			if end <= at {
				want, records = h.said[i], i
			}
		}
		got, damaged := with(t, h.file[:at], nil)
		if damaged != (records < 0) || got != want {
			t.Fatalf("cut at %d: damaged %v\n%s\nwant\n%s", at, damaged, got, want)
		}
		got, damaged = with(t, h.file[:at], h.marks)
		if damaged != (records < len(h.ends)-1) || got != want {
			t.Fatalf("cut at %d, with marks: damaged %v\n%s\nwant\n%s", at, damaged, got, want)
		}
	}
}

// A byte that changes anywhere is noticed, or it is one that nobody reads. Only the last record can be taken for one
// that was never finished, and only where no mark knows better.
func TestGarbledAnywhere(t *testing.T) {
	t.Parallel()
	h := write(t)
	n := len(h.ends) - 1
	for at := int64(0); at < h.ends[n]; at += step(t) {
		for _, marks := range [][]byte{nil, h.marks} {
			file := slices.Clone(h.file)
			file[at] ^= 0x41
			if at >= 16 && at < 20 {
				continue // the format: a newer one has its own test
			}
			got, damaged := with(t, file, marks)
			switch {
			case damaged:
			case got == h.said[n]:
			case marks == nil && at >= h.ends[n-1] && got == h.said[n-1]:
			default:
				t.Fatalf("byte %d, marks %v: nothing is said to be damaged, and it says\n%s\nwant\n%s", at, marks != nil, got, h.said[n])
			}
		}
	}
}

// step is how many bytes lie between the places that are tried: all of them with -rounds.
func step(t *testing.T) int64 {
	t.Helper()
	if *rounds > 0 {
		return 1
	}
	return 29
}

// What a dead writer left behind the last record never comes back behind a later one.
func TestLeftoversAreErased(t *testing.T) {
	t.Parallel()
	h := write(t)
	n := len(h.ends) - 1
	// The record before the last is torn, the last is whole, and none of them was ever synced: as after a power cut.
	file := slices.Clone(h.file)
	one := appendFrame(nil, record{seq: 100, at: begin(), ops: []op{{kind: opPut, lease: Lease{ID: "ghost", Name: "ghost", Port: 9, Protocol: []ports.Protocol{ports.TCP}}}}})
	copy(file[h.ends[n]:], []byte{9, 9, 9, 9, 9, 9, 9, 9})
	copy(file[h.ends[n]+8:], one)
	got, damaged := with(t, file, nil)
	if damaged || got != h.said[n] {
		t.Errorf("damaged %v\n%s\nwant\n%s", damaged, got, h.said[n])
	}
}

// A newer version's ledger is refused, and stays as it is.
func TestNewerFormat(t *testing.T) {
	t.Parallel()
	h := write(t)
	newer := head{format: format + 1, id: 5, base: 1, snapshot: headSize}
	future := appendFrame(nil, record{seq: 100, at: begin(), ops: []op{{kind: 77}}})
	entry := slices.Clone(h.file)
	copy(entry[h.ends[len(h.ends)-1]:], appendFrame(nil, record{seq: uint64(len(h.ends)), at: begin(), ops: []op{{kind: 77}}}))
	for name, file := range map[string][]byte{
		"format": append(newer.encode(), future...), "garbled newer format": append(append(newer.encode()[:40], 1, 2, 3), make([]byte, 60)...), "entry": entry,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, journalFile), file, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(dir, Options{})
		var r *Refusal
		if !errors.As(err, &r) || r.Outcome != NewerFormat || !strings.Contains(err.Error(), "newer version") {
			t.Errorf("%s: got %v", name, err)
		}
		if now, err := os.ReadFile(filepath.Join(dir, journalFile)); err != nil || string(now) != string(file) {
			t.Errorf("%s: the file was changed (%v)", name, err)
		}
	}
}

// A ledger that is rewritten says the same, also to those who have it open, and its fences go on.
func TestRewrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := begin()
	o := Options{Binder: unbound, Clock: func() time.Time { return at }, Alive: func(Owner) Life { return Alive }, sync: func(*os.File) error { return nil }}
	a, b := open(t, dir, o), open(t, dir, o)
	pool := tcp("p", ports.Range{First: 20000, Last: 20999})
	pool.Pick = ports.LRU
	r := Request{Pool: pool, Name: "x", Owner: pretend(1)}
	for i := 0; a.journal.head.base == 0; i++ {
		l := []*Ledger{a, b}[i%2]
		at = at.Add(time.Millisecond)
		g := must(t, l, r)
		if g.Lease.Fence != uint64(i+1) || int(g.Lease.Port) != 20000+i%1000 {
			t.Fatalf("grant %d: fence %d, port %d", i, g.Lease.Fence, g.Lease.Port)
		}
		if err := l.Release(t.Context(), g.Lease.ID, g.Lease.Fence, "done"); err != nil {
			t.Fatal(err)
		}
		if i > 10000 {
			t.Fatal("it is never rewritten")
		}
	}
	before := a.table.fence
	kept := must(t, b, Request{Pool: pool, Name: "kept", Owner: pretend(1), Sticky: true})
	for _, l := range []*Ledger{a, open(t, dir, o)} {
		if got := find(t, l, "kept"); got.Port != kept.Lease.Port || got.Fence != before+1 {
			t.Errorf("got %+v, want %+v", got, kept.Lease)
		}
		if g := must(t, l, r); g.Lease.Port == kept.Lease.Port || g.Lease.Fence <= before {
			t.Errorf("got %+v", g.Lease)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.new")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
