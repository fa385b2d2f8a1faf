package agent

import (
	"slices"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

// told is a set of spools that remembers what it let go.
type told struct {
	spools
	gone []wire.Attempt
}

func newTold() *told {
	s := &told{spools: newSpools()}
	s.forget = func(a wire.Attempt) { s.gone = append(s.gone, a) }
	return s
}

func (s *told) says(have int64, a wire.Attempt) wire.OutputReply {
	return wire.OutputReply{Have: []wire.OutputOffset{{Attempt: a, Have: have}}}
}

func nth(n int) wire.Attempt { return wire.Attempt{Run: "r", Job: "j", N: n} }

func at(seq int64) wire.Position { return wire.Position{Epoch: 1, Seq: seq} }

func TestSpoolGoesWhenReportAndOutputAreThere(t *testing.T) {
	t.Parallel()
	s := newTold()
	a := nth(1)
	s.grow(a, 100)
	pieces, full := s.plan(1000)
	if len(pieces) != 1 || pieces[0] != (piece{a, 0, 100}) || full {
		t.Fatalf("got %+v, full %v; want all 100 bytes", pieces, full)
	}
	s.grow(a, 150) // while it is sent
	if !s.sent(pieces, s.says(100, a)) {
		t.Error("nothing moved")
	}
	s.finish(a, at(1), 150)
	if len(s.gone) != 0 {
		t.Errorf("%v was let go with 50 bytes to send", s.gone)
	}
	pieces, _ = s.plan(1000)
	s.sent(pieces, s.says(150, a))
	if !slices.Equal(s.gone, []wire.Attempt{a}) || len(s.known) != 0 {
		t.Errorf("let go: %v, still known: %d; want it gone once", s.gone, len(s.known))
	}
	s.grow(a, 150) // late news
	if s.waiting() || len(s.known) != 0 {
		t.Error("late news of a settled attempt brought it back")
	}
}

func TestSpoolsShareTheBudgetInTurn(t *testing.T) {
	t.Parallel()
	s := newTold()
	for n := 1; n <= 3; n++ {
		s.grow(nth(n), 10*wire.MaxChunk)
	}
	pieces, full := s.plan(2*wire.MaxChunk + 10)
	if !full || len(pieces) != 3 || pieces[0].size != wire.MaxChunk || pieces[1].attempt != nth(2) || pieces[2].size != 10 {
		t.Fatalf("got %+v, full %v; want a chunk each of the first two and the rest of the third", pieces, full)
	}
	for _, p := range pieces {
		s.sent([]piece{p}, s.says(p.offset+int64(p.size), p.attempt))
	}
	again, _ := s.plan(wire.MaxChunk)
	if len(again) != 1 || again[0].attempt != nth(1) || again[0].offset != wire.MaxChunk {
		t.Errorf("got %+v, want the second chunk of the first", again)
	}
}

func TestSpoolFollowsTheServer(t *testing.T) {
	t.Parallel()
	s := newTold()
	a := nth(1)
	s.grow(a, 100)
	pieces, _ := s.plan(1000)
	s.sent(pieces, s.says(100, a))
	// A new link: the server may have been restored from a backup.
	s.askAll()
	asked, round := s.question()
	s.finish(a, at(1), 100)
	if len(s.gone) != 0 {
		t.Error("it was let go before the new server said what it has")
	}
	s.askAll() // and another link
	s.answered(asked, round, s.says(100, a))
	if len(s.gone) != 0 {
		t.Error("the answer of an old link counted")
	}
	asked, round = s.question()
	s.answered(asked, round, s.says(30, a))
	pieces, _ = s.plan(1000)
	if len(pieces) != 1 || pieces[0].offset != 30 || pieces[0].size != 70 {
		t.Errorf("got %+v, want what the server lacks from 30 on", pieces)
	}
	s.sent(pieces, wire.OutputReply{}) // it broke
	if pieces, _ = s.plan(1000); len(pieces) != 1 || pieces[0].offset != 30 {
		t.Errorf("got %+v, want the same again", pieces)
	}
	s.sent(pieces, s.says(-1, a))
	if len(s.gone) != 1 {
		t.Error("what the server does not want was not let go")
	}
}

func TestSafeMark(t *testing.T) {
	t.Parallel()
	s := newTold()
	want := func(what string, epoch, mark, upTo int64, ok bool) {
		t.Helper()
		if got, gotOK := s.safe(epoch, mark); gotOK != ok || ok && got != upTo {
			t.Errorf("%s: got %d, %v; want %d, %v", what, got, gotOK, upTo, ok)
		}
	}
	want("nothing is known", 1, 9, 9, true)
	s.grow(nth(1), 10)
	want("a spool whose place is not known", 1, 9, 0, false)
	s.place(nth(1), at(5))
	want("its place is known", 1, 9, 4, true)
	want("the mark is below it", 1, 3, 3, true)
	s.finish(nth(1), at(5), 10)
	want("it is over, and not sent", 1, 9, 4, true)
	want("a new epoch would forget it", 2, 0, 0, false)
	pieces, _ := s.plan(100)
	s.sent(pieces, s.says(10, nth(1)))
	want("it is sent", 1, 9, 9, true)
	want("a new epoch", 2, 3, 3, true)
	s.finish(nth(2), at(6), 0)
	want("one without output", 1, 9, 9, true)
}

func TestLostSpoolIsGivenUp(t *testing.T) {
	t.Parallel()
	s := newTold()
	s.grow(nth(1), 10)
	if _, was := s.drop(nth(1), true); was || len(s.known) != 0 {
		t.Error("a spool that is not there, of an attempt that nobody reports, is still known")
	}
	s.grow(nth(2), 10)
	s.finish(nth(2), at(2), 10)
	pieces, _ := s.plan(100)
	if have, was := s.drop(nth(2), true); !was || have != 0 {
		t.Errorf("got %d, %v; want the loss told", have, was)
	}
	s.sent(pieces, wire.OutputReply{})
	if !slices.Equal(s.gone, []wire.Attempt{nth(2)}) {
		t.Errorf("let go: %v, want the lost one", s.gone)
	}
}

// TestPieceThatCameOverTheLink: a lane that takes over while a request with the same piece is under way over the link is not refused.
func TestPieceThatCameOverTheLink(t *testing.T) {
	t.Parallel()
	s := newTold()
	a := nth(1)
	s.grow(a, 100)
	pieces, _ := s.plan(1000)
	s.claim(a, make(chan struct{}, 1), 0)
	p, ok := s.piece(a)
	if !ok || p != pieces[0] {
		t.Fatalf("got %+v, want the piece that is under way: %+v", p, pieces)
	}
	s.sent(pieces, s.says(100, a))
	if s.sent([]piece{p}, s.says(100, a)) || !p.taken(s.says(100, a)) {
		t.Error("it is taken, and nothing moved")
	}
	if p.taken(s.says(99, a)) || p.taken(s.says(100, nth(2))) || !p.taken(s.says(-1, a)) {
		t.Error("a piece is taken where its end is, or nothing more is wanted")
	}
}
