//go:build linux

package fault_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
)

// streamVariable makes this program a job that writes a stream: KIND SIZE MILLISECONDS.
const streamVariable = "FAULT_STREAM"

// streams are what the jobs write.
var streams = []struct {
	name, kind string
	size       int
	ms         int // over which the writing takes
}{
	{"binary", "random", 5 << 20, 4000},
	{"zeros", "zeros", 1 << 20, 3000},
	{"line", "line", 3 << 20, 3000},
	{"lines", "lines", 2 << 20, 4000},
	{"large", "random", 20 << 20, 2000},
	{"one", "line", 1, 0},
	{"nothing", "line", 0, 0},
	{"torn", "text", 100_003, 4000},
}

// stream returns the bytes of a stream.
func stream(kind string, size int) []byte {
	out := make([]byte, size)
	switch kind {
	case "random":
		var seed [32]byte
		copy(seed[:], fmt.Sprintf("%s %d", kind, size))
		_, _ = rand.NewChaCha8(seed).Read(out)
	case "zeros":
	case "line": // no newline at all
		for i := range out {
			out[i] = 'a' + byte(i%26)
		}
	case "lines":
		b := out[:0]
		for i := 0; len(b) < size; i++ {
			b = append(b, fmt.Sprintf("%d\n", i)...)
		}
		out = b[:size]
	case "text": // runes of several bytes, that chunks cut
		out = bytes.Repeat([]byte("Grüße an 港の主 ☃\r\n"), size/20)[:size]
	}
	return out
}

// writeStream is the job: it writes a stream to standard output and its reverse to standard error.
func writeStream() int {
	var kind string
	var size, ms int
	if _, err := fmt.Sscan(os.Getenv(streamVariable), &kind, &size, &ms); err != nil {
		return 2
	}
	text := stream(kind, size)
	parts := max(1, min(100, size/100))
	for i := range parts {
		part := text[i*size/parts : (i+1)*size/parts]
		if _, err := os.Stdout.Write(part); err != nil {
			return 1
		}
		if _, err := os.Stderr.Write(part[:len(part)/4]); err != nil {
			return 1
		}
		<-time.After(time.Duration(ms/parts) * time.Millisecond)
	}
	return 0
}

// expectedErr is what writeStream writes to standard error.
func expectedErr(text []byte) []byte {
	size := len(text)
	parts := max(1, min(100, size/100))
	var out []byte
	for i := range parts {
		part := text[i*size/parts : (i+1)*size/parts]
		out = append(out, part[:len(part)/4]...)
	}
	return out
}

// R12: what `run logs` prints is what the jobs wrote, byte by byte, though agent and server are killed and restarted
// in the middle.
func TestOutputOverRestarts(t *testing.T) {
	t.Parallel()
	e := newEstate(t, quick)
	g := e.agent("north", 50)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("net: fault/streams\njobs:\n")
	for _, s := range streams {
		fmt.Fprintf(&b, "  - name: %s\n    command: [%q]\n    env: {%s: %q}\n", s.name, exe, streamVariable, fmt.Sprintf("%s %d %d", s.kind, s.size, s.ms))
	}
	e.apply(b.String())
	random := rand.New(rand.NewPCG(12, 1))
	for i := range max(1, *rounds/2) {
		id := e.begin("fault/streams", fmt.Sprint("streams-", i))
		for countJobs(e.show(id), "running") > 0 {
			switch random.IntN(4) {
			case 0:
				g.restart(syscall.SIGKILL)
			case 1:
				g.restart(syscall.SIGTERM)
			case 2:
				e.server.end(t, syscall.SIGKILL)
				e.serve()
			case 3:
				e.server.end(t, syscall.SIGTERM)
				e.serve()
			}
			if random.IntN(2) == 0 {
				e.linked("north")
			}
		}
		if r := e.settled(id, 60*time.Second); r.State != "succeeded" {
			t.Fatalf("run: got %s (%s), want succeeded", r.State, value(r.Reason))
		}
		for _, s := range streams {
			want := stream(s.kind, s.size)
			e.sameOutput(id+"/"+s.name, "--stdout", want)
			e.sameOutput(id+"/"+s.name, "--stderr", expectedErr(want))
		}
	}
}

