//go:build linux

package fault_test

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
)

func pemRequest(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

// strangers attack a port until stop is closed: rubbish, silence, headers that never end, requests that are too large.
func (e *estate) strangers(n int, stop <-chan struct{}) *sync.WaitGroup {
	e.t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", e.port)
	secure := func(conn net.Conn) net.Conn {
		return tls.Client(conn, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}})
	}
	acts := []func(net.Conn, *rand.Rand){
		func(c net.Conn, r *rand.Rand) { // rubbish
			b := make([]byte, 1+r.IntN(4096))
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			_, _ = c.Write(b)
			_, _ = io.Copy(io.Discard, c)
		},
		func(c net.Conn, _ *rand.Rand) { // a TLS record that never comes
			_, _ = c.Write([]byte{22, 3, 1, 0xff, 0xff, 1})
			_, _ = io.Copy(io.Discard, c)
		},
		func(c net.Conn, _ *rand.Rand) { // nothing at all
			_, _ = io.Copy(io.Discard, c)
		},
		func(c net.Conn, _ *rand.Rand) { // a header, a byte at a time
			s := secure(c)
			for _, b := range []byte("GET /api/v1/runs HTTP/1.1\r\nHost: x\r\nX-Slow: " + string(bytes.Repeat([]byte("a"), 1000))) {
				if _, err := s.Write([]byte{b}); err != nil {
					return
				}
				select {
				case <-stop:
					return
				case <-time.After(200 * time.Millisecond):
				}
			}
		},
		func(c net.Conn, _ *rand.Rand) { // a header without end
			s := secure(c)
			_, _ = s.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\nX-Large: "))
			for range 64 {
				if _, err := s.Write(bytes.Repeat([]byte("a"), 1<<20)); err != nil {
					return
				}
			}
		},
		func(c net.Conn, _ *rand.Rand) { // a body without end, on a door that needs no login
			s := secure(c)
			_, _ = s.Write([]byte("POST /api/v1/join HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n{\"token_id\":\""))
			for range 64 {
				if _, err := s.Write(bytes.Repeat([]byte("a"), 1<<20)); err != nil {
					return
				}
			}
		},
	}
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			random := rand.New(rand.NewPCG(18, uint64(i)))
			for k := i; ; k++ {
				select {
				case <-stop:
					return
				default:
				}
				conn, err := net.DialTimeout("tcp", address, 5*time.Second)
				if err != nil {
					continue
				}
				over := make(chan struct{})
				go func() {
					select {
					case <-stop:
					case <-over:
					}
					_ = conn.Close()
				}()
				acts[k%len(acts)](conn, random)
				close(over)
			}
		})
	}
	return &all
}

// S18, R14: what strangers send before they have proved who they are costs little: the agent's link stays up, jobs
// run, people are answered, and the server's memory stays small.
func TestStrangersDisturbNobody(t *testing.T) {
	t.Parallel()
	e := newEstate(t, quick)
	e.agent("north", 50)
	w := newWitness(t)
	e.apply(churnNet(w, "fault/churn", 5))
	before, err := e.api.Node(t.Context(), "north")
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	attack := e.strangers(200, stop)
	defer attack.Wait()
	var once sync.Once
	end := func() { once.Do(func() { close(stop) }) }
	defer end()

	deadline := time.Now().Add(time.Duration(4+*rounds) * time.Second) // longer than a link lives without a heartbeat
	worst := time.Duration(0)
	for i := 0; time.Now().Before(deadline); i++ {
		begun := time.Now()
		id := e.begin("fault/churn", fmt.Sprint("churn-", i))
		r := e.settled(id, 30*time.Second)
		worst = max(worst, time.Since(begun))
		w.check([]api.Run{r}, false)
		n, err := e.api.Node(t.Context(), "north")
		if err != nil {
			t.Fatal(err)
		}
		if !n.Linked || !n.LinkedAt.Equal(*before.LinkedAt) {
			t.Fatalf("the agent's link did not live through this: linked %v since %v, before since %v\n%s", n.Linked, n.LinkedAt, before.LinkedAt, e.logs())
		}
	}
	end()
	attack.Wait()
	if limit := 10 * time.Second; worst > limit {
		t.Errorf("a run of ten short jobs took %s during the attack, want at most %s", worst, limit)
	}
	if kib := highWater(t, e.server.cmd.Process.Pid); kib > 256<<10 {
		t.Errorf("the server took %d KiB of memory", kib)
	}
}
