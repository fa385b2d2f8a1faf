//go:build linux

package fault_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
)

// crossing stands between agents and a server: on the addresses that the server advertises it takes connections, and hands
// them on to where the server listens. What goes to a callback port is cut where chance says.
type crossing struct {
	t      testing.TB
	chance func(n int) int
	cuts   atomic.Int64
}

// stand opens one number on the advertised address.
func (x *crossing) stand(port int, cut bool) {
	x.t.Helper()
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.2:%d", port))
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(func() { l.Close() })
	go func() { // it ends with its listener, and what it hands on with the processes
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go x.pass(c, port, cut)
		}
	}()
}

// pass hands a connection on. One of four is left alone; the others end after some bytes of one direction: with a close,
// or in silence for some seconds.
func (x *crossing) pass(c net.Conn, port int, cut bool) {
	defer c.Close()
	s, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), 5*time.Second)
	if err != nil {
		return
	}
	defer s.Close()
	there, back, silent := -1, -1, false
	if cut && x.chance(4) != 0 {
		x.cuts.Add(1)
		silent = x.chance(10) == 0
		if n := x.chance(7000); x.chance(2) == 0 {
			there = n
		} else {
			back = n
		}
	}
	var both sync.WaitGroup
	copyTo := func(to, from net.Conn, limit int) {
		if limit < 0 {
			_, _ = io.Copy(to, from)
		} else {
			_, _ = io.CopyN(to, from, int64(limit))
			if silent {
				<-time.After(12 * time.Second)
			}
		}
		_, _ = to.Close(), from.Close()
	}
	both.Go(func() { copyTo(s, c, there) })
	copyTo(c, s, back)
	both.Wait()
}

// R24: connections of callbacks are cut at each step, handshake, proof, start, output and end, in either direction, with a
// close and in silence. Every job runs once, its end arrives once and is the true one, and its output is whole.
func TestCallbackCuts(t *testing.T) {
	t.Parallel()
	x := &crossing{t: t, chance: rand.IntN}
	e, _, first := newCallbackEstateAt(t, 12, 16, callbackSetting{hold: 20 * time.Millisecond, config: quick + "advertise: [127.0.0.2]\n", between: x})
	for p := range 12 {
		x.stand(first+p, true)
	}
	w := newWitness(t)
	var b strings.Builder
	b.WriteString("net: fault/cuts\njobs:\n")
	for i := range 50 {
		fmt.Fprintf(&b, "  - name: j-%d\n    env: {witness: %q, code: %q}\n    script: |\n%s", i, w.file, fmt.Sprint(i%3), `        #!/bin/sh
        echo "START $REEVE_RUN $REEVE_JOB $REEVE_ATTEMPT" >>"$witness"
        for i in 1 2 3 4 5 6 7 8 9 10; do echo "line $i of $REEVE_JOB"; sleep 0.01; done
        echo "END $REEVE_RUN $REEVE_JOB $REEVE_ATTEMPT $code" >>"$witness"
        exit $code
`)
	}
	e.apply(b.String())
	for range *rounds {
		r := e.settled(e.begin("fault/cuts", ""), 2*time.Minute)
		w.check([]api.Run{r}, false)
		for _, j := range r.Jobs {
			var want strings.Builder
			for i := range 10 {
				fmt.Fprintf(&want, "line %d of %s\n", i+1, j.Name)
			}
			if out := e.must("run", "logs", r.ID+"/"+j.Name); out != want.String() {
				t.Errorf("output of %s:\n%s", j.Name, out)
			}
		}
	}
	if x.cuts.Load() < int64(10**rounds) {
		t.Errorf("%d connections were cut in %d rounds: the callbacks were not used", x.cuts.Load(), *rounds)
	}
	within(t, 20*time.Second, func() string {
		if all := e.leases(); len(all) != 0 {
			return fmt.Sprintf("leases are left: %+v", all)
		}
		return ""
	})
}