// sameOutput waits until the printed output of an attempt is as long as what it wrote, and compares the sums.
func (e *estate) sameOutput(attempt, flag string, want []byte) {
	e.t.Helper()
	var got string
	deadline := time.Now().Add(30 * time.Second)
	for {
		got = e.must("run", "logs", attempt, flag)
		if len(got) >= len(want) || time.Now().After(deadline) {
			break
		}
	}
	if sum(strings.NewReader(got)) != sum(bytes.NewReader(want)) {
		at := 0
		for at < min(len(got), len(want)) && got[at] == want[at] {
			at++
		}
		e.t.Errorf("output of %s %s differs from what was written: %d bytes instead of %d, the first difference at %d: got %.40q, want %.40q",
			attempt, flag, len(got), len(want), at, got[at:], want[at:])
	}
}

func sum(r io.Reader) string {
	h := sha256.New()
	_, _ = io.Copy(h, r)
	return fmt.Sprintf("%x", h.Sum(nil))
}

// R12: over the death of a keeper what is printed is what was written, but for marked gaps: no byte is invented,
// doubled or out of order.
func TestOutputOverKeeperDeath(t *testing.T) {
	t.Parallel()
	e := newEstate(t, quick)
	g := e.agent("north", 50)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const kind, size = "random", 3 << 20
	e.apply(fmt.Sprintf("net: fault/stream\njobs:\n  - name: a\n    command: [%q]\n    env: {%s: \"%s %d 2000\"}\n", exe, streamVariable, kind, size))
	want := stream(kind, size)
	for range *rounds {
		id := e.begin("fault/stream", "")
		within(t, 20*time.Second, func() string {
			if len(e.pieces(id, "stdout")) < 3 {
				return "no output yet"
			}
			return ""
		})
		if err := syscall.Kill(g.keeper(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		g.keeper()
		r := e.settled(id, 60*time.Second)
		if r.Jobs[0].State != "unknown" || value(r.Jobs[0].Reason) != "keeper_died" {
			t.Errorf("job: got %s (%s), want unknown (keeper_died)", r.Jobs[0].State, value(r.Jobs[0].Reason))
		}
		var why string
		deadline := time.Now().Add(10 * time.Second)
		for {
			if why = follows(e.pieces(id, "stdout"), want); why == "" || time.Now().After(deadline) {
				break
			}
		}
		if why != "" {
			t.Errorf("output over a keeper's death: %s", why)
		}
		// Where it may be kept there is nothing but the job's own bytes; the mark is for the person.
		pieces := e.pieces(id, "stdout")
		out, errs, _ := e.run("run", "logs", id+"/a", "--stdout")
		if out != string(bytes.Join(pieces, nil)) {
			t.Errorf("run logs --stdout printed %d bytes, the pieces have others", len(out))
		}
		marked := slices.ContainsFunc(pieces, func(p []byte) bool { return p == nil })
		if marked != strings.Contains(errs, "output may be missing here") {
			t.Errorf("there is a gap: %v; standard error says %q", marked, errs)
		}
	}
}

// pieces reads the output of job a: text, and nil for a gap.
func (e *estate) pieces(id, stream string) [][]byte {
	e.t.Helper()
	var out [][]byte
	err := e.api.Logs(e.t.Context(), api.LogQuery{Run: id, Job: "a", Stream: stream}, func(l api.Log) error {
		switch {
		case l.Stream == "gap":
			out = append(out, nil)
		case len(l.Bytes) > 0:
			out = append(out, l.Bytes)
		default:
			out = append(out, []byte(l.Text))
		}
		return nil
	})
	if err != nil {
		return nil // it has not started
	}
	return out
}

// follows says what is wrong with pieces of a text of which gaps are missing. Texts by chance hold no 32 bytes twice.
func follows(pieces [][]byte, want []byte) string {
	gaps, at := 0, 0
	jump := false
	for i, p := range pieces {
		if p == nil {
			gaps++
			jump = true
			continue
		}
		if jump {
			next := bytes.Index(want[at:], p[:min(32, len(p))])
			if next < 0 {
				return fmt.Sprintf("piece %d after a gap is not in what was written after byte %d", i, at)
			}
			at, jump = at+next, false
		}
		if !bytes.HasPrefix(want[at:], p) {
			return fmt.Sprintf("piece %d (%d bytes) does not follow at byte %d", i, len(p), at)
		}
		at += len(p)
	}
	switch {
	case at != len(want) && !jump:
		return fmt.Sprintf("it ends at byte %d of %d, without a mark", at, len(want))
	case gaps > 3:
		return fmt.Sprintf("%d gaps for one death", gaps)
	}
	return ""
}
