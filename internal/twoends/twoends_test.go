package twoends_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
	"github.com/reeve-scheduler/reeve/internal/twoends"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/probe"
)

// The rows of the tests' plan.
const secure, plain, datagram = "secure", "plain", "datagram"

// plan has a row of each kind, on numbers that were leased for the test.
func plan(t *testing.T) ports.Compiled {
	t.Helper()
	c := ports.Compiled{Plan: "test", Hash: "abc"}
	for _, row := range []struct {
		id       string
		protocol ports.Protocol
		tls      bool
	}{{secure, ports.TCP, true}, {plain, ports.TCP, false}, {datagram, ports.UDP, false}} {
		port := ports.Port(sockettest.Lease(t))
		c.Claims = append(c.Claims, ports.Claim{Service: row.id, Protocol: row.protocol, Port: port, TLS: row.tls, Binds: true, Status: ports.Works})
		c.Flows = append(c.Flows, ports.ResolvedFlow{ID: row.id + ".1/" + string(row.protocol), Service: row.id, Protocol: row.protocol, Port: port, TLS: row.tls, Status: ports.Works})
	}
	return c
}

// end is a listening end that runs.
type end struct {
	c    ports.Compiled
	code twoends.Code
	l    *twoends.Listener
}

func listen(t *testing.T, c ports.Compiled) end {
	t.Helper()
	code, err := twoends.MintCode(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sockets := socket.New(c)
	l, err := twoends.Listen(t.Context(), twoends.ListenOptions{
		Host: "far", Sockets: sockets, Rows: c.Claims, Bind: []string{"127.0.0.1"}, Code: code, Own: probe.Own{PIDs: []int{os.Getpid()}}, Rand: rand.Reader, Now: time.Now,
		Observe: func(ctx context.Context) (probe.Observation, error) { return probe.Observe(ctx, probe.Options{}) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if open := sockets.Open(); len(open) > 0 {
			t.Errorf("left open: %v", open)
		}
	})
	return end{c, code, l}
}

// dial dials rows, at the plan's numbers or elsewhere.
func (e end) dial(t *testing.T, code *twoends.Code, at string, rows ...string) []probe.Proof {
	t.Helper()
	sockets := socket.New(e.c)
	o := twoends.DialOptions{From: "near", Sockets: sockets, Code: code, Patience: 2 * time.Second, Rand: rand.Reader, Now: time.Now}
	for _, f := range e.c.Flows {
		if slices.Contains(rows, f.Service) {
			o.Paths = append(o.Paths, twoends.Path{Flow: f, To: "far", Dial: at})
		}
	}
	proofs, err := twoends.Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if open := sockets.Open(); len(open) > 0 {
		t.Errorf("left open: %v", open)
	}
	return proofs
}

func (e end) at(row string) string {
	cl, _ := e.c.Service(row)
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(int(cl.Port)))
}

func TestTwoEnds(t *testing.T) {
	t.Parallel()
	e := listen(t, plan(t))
	other, err := twoends.MintCode(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		code    *twoends.Code
		verdict probe.Verdict
		reason  probe.Reason
	}{
		{"with the code", &e.code, probe.Proven, probe.OK},
		{"without", nil, probe.Assumed, probe.OK},
		{"with another one", &other, probe.Broken, probe.ForeignListener},
	} {
		for _, p := range e.dial(t, c.code, "127.0.0.1", secure, plain, datagram) {
			if p.Verdict != c.verdict || p.Reason != c.reason {
				t.Errorf("%s, %s: %s, %s: %s; want %s, %s", c.name, p.Flow, p.Verdict, p.Reason, p.Text, c.verdict, c.reason)
			}
			if p.Flow == "" || p.From != "near" || p.To != "far" || p.PlanHash != "abc" || p.At.IsZero() {
				t.Errorf("%s: %+v is not said whole", c.name, p)
			}
		}
	}
	r, err := e.l.Report(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range r.Ends {
		proved := 0
		for _, a := range one.Arrivals {
			if a.Proved {
				proved++
			}
		}
		if proved == 0 || len(one.Arrivals) <= proved {
			t.Errorf("%s: %d of %d attempts have proved the code; want some, and not all", one.Service, proved, len(one.Arrivals))
		}
	}
}

// A box that opens TLS on the way cannot say what the two ends' session is called.
func TestIntercepted(t *testing.T) {
	t.Parallel()
	e := listen(t, plan(t))
	box := middle(t, e.at(secure))
	if got := e.dial(t, &e.code, box, secure)[0]; got.Reason != probe.TLSIntercepted || got.Verdict != probe.Broken {
		t.Errorf("through a box that opens TLS: %s, %s: %s", got.Verdict, got.Reason, got.Text)
	}
}

// middle takes TLS with a certificate of its own, and makes TLS anew to the target.
func middle(t *testing.T, target string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := identity.SelfSigned(key, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{*cert}, MinVersion: tls.VersionTLS13})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}}
				on, err := d.DialContext(context.Background(), "tcp", target)
				if err != nil {
					return
				}
				defer on.Close()
				go func() { _, _ = io.Copy(on, c) }()
				_, _ = io.Copy(c, on)
			}()
		}
	}()
	return l.Addr().String()
}

