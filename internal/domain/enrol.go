package domain

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
)

const (
	visitLimit  = 20 * time.Second // one enrolment or renewal, the dial included
	maxAnswered = 64 << 10         // bytes of one answer of an agent
)

// Enroller brings certificates to agents that only servers dial: the first one by a code, and a new one by the bound key
// where the old one has run out. It knows the agent by its key before it sends anything.
type Enroller struct {
	Registry *Registry
	// TLS returns the configuration of a dial to the node that has a key: identity.Endpoint.KeyConfig.
	TLS func(keyHash string) (*tls.Config, error)
	// Dial connects to an agent of a kind that waits to be enrolled, at HOST or HOST:PORT, by the plan's rows for that.
	Dial func(ctx context.Context, kind ports.RoleKind, address string) (net.Conn, error)
	// Addresses returns where an agent of this name may dial servers; none: only servers dial it. nil: none.
	Addresses func(name string) []string

	deciding sync.Mutex // one name and one key are given at a time
}

// Enrolment is what a person orders.
type Enrolment struct {
	Name    string
	Address string // HOST or HOST:PORT
	Code    identity.Code
	Labels  map[string]string
	Desk    bool // it is a desk agent
	Audit   store.AuditRecord
}

// Enrol makes the agent that waits at an address a node of the domain. It may be repeated with the same code, and with
// a later one of the same agent, whatever broke before: the same key gets the same node.
func (e *Enroller) Enrol(ctx context.Context, o Enrolment) (store.Node, error) {
	ctx, cancel := context.WithTimeout(ctx, visitLimit)
	defer cancel()
	// Before anything is sent or stored.
	if err := identity.CheckName(o.Name); err != nil {
		return store.Node{}, err
	}
	if _, err := e.Registry.mayEnrol(ctx, o.Name, o.Code.Key); err != nil {
		return store.Node{}, err
	}
	v, err := e.visit(ctx, o.Address, o.Code.Key, func(ctx context.Context) (net.Conn, error) { return e.Dial(ctx, o.plays(), o.Address) })
	if err != nil {
		return store.Node{}, err
	}
	defer v.close()
	offer := wire.EnrolOffer{
		Secret: o.Code.Secret, Domain: e.Registry.Authority.Domain(), Name: o.Name, Authority: string(e.Registry.Authority.Bundle()),
	}
	if o.Desk {
		offer.Kind = wire.Desk
	}
	var answer wire.CertificateRequest
	if err := v.post(ctx, wire.PathEnrolOffer, offer, &answer); err != nil {
		return store.Node{}, fmt.Errorf("enrolling %s: %w", o.Name, err)
	}
	// The node before its certificate: one that nobody knows of could not be taken back.
	n, certificate, err := e.give(ctx, o, answer.CSR)
	if err != nil {
		return store.Node{}, err
	}
	grant := wire.EnrolGrant{EnrolOffer: offer, NodeID: n.ID, Certificate: certificate.Certificate, Addresses: []string{}}
	if e.Addresses != nil && !o.Desk {
		grant.Addresses = append(grant.Addresses, e.Addresses(o.Name)...)
	}
	err = v.post(ctx, wire.PathEnrolGrant, grant, nil)
	// Only now may links be dialled; where the agent has not answered, it may still have the certificate.
	err = errors.Join(err, e.Registry.Changed(context.WithoutCancel(ctx)))
	if err != nil {
		return store.Node{}, &fault.Error{
			Kind: fault.KindOf(err), Msg: "enrolling " + o.Name + ": it is a node, but it did not confirm that it has its certificate", Err: err,
			Fix: "repeat the command, with the code that the agent printed last",
		}
	}
	return n, nil
}

