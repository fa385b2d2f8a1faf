package domain

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"time"
)

// RunIDs makes ids of runs: 10 characters of time, 4 that count within a millisecond, 5 of chance; base 32 in
// the order of ASCII, so that ids sort by creation.
type RunIDs struct {
	now  func() time.Time
	rand io.Reader

	mu   sync.Mutex
	last int64
	seq  uint32
}

// NewRunIDs builds a source of ids.
func NewRunIDs(now func() time.Time, rand io.Reader) *RunIDs {
	return &RunIDs{now: now, rand: rand}
}

const digits = "0123456789abcdefghjkmnpqrstvwxyz" // Crockford's base 32, lower case

// Next returns an id that is greater than every id that it returned before.
func (g *RunIDs) Next() (string, error) {
	var b [8]byte
	if _, err := io.ReadFull(g.rand, b[:]); err != nil {
		return "", fmt.Errorf("reading chance for a run's id: %w", err)
	}
	chance := binary.BigEndian.Uint64(b[:])
	g.mu.Lock()
	defer g.mu.Unlock()
	ms := max(g.now().UnixMilli(), g.last) // a clock that steps back does not bring ids back
	if ms == g.last {
		g.seq++
	} else {
		g.last, g.seq = ms, uint32(chance>>32)&0x3ffff // room to count upwards
	}
	if g.seq > 0xfffff {
		g.last, g.seq = g.last+1, 0
		ms = g.last
	}
	out := make([]byte, 0, 19)
	out = appendDigits(out, uint64(ms), 10)
	out = appendDigits(out, uint64(g.seq), 4)
	return string(appendDigits(out, chance, 5)), nil
}

func appendDigits(b []byte, v uint64, n int) []byte {
	for i := n - 1; i >= 0; i-- {
		b = append(b, digits[v>>(5*i)&31])
	}
	return b
}