// Who does not know the code learns nothing but that a probe is there, and gets no more than they sent.
func TestStrangers(t *testing.T) {
	t.Parallel()
	e := listen(t, plan(t))
	nonce := strings.Repeat("A", 22)
	for name, says := range map[string]string{
		"nothing":        "",
		"noise":          strings.Repeat("\x00\xff", 4000) + "\n",
		"another":        "GET / HTTP/1.1\r\n\r\n",
		"half a hello":   "reeve-probe 1 plain.1/tcp\n",
		"a long name":    "reeve-probe 1 " + strings.Repeat("x", 400) + " " + nonce + " -\n",
		"a long line":    "reeve-probe 1 " + strings.Repeat("x", 1<<20),
		"no proof":       "reeve-probe 1 plain.1/tcp " + nonce + " -\nAAAA report\n",
		"an empty proof": "reeve-probe 1 plain.1/tcp " + nonce + " -\n report\n",
		"its own answer": "reeve-probe 1 plain.1/tcp " + nonce + " -\n- report\n",
	} {
		c, err := net.Dial("tcp", e.at(plain))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, says)
		if t, ok := c.(*net.TCPConn); ok {
			_ = t.CloseWrite()
		}
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		heard, _ := io.ReadAll(c)
		_ = c.Close()
		if len(heard) > len(says)+200 || strings.Contains(string(heard), "pid") || strings.Contains(string(heard), "arrivals") {
			t.Errorf("%s: heard %d bytes: %.300q", name, len(heard), heard)
		}
	}
	u, err := net.Dial("udp", e.at(datagram))
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	for n := range 600 {
		text := "reeve-probe 1 datagram.1/udp " + nonce + " - "
		question := []byte(text + strings.Repeat("x", n))[:min(n+1, len(text)+n)]
		if _, err := u.Write(question); err != nil {
			t.Fatal(err)
		}
		_ = u.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
		b := make([]byte, 4096)
		if got, _ := u.Read(b); got > len(question) {
			t.Fatalf("a question of %d bytes got an answer of %d", len(question), got)
		}
	}
	if got := e.dial(t, &e.code, "127.0.0.1", plain, datagram); !got[0].Good() || !got[1].Good() {
		t.Errorf("after strangers: %s and %s", got[0].Text, got[1].Text)
	}
}

// A listener that repeats what the dialler says is not taken for the one that is meant, nor one that plays an answer again.
func TestReplay(t *testing.T) {
	t.Parallel()
	e := listen(t, plan(t))
	c, err := net.Dial("tcp", e.at(plain))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "reeve-probe 1 plain.1/tcp %s -\n", strings.Repeat("A", 22))
	old, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	for name, reply := range map[string]func(string) string{
		"echo":  func(line string) string { return line },
		"again": func(string) string { return old },
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				line, _ := bufio.NewReader(c).ReadString('\n')
				_, _ = io.WriteString(c, reply(line))
				_ = c.Close()
			}
		}()
		if got := e.dial(t, &e.code, l.Addr().String(), plain)[0]; got.Reason != probe.ForeignListener {
			t.Errorf("%s: %s, %s: %s", name, got.Verdict, got.Reason, got.Text)
		}
		_ = l.Close()
	}
}

// A port that somebody has is no error: who has it is said over the path that is open.
func TestTaken(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("seeing who has a port is only built for Linux")
	}
	c := plan(t)
	cl, _ := c.Service(plain)
	taken, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(cl.Port))))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	e := listen(t, c)
	got := e.dial(t, &e.code, "127.0.0.1", secure, plain)
	// The listener's own process has it, as far as the report can tell: the test is in it.
	if d := got[1].Evidence.Destination; got[1].Good() && d == nil || d == nil || d.Listener != probe.Listening || d.Owner == nil {
		t.Errorf("%s: %s, %s: %s; want who has it", got[1].Flow, got[1].Verdict, got[1].Reason, got[1].Text)
	}
}

