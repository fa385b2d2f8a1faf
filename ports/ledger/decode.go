package ledger

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/reeve-scheduler/reeve/ports"
)

// decoder reads what an encoder wrote. After the first mistake it gives zeros, and err says so.
type decoder struct {
	b    []byte
	err  error
	seen map[string]string // texts that many leases share are kept once
}

func (d *decoder) fail() { d.b, d.err = nil, errShort }

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) bytes() []byte {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) text() string {
	b := d.bytes()
	if s, ok := d.seen[string(b)]; ok {
		return s
	}
	return string(b)
}

// shared is a text that other leases have too.
func (d *decoder) shared() string {
	s := d.text()
	if d.seen != nil && len(d.seen) < 1<<12 {
		d.seen[s] = s
	}
	return s
}

func (d *decoder) time() time.Time {
	n := d.int()
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

func (d *decoder) port() ports.Port {
	n := d.uint()
	if n >= 1<<16 {
		d.fail()
	}
	return ports.Port(n)
}

func (d *decoder) record() record {
	r := record{seq: d.uint(), synced: d.uint(), at: d.time()}
	for len(d.b) > 0 && d.err == nil {
		o := op{kind: opKind(d.b[0])}
		d.b = d.b[1:]
		body := decoder{b: d.bytes(), seen: d.seen}
		body.op(&o)
		if body.err != nil && d.err == nil {
			d.err = body.err
		}
		r.ops = append(r.ops, o)
	}
	return r
}

func (d *decoder) op(o *op) {
	switch o.kind {
	case opPut:
		o.lease = d.lease()
	case opDrop, opRenew:
		o.id = d.text()
	case opUse:
		o.space = space{netns: d.uint(), protocol: ports.Protocol(d.shared())}
		n := d.uint()
		if n > uint64(len(d.b)) {
			d.fail()
			return
		}
		for range n {
			o.ports = append(o.ports, portTime{port: d.port(), at: d.int()})
		}
	case opEpoch:
		o.epoch = epoch{boot: d.text(), mono: d.int(), at: d.time()}
		o.fence = d.uint()
	default:
		d.err = errUnknown
	}
}

func (d *decoder) lease() Lease {
	l := Lease{
		ID: d.text(), Name: d.text(), Key: d.text(), Stick: d.text(), Plan: d.shared(), Hash: d.shared(), Pool: d.shared(), PairName: d.shared(),
		State: State(d.shared()), Reason: d.shared(), HoldReason: d.shared(), Nonce: d.text(),
		Fence: d.uint(),
	}
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.fail()
		return l
	}
	for range n {
		l.Protocol = append(l.Protocol, ports.Protocol(d.shared()))
	}
	if s := d.shared(); s != "" {
		a, err := netip.ParseAddr(s)
		if err != nil {
			d.fail()
		}
		l.Address = a
	}
	l.Netns, l.Port, l.Pair = d.uint(), d.port(), d.port()
	l.Owner = Owner{Kind: d.shared(), ID: d.text(), Host: d.shared(), Boot: d.shared()}
	l.Owner.Attempt, l.Owner.PID = int(d.int()), int(d.int())
	l.Owner.Start, l.Owner.Space = d.uint(), d.uint()
	l.Granted, l.Renewed, l.Released, l.HoldUntil = d.time(), d.time(), d.time(), d.time()
	l.TTL, l.HoldFor, l.Sweeps = time.Duration(d.int()), time.Duration(d.int()), int(d.int())
	return l
}
