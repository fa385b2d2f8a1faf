package agent

import (
	"net/http"
	"slices"
	"sync"

	"github.com/reeve-scheduler/reeve/internal/link"
)

// way is how a server is reached over one link. Files and output have streams of their own, so that calls never wait
// for them.
type way struct {
	calls *http.Client
	bulk  *http.Client
	link  *link.Link
}

// uplink says over which link a server is reached now. Loops that send ask it, and wait on Changed while there
// is none: nothing is lost meanwhile, because everything that is to be sent stays where it came from.
type uplink struct {
	mu      sync.Mutex
	ways    []*way // one for each link that is up, the newest last
	changed chan struct{}
}

func newUplink() *uplink { return &uplink{changed: make(chan struct{})} }

// set makes w the way to the server. It returns a function that takes it away again: then the newest of the others is.
func (u *uplink) set(w *way) (unset func()) {
	u.change(func() { u.ways = append(u.ways, w) })
	return func() {
		u.change(func() { u.ways = slices.DeleteFunc(u.ways, func(other *way) bool { return other == w }) })
	}
}

// change tells those who wait only where another way has become the newest.
func (u *uplink) change(how func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	before := u.newest()
	how()
	if u.newest() == before {
		return
	}
	close(u.changed)
	u.changed = make(chan struct{})
}

func (u *uplink) newest() *way {
	if len(u.ways) == 0 {
		return nil
	}
	return u.ways[len(u.ways)-1]
}

// now returns the way to a server, nil if no link is up, and a channel that is closed when that changes.
func (u *uplink) now() (*way, <-chan struct{}) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.newest(), u.changed
}
