package agent

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

const (
	maxOffer   = 64 << 10         // bytes of one request of somebody who has proved nothing
	offerLimit = 10 * time.Second // for its body to come
)

// doorstep answers servers that dial this agent over HTTPS: to enrol it, and to bring it a certificate where its own has
// run out. Nobody else has anything to ask here.
func (a *agent) doorstep() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+wire.PathEnrolOffer, asked(func(r *http.Request, in wire.EnrolOffer) (any, error) {
		return a.enroller.offer(a.visitor(r), in)
	}))
	mux.HandleFunc("POST "+wire.PathEnrolGrant, asked(func(r *http.Request, in wire.EnrolGrant) (any, error) {
		return nil, a.enroller.grant(a.visitor(r), in)
	}))
	mux.HandleFunc("POST "+wire.PathRecover, asked(func(r *http.Request, in wire.RecoverAsk) (any, error) {
		if _, err := a.ownServer(r, in.NodeID); err != nil {
			return nil, err
		}
		csr, err := a.member.request()
		return wire.CertificateRequest{CSR: csr}, err
	}))
	mux.HandleFunc("POST "+wire.PathRecoverGrant, asked(func(r *http.Request, in wire.Certificate) (any, error) {
		own, err := a.ownServer(r, in.NodeID)
		if err != nil {
			return nil, err
		}
		if err := a.member.adopt(in, &own.Identity); err != nil {
			return nil, err
		}
		a.cfg.Log.Info("certificate renewed by the bound key, over a server's dial: the old one had run out")
		return nil, nil
	}))
	return mux
}

// ownServer accepts a server of this agent's own domain that knows it as the node that it is.
func (a *agent) ownServer(r *http.Request, node string) (*identity.Credentials, error) {
	own, err := a.member.own()
	if err != nil {
		return nil, err
	}
	if _, _, err := identity.DialledBy(r.TLS, own.Identity.Domain, own.Roots, a.cfg.Now()); err != nil {
		// Anybody may ask as often as he likes: the log is not his to fill.
		a.cfg.Log.Debug("somebody who is no server of the domain asked for a certificate request", slog.String("from", r.RemoteAddr), slog.Any("error", err))
		return nil, err
	}
	if node != own.Identity.ID {
		return nil, fault.Newf(fault.Conflict, "this agent is %s, not the node %q", own.Identity, node)
	}
	return own, nil
}

// visitor is who sent a request.
func (a *agent) visitor(r *http.Request) visitor {
	return visitor{from: source(r.RemoteAddr), server: func(domain string, roots []*x509.Certificate) (identity.Identity, *x509.Certificate, error) {
		return identity.DialledBy(r.TLS, domain, roots, a.cfg.Now())
	}}
}

// source is the IPv4 address or the IPv6 network of one site: whoever has one address of it has all.
func source(remote string) netip.Prefix {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}
	}
	bits := 64
	if a = a.Unmap().WithZone(""); a.Is4() {
		bits = 32
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// asked serves one call: a bounded body, in bounded time. Without an answer it is 204.
func asked[In any](do func(r *http.Request, in In) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(offerLimit)); err != nil {
			refuse(w, err)
			return
		}
		var in In
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOffer)).Decode(&in); err != nil {
			refuse(w, fault.Wrap(fault.Invalid, "reading request", err))
			return
		}
		out, err := do(r, in)
		switch {
		case err != nil:
			refuse(w, err)
		case out == nil:
			w.WriteHeader(http.StatusNoContent)
		default:
			write(w, out)
		}
	}
}

// refuse answers with an error, in the form in which servers tell theirs.
func refuse(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	switch fault.KindOf(err) { //nolint:exhaustive // the others are this agent's own trouble
	case fault.Invalid:
		status = http.StatusUnprocessableEntity
	case fault.Forbidden, fault.Unauthenticated:
		status = http.StatusForbidden
	case fault.Conflict:
		status = http.StatusConflict
	case fault.Busy:
		status = http.StatusTooManyRequests
	case fault.Disk:
		status = http.StatusInsufficientStorage
	}
	fix := ""
	var known *fault.Error
	if errors.As(err, &known) {
		fix = known.Fix
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"title": http.StatusText(status), "detail": strings.TrimSuffix(err.Error(), "; "+fix), "fix": fix})
}
