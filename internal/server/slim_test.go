package server

import "testing"

// Garbage is collected sooner only where many links have little to do, and as usual at once when much is done.
func TestCollecting(t *testing.T) {
	t.Parallel()
	const mb = 1 << 20
	for name, test := range map[string]struct {
		links int
		bytes []uint64 // allocated between two looks, in MB; the last goes on
		want  int
	}{
		"many links, little done": {1000, []uint64{3}, quietGC},
		"many beats at once":      {1000, []uint64{0, 0, 0, 15, 15, 0}, quietGC},
		"few links":               {10, []uint64{0}, busyGC},
		"much done":               {1000, []uint64{100}, busyGC},
		"some done":               {1000, []uint64{10}, busyGC},
	} {
		var c collecting
		total, got := uint64(500*mb), 0 // what the start took
		for i := range 3*slimWindow + 1 {
			total += test.bytes[min(i%slimWindow, len(test.bytes)-1)] * mb
			got = c.want(total, test.links)
		}
		if got != test.want {
			t.Errorf("%s: %d per cent, want %d", name, got, test.want)
		}
		if got = c.want(total+100*mb, test.links); got != busyGC {
			t.Errorf("%s, then much at once: %d per cent, want %d", name, got, busyGC)
		}
	}
}
