package access

import (
	"net/netip"
	"sync"
	"time"
)

// throttle makes guessing slow: after a few failures each further try must wait, longer each time. It counts by
// account and address, and by address alone, so that neither many passwords for one account nor one password for many
// accounts is quick. It never counts by account alone: a stranger could then lock somebody out.
type throttle struct {
	mu      sync.Mutex
	entries map[throttleKey]*tries
}

type throttleKey struct{ account, address string }

type tries struct {
	n    int // failures, and tries under way, which are failures until they prove otherwise
	last time.Time
}

const (
	maxThrottled = 10_000
	forgetAfter  = time.Hour

	freeByPair    = 5
	longestByPair = 5 * time.Minute
	freeByAddress = 30
	longestByAddr = 10 * time.Second
)

func newThrottle() *throttle { return &throttle{entries: map[throttleKey]*tries{}} }

// take asks for one try. wait is how long to wait first; 0 grants it, and the try counts as failed until succeeded
// is called.
func (t *throttle) take(account, address string, now time.Time) (wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()

	pair, alone := throttleKey{account, address}, throttleKey{"", address}
	wait = max(t.wait(pair, freeByPair, longestByPair, now), t.wait(alone, freeByAddress, longestByAddr, now))
	if wait > 0 {
		return wait
	}
	for _, key := range []throttleKey{pair, alone} {
		t.makeRoom(key, now)
		if t.entries[key] == nil {
			t.entries[key] = &tries{}
		}
		t.entries[key].n++
		t.entries[key].last = now
	}
	return 0
}

// succeeded forgets the failures of account at address, and the try that was granted for the address. The address
// keeps its other failures: whoever owns one account must not clear the way to the others.
func (t *throttle) succeeded(account, address string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.entries, throttleKey{account, address})
	t.giveBack(throttleKey{"", address})
}

// undecided takes back a try that was granted and then not made.
func (t *throttle) undecided(account, address string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.giveBack(throttleKey{account, address})
	t.giveBack(throttleKey{"", address})
}

func (t *throttle) giveBack(key throttleKey) {
	if e := t.entries[key]; e != nil {
		if e.n--; e.n <= 0 {
			delete(t.entries, key)
		}
	}
}

func (t *throttle) wait(key throttleKey, free int, longest time.Duration, now time.Time) time.Duration {
	e := t.entries[key]
	if e == nil || e.n < free || now.Sub(e.last) > forgetAfter {
		return 0
	}
	delay := longest
	if doublings := e.n - free; doublings < 20 {
		delay = min(longest, time.Second<<doublings)
	}
	since := now.Sub(e.last)
	if since < 0 { // the clock was set back: wait no longer than the delay itself
		since = 0
		e.last = now
	}
	return max(0, delay-since)
}

// makeRoom keeps the map bounded: it forgets what is old, else the oldest. The scan is rare (the map is full) and
// short beside the hash that follows it.
func (t *throttle) makeRoom(key throttleKey, now time.Time) {
	if e := t.entries[key]; e != nil {
		if now.Sub(e.last) > forgetAfter {
			delete(t.entries, key)
		}
		return
	}
	if len(t.entries) < maxThrottled {
		return
	}
	var oldest throttleKey
	var at time.Time
	for k, e := range t.entries {
		if now.Sub(e.last) > forgetAfter {
			delete(t.entries, k)
		} else if at.IsZero() || e.last.Before(at) {
			oldest, at = k, e.last
		}
	}
	if len(t.entries) >= maxThrottled {
		delete(t.entries, oldest)
	}
}

// source reduces a remote address to what a throttle counts by: the host, and of IPv6 the /64, because whoever has
// one address there has them all.
func source(remote string) string {
	host := remote
	addr, err := netip.ParseAddr(remote)
	if err != nil {
		ap, err := netip.ParseAddrPort(remote)
		if err != nil {
			return host
		}
		addr = ap.Addr()
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.String()
		}
	}
	return addr.String()
}
