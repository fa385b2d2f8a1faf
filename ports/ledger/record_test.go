package ledger

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/ports"
)

// fill gives every field of a value a content that no other has, so that one that is lost is missed.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(begin().Add(time.Duration(*n))))
		return
	case netip.Addr:
		v.Set(reflect.ValueOf(netip.AddrFrom4([4]byte{10, 0, 0, byte(*n)})))
		return
	case []ports.Protocol:
		v.Set(reflect.ValueOf([]ports.Protocol{ports.TCP, ports.UDP}))
		return
	}
	switch v.Kind() { //nolint:exhaustive // the default says what it cannot fill
	case reflect.String:
		v.SetString(fmt.Sprint("text", *n))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint16, reflect.Uint64:
		v.SetUint(uint64(*n))
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	default:
		t.Fatalf("a lease has a field of kind %s, which this test cannot fill", v.Kind())
	}
}

// F03, F15: every field of a lease, with its pair's, is in the file and comes back; a new field that is forgotten there
// fails this test.
func TestRecordHoldsEverything(t *testing.T) {
	t.Parallel()
	var lease Lease
	n := 0
	fill(t, reflect.ValueOf(&lease).Elem(), &n)
	want := record{seq: 7, synced: 6, at: begin(), ops: []op{
		{kind: opPut, lease: lease},
		{kind: opDrop, id: "a"},
		{kind: opRenew, id: "b"},
		{kind: opUse, space: space{5, ports.UDP}, ports: []portTime{{1, 2}, {65535, -3}}},
		{kind: opEpoch, epoch: epoch{boot: "boot", mono: 9, at: begin()}, fence: 12},
		{kind: opPut},
	}}
	payload, size, state := readFrame(appendFrame(nil, want))
	if state != frameWhole || size%align != 0 {
		t.Fatalf("state %d, size %d", state, size)
	}
	d := decoder{b: payload, seen: map[string]string{}}
	got := d.record()
	if d.err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n got %+v\nwant %+v", d.err, got, want)
	}
}

// F15: what a caller does to a lease that it was given changes nothing in the ledger.
func TestLeasesAreValues(t *testing.T) {
	t.Parallel()
	l := open(t, t.TempDir(), Options{Binder: unbound})
	r := Request{Pool: tcp("p", ports.Range{First: 20000, Last: 20009}), Name: "a", Owner: Self("test", "")}
	g := must(t, l, r)
	g.Lease.Protocol[0] = "spoiled"
	all, err := l.Leases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all[0].Protocol[0] = "spoiled"
	all[0].Port = 1
	if got := find(t, l, "a"); got.Protocol[0] != ports.TCP || got.Port != 20000 || r.Pool.Protocol[0] != ports.TCP {
		t.Errorf("the ledger has %+v, the request %v", got, r.Pool.Protocol)
	}
}

// Whatever a record's bytes are, reading them ends, and gives an error or a record that is written the same.
func FuzzRecord(f *testing.F) {
	e := encoder{}
	e.record(record{seq: 1, at: begin(), ops: []op{{kind: opPut, lease: Lease{ID: "x", Protocol: []ports.Protocol{ports.TCP}}}, {kind: opUse, ports: []portTime{{1, 1}}}}})
	f.Add(e.b)
	f.Add([]byte{1, 1, 2, 9, 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		d := decoder{b: b, seen: map[string]string{}}
		r := d.record()
		if d.err != nil {
			return
		}
		first := encoder{}
		first.record(r)
		again := decoder{b: first.b}
		second := encoder{}
		second.record(again.record())
		if again.err != nil || string(first.b) != string(second.b) {
			t.Errorf("%v: %x becomes %x", again.err, first.b, second.b)
		}
	})
}

// Whatever stands in a file, reading it ends without a panic, and what is read can be written again.
func FuzzFrames(f *testing.F) {
	one := appendFrame(nil, record{seq: 1, at: begin()})
	f.Add(append(one, appendFrame(nil, record{seq: 2, at: begin()})...))
	f.Add(make([]byte, 20))
	f.Fuzz(func(t *testing.T, b []byte) {
		j := journal{head: head{format: format}, decode: decoder{seen: map[string]string{}}}
		n := 0
		used, _, _ := j.frames(b, func(record) { n++ })
		if used > len(b) || n > used/frameHead {
			t.Errorf("%d records in %d of %d bytes", n, used, len(b))
		}
	})
}
