package ledger

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/ports"
)

const (
	snapshotRecord = 32 << 10 // a record of a snapshot has about so many bytes
	minRewrite     = 256 << 10
)

// snapshot writes what a table says, framed, with the sequence number seq.
func (t *table) snapshot(b []byte, seq uint64) []byte {
	r := record{seq: seq, synced: seq, at: t.now}
	flush := func() {
		if len(r.ops) > 0 {
			b = appendFrame(b, r)
			r.ops = nil
		}
	}
	size := 0
	add := func(o op, n int) {
		r.ops = append(r.ops, o)
		if size += n; size > snapshotRecord {
			flush()
			size = 0
		}
	}
	add(op{kind: opEpoch, epoch: t.epoch, fence: t.fence}, 64)
	for sp, used := range t.used {
		o := op{kind: opUse, space: sp}
		for p, at := range used {
			if at != 0 {
				o.ports = append(o.ports, portTime{ports.Port(p), at})
			}
			if len(o.ports) == 1<<11 {
				add(o, 12*len(o.ports))
				o.ports = nil
			}
		}
		if len(o.ports) > 0 {
			add(o, 12*len(o.ports))
		}
	}
	// In the order of fences: where one number stands twice, the later lease has it, as it was.
	all := make([]*Lease, 0, len(t.leases))
	for _, l := range t.leases {
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b *Lease) int { return cmp.Or(cmp.Compare(a.Fence, b.Fence), cmp.Compare(a.ID, b.ID)) })
	for _, l := range all {
		add(op{kind: opPut, lease: *l}, 400)
	}
	flush()
	return b
}

// rewrite replaces the file by one that holds only what the table says: a nil table is an empty ledger. The name
// always leads to a whole file: the old one until the new one is on the disk.
func (j *journal) rewrite(seq uint64, t *table) error {
	if t == nil {
		t = newTable()
		t.now = time.Unix(0, 1).UTC()
	}
	id := make([]byte, 8)
	if _, err := rand.Read(id); err != nil {
		return err
	}
	h := head{format: format, id: binary.LittleEndian.Uint64(id), base: seq}
	b := t.snapshot(make([]byte, headSize, headSize+400*len(t.leases)+fillStep), seq)
	h.snapshot = int64(len(b))
	copy(b, h.encode())
	b = append(b, make([]byte, fillStep)...)

	temporary := j.path() + ".new"
	f, err := os.OpenFile(temporary, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return noRoom("rewriting the ledger", err)
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(temporary, j.path())
	}
	if err == nil {
		err = syncFolder(j.dir)
	}
	if err != nil {
		_ = os.Remove(temporary) // it may not have been made
		return noRoom("rewriting the ledger", errors.Join(err, f.Close()))
	}
	if err := j.use(f); err != nil {
		return err
	}
	j.pos, j.fresh, j.lost = h.snapshot, false, nil
	return nil
}

// keep copies the file aside before a repair replaces it, and returns the copy's name.
func (j *journal) keep(now time.Time) (string, error) {
	b, err := os.ReadFile(j.path())
	if err != nil {
		return "", fmt.Errorf("keeping the damaged ledger: %w", err)
	}
	name := filepath.Join(j.dir, "ledger.damaged-"+now.UTC().Format("20060102T150405.000000000"))
	if err := os.WriteFile(name, b, 0o600); err != nil {
		return "", noRoom("keeping the damaged ledger", err)
	}
	return name, nil
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
