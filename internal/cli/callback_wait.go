package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/callback"
	"github.com/reeve-scheduler/reeve/internal/domain"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/ledger"
)

// backFlags say how a command that waits is called back by its server, where the port plan has it so.
type backFlags struct {
	plan, pool, bind, advertise, ledger string
}

func (f *backFlags) add(c *cobra.Command) *cobra.Command {
	fl := c.Flags()
	fl.StringVar(&f.plan, "plan", "", "the server's port plan: while it waits, the command is called back on a port that the plan has for it (REEVE_PLAN)")
	fl.StringVar(&f.pool, "pool", "", "the pool of the plan for the callback; default: the first that has a port (arcserve: client-callback on a client server)")
	fl.StringVar(&f.bind, "bind", "", "address on which it listens for the callback; default: all")
	fl.StringVar(&f.advertise, "advertise", "", "host or address at which the server finds this host; default: its name (REEVE_ADVERTISE)")
	fl.StringVar(&f.ledger, "ledger", "", "folder of this host's leases (REEVE_LEDGER; else /var/lib/reeve/ports, or the user's own)")
	c.PreRunE = func(c *cobra.Command, _ []string) error {
		return errors.Join(env(c, "plan", "REEVE_PLAN"), env(c, "advertise", "REEVE_ADVERTISE"))
	}
	return c
}

// await follows a run to its end: by a callback where the plan has one, and by asking where it has none, or it does not
// work. seen is told of each state, where it is not nil.
func (a *app) await(ctx context.Context, client *api.Client, id string, back *backFlags, seen func(api.Run)) (api.Run, error) {
	way, err := back.way()
	if len(way.pools) > 0 {
		var r api.Run
		if r, err = way.await(ctx, client, id, seen); err == nil {
			return r, nil
		}
	}
	if err != nil && ctx.Err() == nil { // the run goes on in any case
		fmt.Fprintf(a.errs, "the callback does not work; the run is followed by asking: %v\n", err)
	}
	return await(ctx, client, id, seen)
}

// wayBack is a plan with the pools on which servers call commands back, in its order.
type wayBack struct {
	*backFlags
	compiled ports.Compiled
	pools    []string
}

// way reads the plan; without one there are no pools.
func (f *backFlags) way() (wayBack, error) {
	w := wayBack{backFlags: f}
	if f.plan == "" {
		return w, nil
	}
	var err error
	if w.compiled, _, err = meantToRun(f.plan, "", nil); err != nil {
		return w, err
	}
	for _, flow := range domain.CallbackFlows(w.compiled) {
		if f.pool == "" || f.pool == flow.Service {
			w.pools = append(w.pools, flow.Service)
		}
	}
	if f.pool != "" && len(w.pools) == 0 {
		return w, fault.New(fault.Invalid, "the port plan "+w.compiled.Plan+" has no callbacks for commands on a pool "+strconv.Quote(f.pool), "see `reeve ports list --plan "+f.plan+"`")
	}
	return w, nil
}

// await leases a port, has the server call there, and hears of the run until it has ended.
func (f wayBack) await(ctx context.Context, client *api.Client, id string, seen func(api.Run)) (api.Run, error) {
	var last api.Run
	there, err := client.Domain(ctx)
	if err != nil {
		return last, err
	}
	tool, err := identity.NewTool(time.Now())
	if err != nil {
		return last, err
	}
	trust, err := tool.ListenConfig(there.Fingerprint, time.Now)
	if err != nil {
		return last, err
	}
	book, grant, err := f.lease(ctx, id)
	if err != nil {
		return last, err
	}
	defer book.Close()
	defer func() {
		giving, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = book.Release(giving, grant.Lease.ID, grant.Lease.Fence, "the command has ended") // it ends with this process in any case
	}()
	defer grant.Close()
	listener, err := socket.Adopt(grant.Sockets[0].File)
	if err != nil {
		return last, err
	}
	token := make([]byte, 16)
	_, _ = rand.Read(token) // never fails (crypto/rand)
	booth := callback.Booth{Listener: listener, TLS: trust, Token: hex.EncodeToString(token)}
	listening, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go func() {
		_, err := client.CallBack(listening, id, api.CallBack{Address: f.address(grant.Lease.Port), Token: booth.Token, Fingerprint: tool.Fingerprint()})
		if err != nil {
			stop(err)
		}
	}()
	err = booth.Listen(listening, func(text json.RawMessage) (bool, error) {
		if err := json.Unmarshal(text, &last); err != nil {
			return false, fmt.Errorf("reading what the server tells: %w", err)
		}
		if last.ID != id {
			return false, fault.Newf(fault.Internal, "the server tells of run %s, not of %s", last.ID, id)
		}
		if seen != nil {
			seen(last)
		}
		return ended(last.State), nil
	})
	return last, err
}

// lease leases a port of the first pool that has one.
func (f wayBack) lease(ctx context.Context, id string) (*ledger.Ledger, ledger.Grant, error) {
	dir, err := ledgerDir(f.ledger)
	if err != nil {
		return nil, ledger.Grant{}, err
	}
	book, err := ledger.Open(dir, ledger.Options{})
	if err != nil {
		return nil, ledger.Grant{}, err
	}
	var errs []error
	for _, pool := range f.pools {
		r, err := ledger.For(f.compiled, pool)
		if err == nil && f.bind != "" {
			r.Address, err = netip.ParseAddr(f.bind)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		r.Name, r.Owner = "run/"+id+"/"+strconv.Itoa(os.Getpid()), ledger.Self("command", "run "+id)
		r.TTL = commandTTL
		grant, err := book.Lease(ctx, r)
		if err == nil {
			return book, grant, nil
		}
		errs = append(errs, err)
	}
	book.Close()
	return nil, ledger.Grant{}, errors.Join(errs...)
}

// commandTTL is longer than a command waits: its lease ends with its process.
const commandTTL = 365 * 24 * time.Hour

// address is where the server finds a port of this host.
func (f *backFlags) address(port ports.Port) string {
	host := f.advertise
	if host == "" {
		host = f.bind
	}
	if host == "" {
		if name, err := os.Hostname(); err == nil {
			host = name
		} else {
			host = "localhost"
		}
	}
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}
