package agent

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

const (
	joinTries = 3                // rounds over all addresses
	joinLimit = 15 * time.Second // one request
	joinDial  = 4 * time.Second  // of it until it is connected: the next address may be better
	maxToken  = 64 << 10         // bytes of a token file
)

// joiner makes an agent part of a domain, and brings back one whose certificate has run out. Both are HTTPS calls
// without a certificate of the agent's: a token, or the bound key, proves who asks.
type joiner struct {
	member *member
	keep   func(wire.View) error
	ports  func() *view // what it has now: servers are asked at its row for that
	now    func() time.Time
	log    *slog.Logger
}

// join asks the servers that the token names for a certificate. It may be repeated: the same key with the same token
// gets the same node. An agent that has joined already keeps what it has.
func (j *joiner) join(ctx context.Context, token identity.Token, name string) error {
	if name != "" && name != token.Name {
		return fault.New(fault.Invalid, fmt.Sprintf("the token is for the agent %s, not for %s", token.Name, name),
			"leave the name away, or make a token for it: reeve token create agent "+name)
	}
	if own, err := j.member.own(); err == nil {
		if own.Identity.Domain != token.Domain || own.Identity.Name != token.Name {
			return fault.New(fault.Conflict, fmt.Sprintf("this data folder belongs to %s; the token is for %s of domain %s", own.Identity, token.Name, token.Domain),
				"give the new agent a data folder of its own")
		}
		j.log.Info("joined already; the token is not used", slog.String("identity", own.Identity.String()))
		return nil
	}
	csr, err := j.member.request()
	if err != nil {
		return err
	}
	config, err := identity.Pinned(token.Fingerprint, j.now)
	if err != nil {
		return err
	}
	// The addresses first: were the certificate stored without them, nobody would know where the servers are.
	if err := j.member.meet(token.Addresses); err != nil {
		return err
	}
	request := wire.JoinRequest{TokenID: token.ID, Secret: token.Secret, Name: token.Name, CSR: csr}
	answer, err := j.ask(ctx, config, wire.PathJoin, request)
	if err != nil {
		return refusal("joining", err, "make a new token on the server: reeve token create agent "+token.Name)
	}
	if answer.View != nil { // before the certificate: without it, this agent would not know where to listen
		if err := j.keep(*answer.View); err != nil {
			return fmt.Errorf("joining: %w", err)
		}
	}
	if err := j.member.adopt(answer, nil); err != nil {
		return fmt.Errorf("joining: %w", err)
	}
	own, err := j.member.own()
	if err != nil {
		return err
	}
	if own.Identity.Role != identity.RoleAgent || own.Identity.Name != token.Name || own.Identity.Domain != token.Domain {
		return fault.Newf(fault.Forbidden, "joining: the server made this agent %s", own.Identity)
	}
	j.log.Info("joined", slog.String("identity", own.Identity.String()))
	return nil
}

// recover asks for a certificate by the bound key, where the old one has run out.
func (j *joiner) recover(ctx context.Context) error {
	own, err := j.member.own()
	if err != nil {
		return err
	}
	csr, err := j.member.request()
	if err != nil {
		return err
	}
	config := identity.FirstContact(j.now, func(authority *x509.Certificate, server identity.Identity) error {
		for _, root := range own.Roots {
			if root.Equal(authority) && server.Domain == own.Identity.Domain {
				return nil
			}
		}
		return fault.New(fault.Forbidden, "refusing server: another authority than the domain's has signed its certificate",
			"check the address, and that nothing on the way intercepts TLS")
	})
	answer, err := j.ask(ctx, config, wire.PathRenew, wire.RenewRequest{NodeID: own.Identity.ID, CSR: csr})
	if err != nil {
		return refusal("renewing the certificate", err, "if the node was removed, join again with a new token and an empty data folder")
	}
	if err := j.member.adopt(answer, &own.Identity); err != nil {
		return fmt.Errorf("renewing the certificate: %w", err)
	}
	j.log.Info("certificate renewed by the bound key: the old one had run out")
	return nil
}

