package socket

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports"
)

// Proxy is an HTTP proxy by which connections are dialled: CONNECT of RFC 9110, section 9.3.6. The plan has a row for
// it, and what the proxy dials is a row of the plan as it is without one.
type Proxy struct {
	row      string // a service's id
	address  string // HOST:PORT
	user     string
	password string
}

// String names the proxy, without its password.
func (p *Proxy) String() string { return p.address + " (" + p.row + ")" }

// maxProxyHeader bounds what a proxy may answer before the connection is the other end's.
const maxProxyHeader = 16 << 10

// Proxy reads a proxy's address, http://[USER@]HOST[:PORT], for a role of the plan that has a flow to it which carries
// proxy. The number is the plan's. A password never stands in the address: it comes from a file.
func (n *Net) Proxy(address, password string) (*Proxy, error) {
	u, err := url.Parse(address)
	const form = "write it as http://[USER@]HOST[:PORT]"
	switch {
	case err != nil: // its text may hold a password
		return nil, fault.New(fault.Invalid, "the proxy's address cannot be read", form)
	case u.Scheme != "http" || u.Hostname() == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return nil, fault.New(fault.Invalid, "the proxy's address is not one of an HTTP proxy", form)
	}
	if _, given := u.User.Password(); given {
		return nil, fault.New(fault.Invalid, "the proxy's address has a password in it, which others can read", "give it in a file of its own")
	}
	if u.User.Username() == "" && password != "" {
		return nil, fault.New(fault.Invalid, "a password is given for the proxy, and no user", form)
	}
	if strings.ContainsFunc(u.User.Username()+password, func(r rune) bool { return r < ' ' || r == 0x7f }) || strings.Contains(u.User.Username(), ":") {
		return nil, fault.New(fault.Invalid, "the proxy's user or password has characters that cannot be sent", "")
	}
	row, number, err := n.proxyRow()
	if err != nil {
		return nil, err
	}
	port := u.Port()
	if port == "" {
		port = fmt.Sprint(number)
	}
	if port != fmt.Sprint(number) {
		return nil, fault.Newf(fault.Invalid, "the proxy's address has the port %s, and the plan %s has %d for its row %s: nothing else is dialled", port, n.plan.Plan, number, row)
	}
	return &Proxy{row: row, address: net.JoinHostPort(u.Hostname(), port), user: u.User.Username(), password: password}, nil
}

// proxyRow is the row by which this role dials a proxy.
func (n *Net) proxyRow() (row string, number ports.Port, err error) {
	for _, f := range n.plan.Carrying("proxy") {
		if f.Protocol == ports.TCP && f.Port != 0 && (n.role == "" || n.plan.MayDial(n.role, f.Service)) {
			return f.Service, f.Port, nil
		}
	}
	return "", 0, fault.New(fault.Invalid, "the plan "+n.plan.Plan+" has no row for an HTTP proxy",
		"add a service with binds: false and a flow from this role to the proxy's that carries: [proxy]")
}

// Through has Dial go by a proxy, for what carries links and enrolment, to hosts that fit; nil: to all. It is called
// before the first Dial.
func (n *Net) Through(p *Proxy, fits func(host string) bool) { n.proxy, n.fits = p, fits }

// byProxy reports whether a dial goes by the proxy.
func (n *Net) byProxy(service, address string) bool {
	if n.proxy == nil || !n.carriesLinks(service) {
		return false
	}
	host, _, _ := splitAddress(address)
	return n.fits == nil || n.fits(host)
}

func (n *Net) carriesLinks(service string) bool {
	return slices.ContainsFunc(n.plan.Flows, func(f ports.ResolvedFlow) bool {
		return f.Service == service && (slices.Contains(f.Carries, "link") || slices.Contains(f.Carries, "enrol"))
	})
}