// give stores the node and signs its certificate.
func (e *Enroller) give(ctx context.Context, o Enrolment, request string) (store.Node, wire.Certificate, error) {
	e.deciding.Lock()
	defer e.deciding.Unlock()
	csr, key, err := parseRequest(request)
	if err != nil {
		return store.Node{}, wire.Certificate{}, fmt.Errorf("enrolling %s: %w", o.Name, err)
	}
	if key != o.Code.Key {
		return store.Node{}, wire.Certificate{}, fault.Newf(fault.Forbidden, "enrolling %s: the agent asks for a certificate for another key than the code's", o.Name)
	}
	n, err := e.Registry.enrol(ctx, o)
	if err != nil {
		return store.Node{}, wire.Certificate{}, err
	}
	certificate, err := e.Registry.issue(csr, n)
	return n, certificate, err
}

// Recover brings a node whose certificate has run out a new one, over a connection that dial opens to it. Its bound key
// proves who it is, and this server's certificate who brings it. It is counted.
func (e *Enroller) Recover(ctx context.Context, n store.Node, dial func(context.Context) (net.Conn, error)) error {
	ctx, cancel := context.WithTimeout(ctx, visitLimit)
	defer cancel()
	v, err := e.visit(ctx, n.Name, n.KeyHash, dial)
	if err != nil {
		return err
	}
	defer v.close()
	var answer wire.CertificateRequest
	if err := v.post(ctx, wire.PathRecover, wire.RecoverAsk{NodeID: n.ID}, &answer); err != nil {
		return fmt.Errorf("renewing the certificate of %s: %w", n.Name, err)
	}
	certificate, err := e.Registry.Recover(ctx, wire.RenewRequest{NodeID: n.ID, CSR: answer.CSR})
	if err != nil {
		return fmt.Errorf("renewing the certificate of %s: %w", n.Name, err)
	}
	if err := v.post(ctx, wire.PathRecoverGrant, certificate, nil); err != nil {
		return fmt.Errorf("renewing the certificate of %s: %w", n.Name, err)
	}
	return nil
}

// visit is one connection to an agent that has shown its key.
type visit struct {
	client *http.Client
	close  func()
}

func (e *Enroller) visit(ctx context.Context, what, keyHash string, dial func(context.Context) (net.Conn, error)) (*visit, error) {
	config, err := e.TLS(keyHash)
	if err != nil {
		return nil, err
	}
	raw, err := dial(ctx)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		if fault.Is(err, fault.Forbidden) {
			return nil, fmt.Errorf("dialling %s: %w", what, err)
		}
		return nil, &fault.Error{Kind: fault.Unreachable, Msg: "dialling " + what + ": handshake", Err: err, Fix: "check that an agent of Reeve waits there"}
	}
	// All is said on this one connection: its key was looked at.
	once := make(chan net.Conn, 1)
	once <- conn
	transport := &http.Transport{
		DisableCompression: true,
		DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
			select {
			case c := <-once:
				return c, nil
			default:
				return nil, errors.New("the agent has closed the connection")
			}
		},
	}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &visit{client: client, close: func() {
		transport.CloseIdleConnections()
		_ = conn.Close()
	}}, nil
}

// post sends in as JSON and reads the answer into out; nil: there is none.
func (v *visit) post(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("writing the request: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://agent"+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("building the request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := v.client.Do(req)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err // its text repeats method and address
		}
		return &fault.Error{Kind: fault.Unreachable, Msg: "the agent did not answer", Err: err, Fix: "the agent's log may say more"}
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswered))
	if err != nil {
		return fault.Wrap(fault.Unreachable, "reading the agent's answer", err)
	}
	if resp.StatusCode >= 300 {
		return refusedBy(resp.StatusCode, text)
	}
	if out == nil {
		return nil
	}
	return fault.Wrap(fault.Unreachable, "reading the agent's answer", json.Unmarshal(text, out))
}

// refusedBy makes an error of what an agent refuses.
func refusedBy(status int, text []byte) error {
	kind := fault.Unreachable
	switch status {
	case http.StatusForbidden:
		kind = fault.Forbidden
	case http.StatusConflict:
		kind = fault.Conflict
	case http.StatusTooManyRequests:
		kind = fault.Busy
	case http.StatusUnprocessableEntity:
		kind = fault.Invalid
	}
	var problem struct{ Detail, Fix string }
	if json.Unmarshal(text, &problem) != nil || problem.Detail == "" {
		problem.Detail = http.StatusText(status)
	}
	return fault.New(kind, "the agent refuses: "+printable(problem.Detail), printable(problem.Fix))
}