// ask posts to one address after the other until one answers.
func (j *joiner) ask(ctx context.Context, config *tls.Config, path string, in any) (wire.Certificate, error) {
	q := question{config: config, path: path, in: in}
	pause := backoff{first: 300 * time.Millisecond, most: 3 * time.Second}
	var answer wire.Certificate
	var last error
	for round := range joinTries {
		if round > 0 {
			select {
			case <-ctx.Done():
				return answer, errors.Join(context.Cause(ctx), last)
			case <-time.After(pause.wait()):
			}
		}
		for _, address := range j.member.addresses() {
			err := j.askOne(ctx, address, q, &answer)
			if err == nil || refused(err) {
				return answer, err
			}
			last = fmt.Errorf("asking %s: %w", address, err)
			if fault.Is(err, fault.Forbidden) { // not our domain: no patience changes that
				return answer, last
			}
		}
	}
	if last == nil {
		last = fault.New(fault.Invalid, "no address of a server is known", "join with a token that carries one")
	}
	return answer, last
}

// question is what one or several servers are asked.
type question struct {
	config *tls.Config
	path   string
	in     any
}

// dial connects to a server at the row at which it is asked without a link.
func (j *joiner) dial(ctx context.Context, address string) (net.Conn, error) {
	v := j.ports()
	if v.enrolRow() == "" {
		return nil, fault.New(fault.Invalid, "in this port plan servers dial: no row lets an agent ask them", "on the server: reeve node enrol")
	}
	return v.Ports.Dial(ctx, v.enrolRow(), address)
}

func (j *joiner) askOne(ctx context.Context, address string, q question, out any) error {
	ctx, cancel := context.WithTimeout(ctx, joinLimit)
	defer cancel()
	transport := &http.Transport{
		TLSClientConfig:    q.config,
		DisableKeepAlives:  true,
		DisableCompression: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, joinDial)
			defer cancel()
			return j.dial(ctx, address)
		},
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return post(ctx, client, "https://"+address+q.path, q.in, out)
}

// refusal gives an error of a join or a renewal its kind and says what to do.
func refusal(doing string, err error, fix string) error {
	var a *answer
	if !errors.As(err, &a) {
		if fault.KindOf(err) != fault.Internal {
			return fmt.Errorf("%s: %w", doing, err)
		}
		return &fault.Error{Kind: fault.Unreachable, Msg: doing, Err: err, Fix: "check that the server runs, and that its port is open from here"}
	}
	if a.fix != "" {
		fix = a.fix
	}
	e := &fault.Error{Kind: fault.Forbidden, Msg: doing, Err: err, Fix: fix}
	switch a.code {
	case http.StatusNotFound:
		e.Kind = fault.NotFound
	case http.StatusConflict, http.StatusGone:
		e.Kind = fault.Conflict
	case http.StatusUnprocessableEntity, http.StatusBadRequest:
		e.Kind = fault.Invalid
	}
	if a.code >= 500 || a.code == http.StatusTooManyRequests {
		e.Kind, e.Fix = fault.Unreachable, "try again in a while"
	}
	return e
}

// readToken returns the token that was given, by itself or in a file. ok is false where none was.
func readToken(text, file string) (token identity.Token, ok bool, err error) {
	if text == "" && file == "" {
		return token, false, nil
	}
	if text == "" {
		info, err := os.Stat(file)
		if err != nil {
			return token, false, fault.Wrap(fault.Invalid, "reading the join token", err)
		}
		if info.Size() > maxToken {
			return token, false, fault.Newf(fault.Invalid, "reading the join token: %s has %d bytes", file, info.Size())
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return token, false, fault.Wrap(fault.Invalid, "reading the join token", err)
		}
		text = string(data)
	}
	token, err = identity.ParseToken(text)
	return token, err == nil, err
}
