package executor

import (
	"os"
	"testing"
)

func TestOwnStat(t *testing.T) {
	t.Parallel()
	s, ok := readStat(os.Getpid())
	if !ok || s.parent != os.Getppid() || s.ticks == 0 {
		t.Errorf("got %+v, %v", s, ok)
	}
	if s, ok := parseStat([]byte("7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 99 20")); !ok || s != (stat{'S', 1, 2, 3, 99}) {
		t.Errorf("a name with brackets: got %+v, %v", s, ok)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 99 20"))
	f.Add([]byte(")"))
	f.Fuzz(func(_ *testing.T, b []byte) { parseStat(b) })
}