// printable keeps what an agent says from being more than text on a terminal.
func printable(s string) string {
	const most = 500
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, s[:min(len(s), most)])
	return s
}

// mayEnrol refuses a name that another node has, and a key that another node is bound to. It returns the node where
// name and key belong together already.
func (r *Registry) mayEnrol(ctx context.Context, name, key string) (store.Node, error) {
	nodes, err := r.Store.ListNodes(ctx)
	if err != nil {
		return store.Node{}, storeFault(err)
	}
	var same store.Node
	for i := range nodes {
		n := &nodes[i]
		switch {
		case n.Name == name && n.KeyHash == key && n.Role == "agent":
			same = *n
		case n.Name == name:
			return store.Node{}, fault.New(fault.Conflict, "there is a node "+name+" already", "remove it first with `reeve node remove "+name+"`, or choose another name")
		case n.KeyHash == key:
			return store.Node{}, fault.New(fault.Conflict, "this agent is the node "+n.Name+" already", "enrol it as "+n.Name+", or remove that first with `reeve node remove "+n.Name+"`")
		}
	}
	return same, nil
}

// enrol stores the node of an enrolment, or what a repetition says anew of it.
func (r *Registry) enrol(ctx context.Context, o Enrolment) (store.Node, error) {
	for try := 0; ; try++ {
		n, err := r.mayEnrol(ctx, o.Name, o.Code.Key)
		if err != nil {
			return store.Node{}, err
		}
		if n.ID == "" {
			n = store.Node{Name: o.Name, Role: "agent", KeyHash: o.Code.Key, Joined: r.Now()}
			if n.ID, err = identity.NewNodeID(r.Rand); err != nil {
				return store.Node{}, err
			}
		}
		o.describe(&n)
		_, err = r.Store.Commit(ctx, store.Batch{Epoch: r.Epoch, Nodes: []store.NodeWrite{{Node: n}}, Audit: []store.AuditRecord{o.Audit}})
		if err = storeFault(err); fault.Is(err, fault.Conflict) && try < 10 {
			continue // a heartbeat wrote it meanwhile, or another node took the name: look again
		}
		return n, err
	}
}

func (o Enrolment) plays() ports.RoleKind {
	if o.Desk {
		return ports.Desk
	}
	return ports.Agent
}

// describe writes to a node what a person said of it.
func (o Enrolment) describe(n *store.Node) {
	n.Addresses, n.Kind = []string{o.Address}, ""
	if o.Desk {
		n.Kind = string(ports.Desk)
	}
	labels := maps.Clone(n.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, o.Labels)
	n.Labels = labels
}

// EnrolNode implements api.Service.
func (s *Service) EnrolNode(ctx context.Context, name string, order api.EnrolNode) (api.Node, error) {
	who, err := s.may(ctx, access.ManageNodes, "")
	if err != nil {
		return api.Node{}, err
	}
	if !nodeName.MatchString(name) || identity.CheckName(name) != nil {
		return api.Node{}, fault.New(fault.Invalid, fmt.Sprintf("%q is not a name of a node", name), "a node's name is [a-z0-9][a-z0-9-]*, at most 63 long")
	}
	if err := checkLabels(order.Labels); err != nil {
		return api.Node{}, err
	}
	code, err := identity.ParseCode(order.Code)
	if err != nil {
		return api.Node{}, err
	}
	n, err := s.cfg.Enroller.Enrol(ctx, Enrolment{
		Name: name, Address: order.Address, Code: code, Labels: order.Labels, Desk: order.Desk,
		Audit: s.audit(who, "node.enrol", name, "at "+order.Address),
	})
	if err != nil {
		return api.Node{}, err
	}
	s.cfg.Hub.Publish(api.Change{Kind: "node", ID: name})
	return s.showNode(n), nil
}
