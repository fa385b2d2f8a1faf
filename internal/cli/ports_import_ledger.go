package cli

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/dialect"
	"github.com/reeve-scheduler/reeve/ports/ledger"
)

// intoLedger keeps numbers for names in this host's ledger, as if each name had leased its number and released it: the
// number sticks to the name, and nobody else is given it. Nothing is bound, because the other product may still have
// the ports. What cannot be kept is a finding at the line that asked for it.
func intoLedger(ctx context.Context, dir string, c ports.Compiled, leases []dialect.Lease) ([]ports.Diagnostic, error) {
	dir, err := ledgerDir(dir)
	if err != nil {
		return nil, err
	}
	l, err := ledger.Open(dir, ledger.Options{Binder: bindNothing})
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "opening the ledger "+dir, err)
	}
	defer l.Close()
	var found []ports.Diagnostic
	report := func(at ports.Place, message, suggestion string) {
		found = append(found, ports.Diagnostic{Code: ports.BadLine, Severity: ports.Error, Message: message, Suggestion: suggestion, Place: at})
	}
	own := ownNames()
	for _, one := range leases {
		if !own[strings.ToLower(one.Host)] {
			report(one.Place, one.Name+" is of "+one.Host+", which is not this host: it is not kept here", "import the file on that host too")
			continue
		}
		r, err := ledger.For(c, one.Pool)
		if err != nil {
			return nil, fault.Wrap(fault.NotFound, "importing leases", err)
		}
		r.Name, r.Port, r.Sticky, r.Owner = one.Name, one.Port, true, ledger.Self("import", one.Name)
		grant, err := l.Lease(ctx, r)
		var refused *ledger.Refusal
		if errors.As(err, &refused) {
			report(one.Place, "not kept: "+err.Error(), "release what has the number or the name (`reeve ports release`), and import again")
			continue
		}
		if err != nil {
			return nil, err
		}
		grant.Close()
		if err := l.Release(ctx, grant.Lease.ID, grant.Lease.Fence, "imported"); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// bindNothing is a port that nobody binds.
func bindNothing(ports.Protocol, netip.Addr, ports.Port) (*os.File, error) {
	return os.Open(os.DevNull)
}

// ownNames are the names and addresses of this host.
func ownNames() map[string]bool {
	own := map[string]bool{"localhost": true}
	if name, err := os.Hostname(); err == nil {
		short, _, _ := strings.Cut(name, ".")
		own[strings.ToLower(name)], own[strings.ToLower(short)] = true, true
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return own
	}
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			own[p.Addr().Unmap().String()] = true
		}
	}
	return own
}
