package access_test

import (
	"context"
	"crypto/rand"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

func TestPasswords(t *testing.T) {
	t.Parallel()
	h := access.NewHasher(rand.Reader, 2)
	hash, err := h.Hash(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	if want := "$argon2id$v=19$m=19456,t=2,p=1$"; !strings.HasPrefix(hash, want) {
		t.Errorf("got %q, want it to begin with %q", hash, want)
	}
	again, err := h.Hash(t.Context(), password)
	if err != nil || again == hash {
		t.Errorf("the same password hashes to the same text: %v", err)
	}
	for name, test := range map[string]struct {
		hash, password string
		want           bool
	}{
		"right":          {hash, password, true},
		"wrong":          {hash, password + " ", false},
		"empty password": {hash, "", false},
		"too long":       {hash, strings.Repeat("x", 1<<20), false},
		"empty hash":     {"", "", false},
		"empty hash 2":   {"", password, false},
		"plain text":     {password, password, false},
		"too dear":       {strings.Replace(hash, "m=19456", "m=4194304", 1), password, false},
		"too slow":       {strings.Replace(hash, "t=2", "t=4000000", 1), password, false},
		"no threads":     {strings.Replace(hash, "p=1", "p=0", 1), password, false},
		"no key":         {hash[:strings.LastIndex(hash, "$")+1], password, false},
	} {
		got, err := h.Verify(t.Context(), test.hash, test.password)
		if err != nil || got != test.want {
			t.Errorf("%s: got %v (%v), want %v", name, got, err, test.want)
		}
	}
	for _, bad := range []string{"", strings.Repeat("x", 1025)} {
		_, err := h.Hash(t.Context(), bad)
		wantKind(t, err, fault.Invalid)
	}
}

func TestHashingIsBounded(t *testing.T) {
	t.Parallel()
	h := access.NewHasher(rand.Reader, 1)
	var wg sync.WaitGroup
	busy := make(chan error, 200)
	for range 200 {
		wg.Go(func() {
			if _, err := h.Verify(t.Context(), "", "guess"); err != nil {
				busy <- err
			}
		})
	}
	wg.Wait()
	close(busy)
	n := 0
	for err := range busy {
		wantKind(t, err, fault.Busy)
		n++
	}
	if n == 0 {
		t.Error("200 logins at once were all queued, want most refused as busy")
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 { // a slot that is free may win over a context that has ended, but not always
		if _, err := h.Verify(ctx, "", "guess"); errors.Is(err, context.Canceled) {
			return
		}
	}
	t.Error("who has gone is still served, 100 times of 100")
}

// TestNoEnumeration compares the time that a login takes for a name that exists with one that does not: the
// fastest of interleaved logins, because what else the machine does can only slow them.
func TestNoEnumeration(t *testing.T) {
	t.Parallel()
	g, dir, c := town(t)
	u := dir.users["ann"]
	u.Name, u.Disabled = "dan", true
	dir.setUser(u)

	best := map[string]time.Duration{}
	texts := map[string]bool{}
	alike := func() bool {
		for _, name := range []string{"nobody", "dan"} {
			if math.Abs(math.Log2(float64(best[name])/float64(best["ann"]))) > 1 {
				return false
			}
		}
		return len(best) > 0
	}
	for round := 0; round < 5 || round < 100 && !alike(); round++ { // a busy machine needs more rounds; a login without a hash is never alike
		c.pass(2 * time.Hour) // past every delay
		for _, name := range []string{"ann", "nobody", "dan"} {
			r := request(t, "192.0.2.9:1")
			began := time.Now()
			_, err := g.Login(r, name, "wrong")
			if took := time.Since(began); best[name] == 0 || took < best[name] {
				best[name] = took
			}
			wantKind(t, err, fault.Unauthenticated)
			texts[err.Error()] = true
		}
	}
	if len(texts) != 1 {
		t.Errorf("the answers differ: %v", texts)
	}
	if !alike() {
		t.Errorf("the fastest logins took %v: the names can be told apart", best)
	}
	if _, err := g.Login(request(t, "192.0.2.9:1"), "dan", password); err == nil {
		t.Error("a disabled user logged in")
	}
}

func TestGuessingIsSlow(t *testing.T) {
	t.Parallel()
	g, _, c := town(t)
	var wait access.Wait
	for i := 0; ; i++ {
		_, err := g.Login(request(t, "192.0.2.1:1"), "ann", "guess")
		if errors.As(err, &wait) {
			wantKind(t, err, fault.Busy)
			break
		}
		wantKind(t, err, fault.Unauthenticated)
		if i > 10 {
			t.Fatal("ten guesses were not slowed")
		}
	}
	_, err := g.Login(request(t, "192.0.2.1:1"), "ann", password)
	wantKind(t, err, fault.Busy)
	if _, err := g.Login(request(t, "198.51.100.1:1"), "ann", password); err != nil {
		t.Errorf("a stranger's guesses lock ann out elsewhere: %v", err)
	}
	c.pass(time.Duration(wait))
	if _, err := g.Login(request(t, "192.0.2.1:1"), "ann", password); err != nil {
		t.Errorf("after the wait that was told: %v", err)
	}
}
