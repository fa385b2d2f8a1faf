package ledger

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"github.com/reeve-scheduler/reeve/ports"
)

// opKind is what one entry of a record does. The numbers are the file's: none is ever given another meaning.
type opKind byte

const (
	opPut   opKind = 1 // a lease, as it now is
	opDrop  opKind = 2 // a lease is forgotten
	opRenew opKind = 3 // a lease goes on from the record's time
	opUse   opKind = 4 // when numbers were last given back
	opEpoch opKind = 5 // the ledger's time in this boot
)

// op is one change of the table.
type op struct {
	kind  opKind
	lease Lease      // opPut
	id    string     // opDrop, opRenew
	space space      // opUse
	ports []portTime // opUse
	epoch epoch      // opEpoch
	fence uint64     // opEpoch
}

type portTime struct {
	port ports.Port
	at   int64
}

// record is what is appended at once: all of it counts, or nothing.
type record struct {
	seq    uint64
	synced uint64 // every record up to this one was on the disk when this was written
	at     time.Time
	ops    []op
}

// errShort is said of a record that ends too early, or makes no sense otherwise.
var (
	errShort   = errors.New("the record makes no sense")
	errUnknown = errors.New("the record has an entry that this version does not know")
)

// apply carries out a record.
func (t *table) apply(r record) {
	t.advance(r.at)
	for i := range r.ops {
		o := &r.ops[i]
		switch o.kind {
		case opPut:
			t.put(o.lease)
		case opDrop:
			if l := t.leases[o.id]; l != nil {
				t.forget(l, r.at)
			}
		case opRenew:
			if l := t.leases[o.id]; l != nil {
				t.put(renewed(*l, r.at))
			}
		case opUse:
			for _, u := range o.ports {
				t.use(o.space, u.port, u.at)
			}
		case opEpoch:
			t.epoch, t.fence = o.epoch, max(t.fence, o.fence)
		}
	}
}

func renewed(l Lease, at time.Time) Lease {
	l.Renewed, l.Sweeps = at, 0
	return l
}

// encoder appends fields to a buffer.
type encoder struct{ b []byte }

func (e *encoder) uint(v uint64) { e.b = binary.AppendUvarint(e.b, v) }
func (e *encoder) int(v int64)   { e.b = binary.AppendVarint(e.b, v) }
func (e *encoder) text(s string) { e.uint(uint64(len(s))); e.b = append(e.b, s...) }

func (e *encoder) time(t time.Time) {
	if t.IsZero() {
		e.int(0)
		return
	}
	e.int(t.UnixNano())
}

func (e *encoder) record(r record) {
	e.uint(r.seq)
	e.uint(r.synced)
	e.time(r.at)
	for i := range r.ops {
		body := encoder{}
		body.op(&r.ops[i])
		e.b = append(e.b, byte(r.ops[i].kind))
		e.text(string(body.b))
	}
}

func (e *encoder) op(o *op) {
	switch o.kind {
	case opPut:
		e.lease(&o.lease)
	case opDrop, opRenew:
		e.text(o.id)
	case opUse:
		e.uint(o.space.netns)
		e.text(string(o.space.protocol))
		e.uint(uint64(len(o.ports)))
		for _, u := range o.ports {
			e.uint(uint64(u.port))
			e.int(u.at)
		}
	case opEpoch:
		e.text(o.epoch.boot)
		e.int(o.epoch.mono)
		e.time(o.epoch.at)
		e.uint(o.fence)
	}
}

// lease writes every field of a lease (F03: a test fails where one is left out).
func (e *encoder) lease(l *Lease) {
	for _, s := range []string{l.ID, l.Name, l.Key, l.Stick, l.Plan, l.Hash, l.Pool, l.PairName, string(l.State), l.Reason, l.HoldReason, l.Nonce} {
		e.text(s)
	}
	e.uint(l.Fence)
	e.uint(uint64(len(l.Protocol)))
	for _, p := range l.Protocol {
		e.text(string(p))
	}
	e.text(addrText(l.Address))
	e.uint(l.Netns)
	e.uint(uint64(l.Port))
	e.uint(uint64(l.Pair))
	for _, s := range []string{l.Owner.Kind, l.Owner.ID, l.Owner.Host, l.Owner.Boot} {
		e.text(s)
	}
	e.int(int64(l.Owner.Attempt))
	e.int(int64(l.Owner.PID))
	e.uint(l.Owner.Start)
	e.uint(l.Owner.Space)
	for _, t := range []time.Time{l.Granted, l.Renewed, l.Released, l.HoldUntil} {
		e.time(t)
	}
	e.int(int64(l.TTL))
	e.int(int64(l.HoldFor))
	e.int(int64(l.Sweeps))
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
