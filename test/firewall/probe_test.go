//go:build linux

package firewall_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/ports/builtin"
	"github.com/reeve-scheduler/reeve/ports/probe"
)

// probeRows are a row of each kind: with TLS, plain, and for datagrams.
const probeRows = `services:
  - {id: secure, function: Test, name: secure, port: 17971, protocol: [tcp], tls: true, flows: [{from: agent, to: server, purpose: test}]}
  - {id: plain, function: Test, name: plain, port: 17972, protocol: [tcp], flows: [{from: agent, to: server, purpose: test}]}
  - {id: datagram, function: Test, name: datagram, port: 17973, protocol: [udp], flows: [{from: agent, to: server, purpose: test}]}
`

const nobody = 65534

// proving is a laboratory with two hosts on which nothing runs but probes: one that dials, as a user without rights, and
// one that listens.
type proving struct {
	*laboratory
	near, far *host
	took      time.Duration // by the last command
	dir       string        // which everybody may read: the program, the plan
}

func newProving(t testing.TB) *proving {
	t.Helper()
	return newProvingIn(t, topology{plan: builtin.Default, inventory: twoZones, extends: probeRows})
}

func newProvingIn(t testing.TB, tp topology) *proving {
	t.Helper()
	l := build(t, tp)
	p := &proving{laboratory: l, near: l.hosts["north"], far: l.hosts["hq"]}
	var err error
	if p.dir, err = os.MkdirTemp("", "reeve-probe-"); err != nil { //nolint:usetesting // t.TempDir lies below a folder that only root may enter
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(p.dir) })
	program, err := os.ReadFile(reeve)
	if err := errors.Join(err, os.Chmod(p.dir, 0o755), os.WriteFile(filepath.Join(p.dir, "reeve"), program, 0o755)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(l.plan)
	if err := errors.Join(err, os.WriteFile(p.plan(), text, 0o644)); err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(strings.Replace(string(text), "tls: true, ", "", 1), "port: 17972, protocol: [tcp],", "port: 17972, protocol: [tcp], tls: true,", 1)
	if err := os.WriteFile(p.swapped(), []byte(other), 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *proving) plan() string { return filepath.Join(p.dir, "plan.yaml") }

// swapped is the plan in which the row with TLS has none, and the plain one has.
func (p *proving) swapped() string { return filepath.Join(p.dir, "swapped.yaml") }

// listening is the listening end while it runs.
type listening struct {
	p    *proving
	cmd  *exec.Cmd
	out  bytes.Buffer
	errs string
	code string
}

// listen starts the listening end on the host that listens.
func (p *proving) listen(args ...string) *listening {
	p.t.Helper()
	return p.listenAs(0, args...)
}

func (p *proving) listenAs(user uint32, args ...string) *listening {
	p.t.Helper()
	s := &listening{p: p, errs: filepath.Join(p.home, "listen-errors")}
	f, err := os.Create(s.errs)
	if err != nil {
		p.t.Fatal(err)
	}
	defer f.Close()
	s.cmd = exec.CommandContext(p.t.Context(), filepath.Join(p.dir, "reeve"), append([]string{"ports", "probe", "listen", "-o", "json", "--for", "2m"}, args...)...)
	s.cmd.Dir = p.dir
	s.cmd.Env = []string{"PATH=" + searched}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
	s.cmd.Stdout, s.cmd.Stderr = &s.out, f
	if err := p.far.start(s.cmd); err != nil {
		p.t.Fatal(err)
	}
	within(p.t, 20*time.Second, func() string {
		text, _ := os.ReadFile(s.errs)
		_, code, ok := strings.Cut(string(text), "--code ")
		if s.code = strings.TrimSpace(code); !ok || !strings.HasSuffix(string(text), "\n") {
			return "the listening end has printed no code: " + string(text)
		}
		return ""
	})
	return s
}

// report ends the listening end, and returns the file with what it saw.
func (s *listening) report() string {
	s.p.t.Helper()
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	if err := s.cmd.Wait(); err != nil {
		s.p.t.Fatalf("the listening end: %v\n%s", err, tail(s.errs))
	}
	file := filepath.Join(s.p.dir, "saw.json")
	if err := os.WriteFile(file, s.out.Bytes(), 0o644); err != nil {
		s.p.t.Fatal(err)
	}
	return file
}

// dial dials from the other host, as nobody, and returns the proofs and the file with them.
func (p *proving) dial(args ...string) ([]probe.Proof, string) {
	p.t.Helper()
	return p.proofs(p.near, append([]string{"ports", "probe", "dial", "-o", "json", "--plan", p.plan()}, args...)...)
}

// proofs runs a command that prints proofs, as nobody.
func (p *proving) proofs(h *host, args ...string) ([]probe.Proof, string) {
	p.t.Helper()
	return p.begin(h, args...)()
}

// begin starts it; what it returns waits for its end, and compares its exit code with the proofs.
func (p *proving) begin(h *host, args ...string) func() ([]probe.Proof, string) {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), filepath.Join(p.dir, "reeve"), args...)
	cmd.Dir = p.dir
	cmd.Env = []string{"PATH=" + searched}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	begun := time.Now()
	if err := h.start(cmd); err != nil {
		p.t.Fatal(err)
	}
	return func() ([]probe.Proof, string) {
		p.t.Helper()
		err := cmd.Wait()
		p.took = time.Since(begun)
		var exit *exec.ExitError
		var all []probe.Proof
		if bad := json.Unmarshal(out.Bytes(), &all); bad != nil || len(all) == 0 || err != nil && !errors.As(err, &exit) {
			p.t.Fatalf("reeve %s: %v, %v\n%s%s", strings.Join(args, " "), err, bad, out.String(), errs.String())
		}
		if got, want := cmd.ProcessState.ExitCode(), exitCode(all); got != want {
			p.t.Errorf("reeve %s: exit code %d, want %d for %+v", strings.Join(args, " "), got, want, all)
		}
		file := filepath.Join(p.dir, "dialled.json")
		if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
			p.t.Fatal(err)
		}
		return all, file
	}
}

