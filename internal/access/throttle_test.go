package access

import (
	"fmt"
	"testing"
	"time"
)

func TestThrottleBoundsGuesses(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		account func(i int) string
		address func(i int) string
		every   time.Duration
		most    int
	}{
		"one account, as fast as can be": {func(int) string { return "ann" }, func(int) string { return "a" }, 0, 5},
		"one account, 100 a second":      {func(int) string { return "ann" }, func(int) string { return "a" }, 10 * time.Millisecond, 20},
		"many accounts, as fast as can":  {func(i int) string { return fmt.Sprint(i) }, func(int) string { return "a" }, 0, 30},
		"many accounts, 100 a second":    {func(i int) string { return fmt.Sprint(i) }, func(int) string { return "a" }, 10 * time.Millisecond, 140},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			th, granted := newThrottle(), 0
			for i := range 100_000 {
				if th.take(test.account(i), test.address(i), now.Add(time.Duration(i)*test.every)) == 0 {
					granted++
				}
			}
			if granted == 0 || granted > test.most {
				t.Errorf("%d of 100000 guesses reached the hash, want 1 to %d", granted, test.most)
			}
		})
	}
}

func TestThrottleForgives(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	th := newThrottle()
	for i := range 1000 { // a person who knows the password is never slowed
		if wait := th.take("ann", "a", now); wait != 0 {
			t.Fatalf("login %d must wait %v", i, wait)
		}
		th.succeeded("ann", "a")
	}
	for th.take("ann", "a", now) == 0 {
	}
	if wait := th.take("ann", "b", now); wait != 0 {
		t.Errorf("failures at one address delay another by %v", wait)
	}
	if wait := th.take("bob", "a", now); wait != 0 {
		t.Errorf("failures of one account delay another at the same address by %v", wait)
	}
	if wait := th.take("ann", "a", now.Add(-24*time.Hour)); wait > longestByPair {
		t.Errorf("a clock that was set back makes the wait %v, want at most %v", wait, longestByPair)
	}
	if wait := th.take("ann", "a", now.Add(2*forgetAfter)); wait != 0 {
		t.Errorf("after %v the wait is %v, want 0", 2*forgetAfter, wait)
	}
}

func TestThrottleIsBounded(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	th := newThrottle()
	for i := range 3 * maxThrottled / 2 {
		th.take("ann", fmt.Sprint(i), now.Add(time.Duration(i)))
	}
	if len(th.entries) > maxThrottled {
		t.Errorf("%d entries, want at most %d", len(th.entries), maxThrottled)
	}
}

func TestSource(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{
		"192.0.2.1:80":              "192.0.2.1",
		"[::ffff:192.0.2.1]:80":     "192.0.2.1",
		"[2001:db8::1]:80":          "2001:db8::/64",
		"[2001:db8::ffff:2%eth0]:1": "2001:db8::/64",
		"@":                         "@",
		"":                          "",
	} {
		if got := source(remote); got != want {
			t.Errorf("source(%q) = %q, want %q", remote, got, want)
		}
	}
}
