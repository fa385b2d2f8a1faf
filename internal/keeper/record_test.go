//go:build linux

package keeper

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

// journalOf returns a journal's bytes with n attempts, and where its records begin.
func journalOf(t testing.TB, n int) (b []byte, records []record, at []int) {
	t.Helper()
	for i := 1; i <= n; i++ {
		r := intent("r"+strconv.Itoa(i), int64(i), "boot")
		code := i % 3
		end := wire.Report{ID: int64(i), Attempt: *r.Attempt, Position: *r.Position, Kind: wire.Ended, ExitCode: &code}
		records = append(records, r, record{Kind: recordExit, Attempt: r.Attempt, Position: r.Position, Report: &end}, record{Kind: recordAck, IDs: []int64{int64(i)}})
	}
	for _, r := range records {
		at = append(at, len(b))
		var err error
		if b, err = appendRecord(b, r); err != nil {
			t.Fatal(err)
		}
	}
	return append(b, make([]byte, 5000)...), records, append(at, len(b))
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestATornEndIsNoDamage(t *testing.T) {
	t.Parallel()
	b, records, at := journalOf(t, 4)
	for cut := range at[len(at)-1] + 1 {
		whole := 0
		for whole < len(records) && at[whole+1] <= cut {
			whole++
		}
		for name, tail := range map[string][]byte{"short": nil, "filled": make([]byte, 300)} {
			s := scan(append(bytes.Clone(b[:cut]), tail...))
			if len(s.records) != whole || len(s.damaged) > 0 || s.end != int64(at[whole]) {
				t.Fatalf("cut at %d, %s: got %d records, end %d, damage at %v; want %d records, end %d", cut, name, len(s.records), s.end, s.damaged, whole, at[whole])
			}
		}
	}
}

func TestEveryBitFlipIsSeenAndIsolated(t *testing.T) {
	t.Parallel()
	b, records, at := journalOf(t, 3)
	want := make([]string, len(records))
	for i, r := range records {
		want[i] = asJSON(t, r)
	}
	for bit := range at[len(at)-1] * 8 {
		flipped := bytes.Clone(b)
		flipped[bit/8] ^= 1 << (bit % 8)
		hit := 0
		for at[hit+1] <= bit/8 {
			hit++
		}
		s := scan(flipped)
		if len(s.damaged) == 0 {
			t.Fatalf("bit %d: not seen", bit)
		}
		got := map[string]int{}
		for _, r := range s.records {
			got[asJSON(t, r)]++
		}
		for i, w := range want {
			if i != hit && got[w] == 0 {
				t.Fatalf("bit %d in record %d: record %d is lost as well", bit, hit, i)
			}
			delete(got, w)
		}
		if len(got) > 0 {
			t.Fatalf("bit %d: a wrong record: %v", bit, got)
		}
		if lost := len(s.records) < len(records); lost != (s.lost > 0) {
			t.Fatalf("bit %d: %d of %d records, %d bytes lost", bit, len(s.records), len(records), s.lost)
		}
	}
}

// TestADamagedIntentIsNotExecutedAgain flips bits in a journal that says that attempts were started: whatever is
// lost, none of them is executed.
func TestADamagedIntentIsNotExecutedAgain(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(4, 7))
	for range 8 {
		data := filepath.Join(t.TempDir(), "data")
		var records []record
		for i := range 6 {
			records = append(records, intent("r"+strconv.Itoa(i+1), int64(i+1), bootID(t)))
		}
		writeJournal(t, data, records...)
		path := filepath.Join(data, "keeper", journalFile)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for range 1 + random.IntN(3) {
			b[random.IntN(len(b))] ^= 1 << random.IntN(8)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		h := newHostAt(t, data)
		saw := witness(t)
		for range 6 {
			o := h.witnessed(saw, "")
			o.Attempt.Job = "x"
			h.start(o)
			if r := h.end(o); r.Kind != wire.Unknown || r.Reason != "start" {
				t.Errorf("got %+v", r)
			}
		}
		if got := starts(t, saw); len(got) > 0 {
			t.Errorf("executed: %v", got)
		}
		if h.client.Hello().Damaged == "" {
			t.Error("the damage is not told")
		}
		if kept, _ := filepath.Glob(path + ".damaged-*"); len(kept) != 1 {
			t.Errorf("kept: %v, want one copy", kept)
		}
		for range 40 { // past what may have been lost, work goes on
			h.seq++
		}
		if r := h.run(h.order("later", "true")); r.Kind != wire.Ended {
			t.Errorf("later: got %+v", r)
		}
	}
}

func FuzzScan(f *testing.F) {
	b, _, _ := journalOf(f, 2)
	f.Add(b)
	f.Add(b[:100])
	f.Add([]byte("REJ1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := scan(b)
		if s.end > int64(len(b)) {
			t.Fatalf("end %d of %d", s.end, len(b))
		}
		reg := newRegistry()
		for _, r := range s.records {
			reg.apply(r)
		}
		reg.forget()
		reg.pending()
		for _, r := range reg.records() {
			if _, err := appendRecord(nil, r); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func FuzzParseFrame(f *testing.F) {
	one, err := encodeFrame(frame{Kind: frameStart, ID: 7, Orders: []wire.Order{{Net: "n", Command: []string{"true"}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(one)
	f.Add([]byte{255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, n, err := parseFrame(b)
		if err != nil || n == 0 {
			return
		}
		if n > len(b) || len(got.Passed) > maxDescriptors {
			t.Fatalf("%d of %d bytes, %d descriptors", n, len(b), len(got.Passed))
		}
		for _, o := range got.Orders {
			_ = checkOrder(o)
		}
	})
}

func FuzzParseOutputs(f *testing.F) {
	f.Add([]byte("a=1\nb=2\r\n\nc="))
	f.Add([]byte("=x"))
	f.Fuzz(func(t *testing.T, b []byte) {
		values, err := parseOutputs(b)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, v := range values {
			if !valueName(v.Name) || seen[v.Name] || bytes.ContainsAny([]byte(v.Value), "\n\x00") {
				t.Fatalf("got %q", v)
			}
			seen[v.Name] = true
		}
	})
}