// dialBy connects to a service by a proxy. What the proxy refuses is told apart from a proxy that cannot be reached, and
// both from what answers and is none.
func (n *Net) dialBy(ctx context.Context, p *Proxy, service, address string) (net.Conn, error) {
	if err := n.mayDial(service); err != nil {
		return nil, err
	}
	target, err := n.target(service, address)
	if err != nil {
		return nil, err
	}
	c, err := n.dial(ctx, p.row, p.address)
	if err != nil {
		return nil, fmt.Errorf("reaching the proxy for %s: %w", target, err)
	}
	through, err := p.connect(ctx, c, target)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return through, nil
}

// connect asks the proxy for a connection to a target.
func (p *Proxy) connect(ctx context.Context, c net.Conn, target string) (net.Conn, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(defaultDialTimeout)
	}
	_ = c.SetDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	request := "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n"
	if p.user != "" {
		request += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(p.user+":"+p.password)) + "\r\n"
	}
	if _, err := io.WriteString(c, request+"\r\n"); err != nil {
		return nil, p.silent(target, err)
	}
	in := bufio.NewReader(io.LimitReader(c, maxProxyHeader))
	response, err := http.ReadResponse(in, &http.Request{Method: http.MethodConnect}) //nolint:bodyclose // the connection is its body
	if err != nil {
		return nil, p.silent(target, err)
	}
	if response.StatusCode/100 != 2 {
		return nil, p.refusal(target, response)
	}
	if !stop() {
		return nil, p.silent(target, context.Cause(ctx))
	}
	_ = c.SetDeadline(time.Time{})
	if in.Buffered() == 0 {
		return c, nil
	}
	early, _ := in.Peek(in.Buffered())
	return &spoken{Conn: c, early: slices.Clone(early)}, nil
}

// silent says that no answer of a proxy came.
func (p *Proxy) silent(target string, err error) error {
	fix := "check that the address is that of an HTTP proxy which lets CONNECT through"
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		fix = "the proxy takes connections and answers nothing: it may itself get no answer from the destination"
	}
	return &fault.Error{Kind: fault.Unreachable, Msg: "asking the proxy " + p.String() + " for " + target, Err: err, Fix: fix}
}

// refusal says why a proxy does not connect.
func (p *Proxy) refusal(target string, r *http.Response) error {
	doing := fmt.Sprintf("the proxy %s answers %s for %s", p, printable(r.Status), target)
	switch r.StatusCode {
	case http.StatusProxyAuthRequired:
		fix := "give a user in the proxy's address, and the password in its file"
		if p.user != "" {
			fix = "correct the user, or the password in its file"
		}
		if offered := r.Header.Values("Proxy-Authenticate"); len(offered) > 0 && !slices.ContainsFunc(offered, isBasic) {
			fix = "the proxy asks for " + printable(strings.Join(offered, ", ")) + ", and Reeve speaks Basic: allow it that, or its address without a user"
		}
		return fault.New(fault.Unauthenticated, doing, fix)
	case http.StatusForbidden, http.StatusMethodNotAllowed:
		return fault.New(fault.Forbidden, doing, "have the proxy allow CONNECT to that host and port")
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, http.StatusNotFound:
		return fault.New(fault.Unreachable, doing, "check that the service runs there, and that the proxy may reach it")
	}
	return fault.New(fault.Unreachable, doing, "check that the address is that of an HTTP proxy which lets CONNECT through")
}

func isBasic(scheme string) bool {
	return len(scheme) >= len("basic") && strings.EqualFold(scheme[:len("basic")], "basic")
}

// printable is a text of somebody else's, short and in one line.
func printable(s string) string {
	const most = 100
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	return s[:min(len(s), most)]
}

// spoken is a connection whose other end has spoken before it was asked.
type spoken struct {
	net.Conn
	early []byte
}

// Read reads what came early first.
func (s *spoken) Read(b []byte) (int, error) {
	if len(s.early) > 0 {
		n := copy(b, s.early)
		s.early = s.early[n:]
		return n, nil
	}
	return s.Conn.Read(b)
}