// exitCode is what a program goes by.
func exitCode(all []probe.Proof) int {
	code := 0
	for _, one := range all {
		switch {
		case one.Verdict == probe.Unproven && code == 0:
			code = 6
		case !one.Good() && one.Verdict != probe.Unproven:
			code = 1
		}
	}
	return code
}

// truth is one way in which a path can be, and what is to be said of it.
type truth struct {
	name    string
	row     string // secure, if empty
	near    string // a rule for what leaves the dialling host
	router  string // a rule for what the router passes on
	far     string // a rule for what enters the listening host
	set     func(*proving) (undo func())
	address string // that is dialled; empty: the listening host's
	end     string // "probe" listens, if empty; "look": whatever set has made, or nothing
	plan    string // of the listening end, where it has another

	reason probe.Reason
	both   probe.Verdict // with the views of both ends
	// blind says that the listening end has no rights: it sees neither the wire nor who others are.
	blind bool
	// open says that both ends together cannot tell it from the other possible reasons.
	open bool
}

// prove asks of one path from one end, from both over the path itself, and from both afterwards.
func (p *proving) prove(tr truth) {
	t := p.t
	t.Helper()
	if tr.row == "" {
		tr.row = "secure"
	}
	for _, at := range []struct {
		place *place
		hook  string
		rule  string
	}{{p.near.place, "output", tr.near}, {p.router, "forward", tr.router}, {p.far.place, "input", tr.far}} {
		if at.rule == "" {
			continue
		}
		at.place.nft(fmt.Sprintf("table inet block {\nchain %[1]s {\ntype filter hook %[1]s priority filter - 10; policy accept;\n%[2]s\n}\n}\n", at.hook, at.rule))
		defer at.place.nft("delete table inet block\n")
	}
	if tr.set != nil {
		if undo := tr.set(p); undo != nil {
			defer undo()
		}
	}
	address := tr.address
	if address == "" {
		address = p.far.address.String()
	}
	cl, _ := p.site.Compiled.Service(tr.row)
	flow := tr.row + ".1/" + string(cl.Protocol)
	plan := p.plan()
	if tr.plan != "" {
		plan = tr.plan
	}
	args := []string{"--plan", plan, "--flow", flow}
	if tr.end == "look" {
		args = append(args, "--look")
	}
	user := uint32(0)
	if tr.blind {
		user = nobody
	}
	s := p.listenAs(user, args...)
	got, dialled := p.dial(address, "--flow", flow, "--code", s.code)
	if got[0].Evidence.Source.Outcome == probe.Connected { // else it is the same without the code
		text, err := os.ReadFile(dialled)
		if err != nil {
			t.Fatal(err)
		}
		got, _ = p.dial(address, "--flow", flow)
		if err := os.WriteFile(dialled, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// A cause is known within five seconds, and what a loaded machine adds.
	if limit := 9 * time.Second; p.took > limit {
		t.Errorf("%s: it took %s to know the cause", tr.name, p.took)
	}
	t.Logf("%s: known after %s", tr.name, p.took.Round(10*time.Millisecond))
	p.want(tr, got[0], false)
	merged, _ := p.proofs(p.near, "ports", "probe", "merge", "-o", "json", dialled, s.report())
	p.want(tr, merged[0], true)
}

// want compares a proof with the truth. From one end it may say that it does not know, if the truth is among what it
// names; a green verdict of one end has its assumption beside it.
func (p *proving) want(tr truth, got probe.Proof, both bool) {
	t := p.t
	t.Helper()
	text := fmt.Sprintf("%s, both ends %t: %s, %s %v: %s (assumed: %v)", tr.name, both, got.Verdict, got.Reason, got.Possible, got.Text, got.Assumptions)
	t.Log(text)
	unknown := got.Reason == probe.Unknowable && slices.Contains(got.Possible, tr.reason)
	green := tr.reason == probe.OK || tr.reason == probe.Translated
	switch {
	case got.Reason != tr.reason && !unknown && (both || got.Verdict != probe.Assumed):
		t.Errorf("%s; want %s", text, tr.reason)
	case both && unknown && !tr.open:
		t.Errorf("%s; both ends together know that it is %s", text, tr.reason)
	case both && got.Verdict != tr.both:
		t.Errorf("%s; want it %s", text, tr.both)
	case got.Good() && !green && (both || len(got.Assumptions) == 0):
		t.Errorf("%s; it does not work", text)
	case got.Verdict == probe.Proven && !both:
		t.Errorf("%s; one end alone proves nothing", text)
	}
}

// What a probe says of a path is the truth of the topology, or that it does not know: for every kind of blockage, from the
// dialling end alone and from both, with a dialler that has no rights. (traps F56, F76, F78, F82; promise P8)
func TestProbeTCP(t *testing.T) {
	t.Parallel()
	p := newProving(t)
	const tcp = "meta l4proto tcp "
	for _, tr := range []truth{
		{name: "listening", reason: probe.OK, both: probe.Proven},
		{name: "listening plain", row: "plain", reason: probe.OK, both: probe.Proven},
		{name: "nothing bound", end: "look", reason: probe.NoListener, both: probe.Broken},
		{name: "bound, not listening", end: "look", set: bindOnly, reason: probe.BoundNotListening, both: probe.Broken},
		{name: "on loopback alone", end: "look", set: listenOnLoopback, reason: probe.NoListener, both: probe.Broken},
		{name: "host resets", far: "tcp dport 17971 reject with tcp reset", reason: probe.RejectedBy, both: probe.Blocked},
		{name: "host rejects port-unreachable", far: "tcp dport 17971 reject with icmp port-unreachable", reason: probe.RejectedBy, both: probe.Blocked},
		{name: "router resets", router: "tcp dport 17971 reject with tcp reset", reason: probe.ResetOnPath, both: probe.Blocked},
		{name: "router port-unreachable", router: tcp + "reject with icmp port-unreachable", reason: probe.RejectedBy, both: probe.Blocked},
		{name: "router admin-prohibited", router: tcp + "reject with icmp admin-prohibited", reason: probe.RejectedBy, both: probe.Blocked},
		{name: "router host-prohibited", router: tcp + "reject with icmp host-prohibited", reason: probe.RejectedBy, both: probe.Blocked},
		{name: "router host-unreachable", router: tcp + "reject with icmp host-unreachable", reason: probe.RejectedBy, both: probe.Blocked},
		{name: "router net-unreachable", router: tcp + "reject with icmp net-unreachable", reason: probe.RejectedBy, both: probe.Blocked},
		{name: "router net-prohibited", router: tcp + "reject with icmp net-prohibited", reason: probe.RejectedBy, both: probe.Blocked},
		{name: "own rules reset", near: "tcp dport 17971 reject with tcp reset", reason: probe.LocalEgressBlocked, both: probe.Blocked},
		{name: "own rules port-unreachable", near: tcp + "reject with icmp port-unreachable", reason: probe.LocalEgressBlocked, both: probe.Blocked},
		{name: "own rules admin-prohibited", near: tcp + "reject with icmp admin-prohibited", reason: probe.LocalEgressBlocked, both: probe.Blocked},
		{name: "own rules host-unreachable", near: tcp + "reject with icmp host-unreachable", reason: probe.LocalEgressBlocked, both: probe.Blocked},
		{name: "queue full", end: "look", set: fillQueue, reason: probe.BacklogFull, both: probe.Broken},
		{name: "stranger speaks", end: "look", set: stranger("SSH-2.0-stranger\r\n"), reason: probe.ForeignListener, both: probe.Broken},
		{name: "stranger speaks, plain", row: "plain", end: "look", set: stranger("SSH-2.0-stranger\r\n"), reason: probe.ForeignListener, both: probe.Broken},
		{name: "stranger is silent", end: "look", set: stranger(""), reason: probe.ForeignListener, both: probe.Broken},
		{name: "stranger in place of the probe", set: stranger("220 stranger\r\n"), reason: probe.ForeignListener, both: probe.Broken},
		{name: "the other end is plain", plan: p.swapped(), reason: probe.WrongProtocol, both: probe.Broken},
		{name: "the other end has TLS", row: "plain", plan: p.swapped(), reason: probe.WrongProtocol, both: probe.Broken},
		{name: "source translated", set: sourceNAT, reason: probe.Translated, both: probe.Proven},
		{name: "port translated", set: portNAT, address: "10.1.0.1:18971", reason: probe.Translated, both: probe.Proven},
		{name: "no route", set: noRoute("unreachable"), reason: probe.NoRoute, both: probe.Broken},
		{name: "no default route", set: noDefault, reason: probe.NoRoute, both: probe.Broken},
		{name: "prohibited route", set: noRoute("prohibit"), reason: probe.LocalEgressBlocked, both: probe.Blocked},
		{name: "name without address", address: "host.invalid", reason: probe.NameUnresolved, both: probe.Broken},
		{name: "itself", end: "look", set: selfConnect, address: "127.0.0.1", reason: probe.SelfConnect, both: probe.Broken},
	} {
		p.prove(tr)
	}
}