func TestCode(t *testing.T) {
	t.Parallel()
	c, err := twoends.MintCode(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := twoends.ParseCode(" " + c.Text() + "\n"); err != nil || back != c {
		t.Errorf("%v, %v", back, err)
	}
	for _, bad := range []string{"", "reeve-probe1.", c.Text() + "A", strings.TrimPrefix(c.Text(), "reeve-"), c.Text()[:20] + "\n" + c.Text()[20:], "reeve-probe1." + strings.Repeat("=", 22)} {
		if _, err := twoends.ParseCode(bad); err == nil {
			t.Errorf("%q is taken for a code", bad)
		}
	}
}

// What the listening end saw counts only for a dial that was made while it listened, and only for its own host.
func TestMerge(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	near := netip.MustParseAddrPort("10.2.0.1:40000")
	silent := func(to string, at time.Time) probe.Proof {
		v := probe.SourceView{System: "linux", Protocol: ports.TCP, Outcome: probe.Silence, Local: near, Remote: netip.MustParseAddrPort("10.1.0.1:17971"), Egress: probe.EgressLeft, Took: time.Second}
		return probe.Classify(probe.Subject{Flow: "a.b.1/tcp", To: to, At: at}, v, nil)
	}
	report := func(host string, arrivals ...twoends.Arrival) twoends.Report {
		v := probe.DestinationView{Listener: probe.Listening, Ours: true}
		return twoends.Report{Host: host, From: from, Until: from.Add(time.Minute), Ends: []twoends.End{{Service: "a.b", Protocol: ports.TCP, Port: 17971, Open: true, View: v, Arrivals: arrivals}}}
	}
	during := from.Add(30 * time.Second)
	seen := twoends.Arrival{From: near, Wire: true}
	others := twoends.Arrival{From: netip.MustParseAddrPort("10.9.0.1:40000"), Wire: true}
	for _, c := range []struct {
		name    string
		proofs  []probe.Proof
		reports []twoends.Report
		basis   probe.Basis
		arrived probe.Sight
		bad     bool
	}{
		{"nothing came", []probe.Proof{silent("hq", during)}, []twoends.Report{report("hq")}, probe.BothEnds, probe.SawNothing, false},
		{"it came", []probe.Proof{silent("hq", during)}, []twoends.Report{report("hq", others, seen)}, probe.BothEnds, probe.Saw, false},
		{"somebody came, who may be this host behind NAT", []probe.Proof{silent("hq", during)}, []twoends.Report{report("hq", others)}, probe.BothEnds, probe.NotWatched, false},
		{"more came than is kept", []probe.Proof{silent("hq", during)}, []twoends.Report{forgetful(report("hq"))}, probe.BothEnds, probe.NotWatched, false},
		{"the one host under another name", []probe.Proof{silent("10.1.0.1", during)}, []twoends.Report{report("hq")}, probe.BothEnds, probe.SawNothing, false},
		{"another host's report", []probe.Proof{silent("hq", during), silent("north", during)}, []twoends.Report{report("south")}, probe.OneEnd, "", false},
		{"before it listened", []probe.Proof{silent("hq", from.Add(-time.Second))}, []twoends.Report{report("hq")}, "", "", true},
		{"after it listened", []probe.Proof{silent("hq", from.Add(time.Hour))}, []twoends.Report{report("hq")}, "", "", true},
	} {
		got, err := twoends.Merge(c.proofs, c.reports)
		if (err != nil) != c.bad {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if c.bad {
			continue
		}
		d := got[0].Evidence.Destination
		if got[0].Basis != c.basis || d == nil != (c.arrived == "") || d != nil && d.Arrived != c.arrived {
			t.Errorf("%s: %s, %+v; want %s, %s", c.name, got[0].Basis, d, c.basis, c.arrived)
		}
	}
}

func forgetful(r twoends.Report) twoends.Report {
	r.Ends[0].Forgotten = 1
	return r
}

// Files of a person are read with care.
func TestRead(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "{", "[]", `{"hosts": 1}`, `{"ends": [{"port": 70000}]}`, "null and more"} {
		if _, err := twoends.ReadReport(strings.NewReader(text)); err == nil {
			t.Errorf("%q is read as a report", text)
		}
	}
	if _, err := twoends.ReadProofs(strings.NewReader(`{"host": "hq"}`)); err == nil {
		t.Error("a report is read as proofs")
	}
}
