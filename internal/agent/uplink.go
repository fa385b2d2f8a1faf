package agent

import (
	"net/http"
	"sync"
)

// way is how a server is reached over one link. Files and output have streams of their own, so that calls never wait
// for them.
type way struct {
	calls *http.Client
	bulk  *http.Client
}

// uplink says over which link a server is reached now. Loops that send ask it, and wait on Changed while there
// is none: nothing is lost meanwhile, because everything that is to be sent stays where it came from.
type uplink struct {
	mu      sync.Mutex
	way     *way // nil: no link is up
	changed chan struct{}
}

func newUplink() *uplink { return &uplink{changed: make(chan struct{})} }

// set makes w the way to the server. It returns a function that takes it away again, unless another has become the
// way meanwhile.
func (u *uplink) set(w *way) (unset func()) {
	u.put(w)
	return func() {
		u.mu.Lock()
		mine := u.way == w
		u.mu.Unlock()
		if mine {
			u.put(nil)
		}
	}
}

func (u *uplink) put(w *way) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.way = w
	close(u.changed)
	u.changed = make(chan struct{})
}

// now returns the way to a server, nil if no link is up, and a channel that is closed when that changes.
func (u *uplink) now() (*way, <-chan struct{}) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.way, u.changed
}
