package directory

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/responder"
)

// Rpcbind is where Linux's port mapper takes registrations: only from its own host, and only over this.
const Rpcbind = "/run/rpcbind.sock"

// Registrar registers programs with another port mapper that has the port already. Whoever registers a program is its
// owner there, and only the owner, or root, may take it back.
type Registrar struct {
	// Dial connects to the port mapper's Unix socket.
	Dial func(ctx context.Context) (net.Conn, error)

	xid uint32
}

// DialRpcbind connects to a port mapper's Unix socket.
func DialRpcbind(path string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
}

// Set registers programs; one that is registered with its port already stays. The error is Unreachable where no port mapper
// answers, and Conflict where a program is registered with another port: it may be somebody else's.
func (r *Registrar) Set(ctx context.Context, all []Program) error {
	return r.talk(ctx, func(conn net.Conn) error {
		there, err := r.dump(conn)
		if err != nil {
			return err
		}
		for _, p := range all {
			if err := r.set(conn, p, there); err != nil {
				return err
			}
		}
		return nil
	})
}

func (r *Registrar) set(conn net.Conn, p Program, there []Program) error {
	if q, ok := find(there, p.Number, p.Version, p.Netid, true); ok {
		if q.Address.Port() == p.Address.Port() {
			return nil
		}
		return fault.New(fault.Conflict, fmt.Sprintf("program %d (%s) is registered with the host's port mapper at port %d", p.Number, p.Owner, q.Address.Port()),
			fmt.Sprintf("if nobody uses it any more: rpcinfo -d %d %d", p.Number, p.Version))
	}
	done, err := r.call(conn, procSet, p)
	if err == nil && !done {
		err = fault.New(fault.Conflict, fmt.Sprintf("the host's port mapper does not register program %d (%s) on %s", p.Number, p.Owner, p.Netid), "see what it has: rpcinfo -s")
	}
	return err
}

// Unset takes programs back. What another has meanwhile, or is not there any more, stays as it is.
func (r *Registrar) Unset(ctx context.Context, all []Program) error {
	return r.talk(ctx, func(conn net.Conn) error {
		for _, p := range all {
			if _, err := r.call(conn, procUnset, p); err != nil {
				return err
			}
		}
		return nil
	})
}

// Lost returns which of some programs the port mapper does not have at their ports, as after its restart.
func (r *Registrar) Lost(ctx context.Context, all []Program) ([]Program, error) {
	var lost []Program
	err := r.talk(ctx, func(conn net.Conn) error {
		there, err := r.dump(conn)
		for _, p := range all {
			if q, ok := find(there, p.Number, p.Version, p.Netid, true); !ok || q.Address.Port() != p.Address.Port() {
				lost = append(lost, p)
			}
		}
		return err
	})
	return lost, err
}

// dump returns all that is registered.
func (r *Registrar) dump(conn net.Conn) ([]Program, error) {
	reply, err := r.ask(conn, procDump, nil)
	if err != nil {
		return nil, err
	}
	all := readList(&reply)
	return all, reply.err
}

// longestList bounds what is believed of another port mapper's list.
const longestList = 1 << 16

func readList(d *decoder) []Program {
	var all []Program
	for range longestList {
		if d.uint32() == 0 || d.err != nil {
			return all
		}
		p := Program{Number: d.uint32(), Version: d.uint32(), Netid: d.text()}
		p.Address, _ = fromUniversal(d.text()) // a Unix socket's is a path
		p.Owner = d.text()
		all = append(all, p)
	}
	d.err = errXDR
	return nil
}

// patience bounds one conversation with the port mapper, which is on this host.
const patience = 5 * time.Second

func (r *Registrar) talk(ctx context.Context, do func(net.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := r.Dial(ctx)
	if err != nil {
		return fault.Wrap(fault.Unreachable, "connecting to the host's port mapper", err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	return do(conn)
}

// call makes a call that has a program as its argument and says yes or no.
func (r *Registrar) call(conn net.Conn, process uint32, p Program) (bool, error) {
	var e encoder
	e.uint32(p.Number, p.Version)
	e.text(p.Netid)
	e.text(universal(p.Address))
	e.text(p.Owner)
	reply, err := r.ask(conn, process, e)
	if err != nil {
		return false, err
	}
	done := reply.uint32() != 0
	return done, reply.err
}

// ask makes a call of version 4 and returns its result.
func (r *Registrar) ask(conn net.Conn, process uint32, args encoder) (decoder, error) {
	r.xid++
	var e encoder
	e.uint32(r.xid, rpcCall, rpcVersion, mapperProgram, rpcbVersion4, process, 0, 0, 0, 0)
	if _, err := conn.Write(responder.Records{}.Frame(nil, append(e, args...))); err != nil {
		return decoder{}, fmt.Errorf("asking the host's port mapper: %w", err)
	}
	b, err := responder.ReadRecord(io.LimitReader(conn, maxRecord), maxRecord)
	if err != nil {
		return decoder{}, fmt.Errorf("reading the answer of the host's port mapper: %w", err)
	}
	d := decoder{b: b}
	if d.uint32() != r.xid || d.uint32() != rpcReply || d.uint32() != accepted {
		return decoder{}, fault.New(fault.Forbidden, "the host's port mapper refuses the call", "run as a user that may register programs")
	}
	d.uint32()
	d.opaque(longestAuth)
	if end := d.uint32(); end != success || d.err != nil {
		return decoder{}, fault.Newf(fault.Internal, "the host's port mapper answers with %d instead of a result", end)
	}
	return d, nil
}

// maxRecord is the longest answer of a port mapper that is read, in bytes.
const maxRecord = 4 << 20
