package twoends

import (
	"net/netip"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/probe"
)

// Report is what the listening end saw until a moment.
type Report struct {
	Host     string    `json:"host"`
	PlanHash string    `json:"plan_hash"`
	From     time.Time `json:"from"`
	Until    time.Time `json:"until"`
	Wire     string    `json:"wire"` // why what arrives could not be watched before the host's own rules; empty: it was
	Ends     []End     `json:"ends"`
}

// End is one port of the listening host.
type End struct {
	Service   string                `json:"service"`
	Protocol  ports.Protocol        `json:"protocol"`
	Port      ports.Port            `json:"port"`
	Open      bool                  `json:"open"`      // the probe listens there
	Error     string                `json:"error"`     // why not; empty: it does
	View      probe.DestinationView `json:"view"`      // of the port; what arrived stands in Arrivals
	Arrivals  []Arrival             `json:"arrivals"`  // the last ones
	Forgotten int                   `json:"forgotten"` // how many came before those
}

// Arrival is one attempt of somebody, as far as it came.
type Arrival struct {
	At       time.Time      `json:"at"`
	From     netip.AddrPort `json:"from"`
	To       netip.AddrPort `json:"to"`
	Wire     bool           `json:"wire"`     // it was seen before the host's own rules
	Accepted bool           `json:"accepted"` // it came to the probe
	Proved   bool           `json:"proved"`   // who sent it knows the code
	TLS      string         `json:"tls"`      // "done", or why not; empty: there was none
	Nonce    string         `json:"nonce"`    // empty: nothing was said
}

// About returns what the listening end saw of one dial; nil where it did not look at that port. known is the address under
// which the listening end knows this host from another flow; the zero address where none has arrived.
func (r Report) About(service string, near probe.SourceView, known netip.Addr) *probe.DestinationView {
	i := slices.IndexFunc(r.Ends, func(e End) bool { return e.Service == service && e.Protocol == near.Protocol })
	if i < 0 {
		return nil
	}
	e := r.Ends[i]
	v := e.View
	v.Arrived, v.Accepted = End{Open: e.Open}.sights(r.Wire == "") // the others' attempts say nothing of this one
	for _, a := range e.Arrivals {
		if a.From != near.Local && a.From != near.Seen {
			continue
		}
		if a.Wire {
			v.Arrived, v.Peer = probe.Saw, a.From
		}
		if a.Accepted {
			v.Accepted, v.Peer, v.TLS, v.Nonce = probe.Saw, a.From, a.TLS, a.Proved
		}
		return &v
	}
	if e.Forgotten > 0 || e.strange(near.Local.Addr(), known) { // it may be this dial: forgotten, or under an address that NAT gave it
		v.Arrived, v.Accepted = probe.NotWatched, probe.NotWatched
	}
	return &v
}

// strange reports whether something arrived from an address that may be the dialler's, behind NAT.
func (e End) strange(own, known netip.Addr) bool {
	return slices.ContainsFunc(e.Arrivals, func(a Arrival) bool {
		if known.IsValid() && known != own {
			return a.From.Addr() == known
		}
		return !known.IsValid() && a.From.Addr() != own
	})
}
