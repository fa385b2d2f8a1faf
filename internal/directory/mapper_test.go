package directory

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/internal/responder"
)

var testPrograms = []Program{
	{mapperProgram, 4, "tcp", netip.MustParseAddrPort("0.0.0.0:111"), MapperOwner},
	{mapperProgram, 3, "udp", netip.MustParseAddrPort("0.0.0.0:111"), MapperOwner},
	{mapperProgram, 2, "udp", netip.MustParseAddrPort("0.0.0.0:111"), MapperOwner},
	{536870914, 1, "tcp", netip.MustParseAddrPort("0.0.0.0:7001"), "Caauthd"},
	{536870914, 2, "tcp", netip.MustParseAddrPort("10.1.0.6:7002"), "Caauthd"},
	{536870914, 1, "tcp6", netip.MustParseAddrPort("[::]:7001"), "Caauthd"},
}

func testMapper() *Mapper {
	return &Mapper{Programs: func() []Program { return testPrograms }, Now: func() time.Time { return time.Unix(1_000_000_000, 0) }}
}

// calling writes a call without credentials.
func calling(program, version, process uint32, args func(*encoder)) []byte {
	var e encoder
	e.uint32(77, rpcCall, rpcVersion, program, version, process, 0, 0, 0, 0)
	if args != nil {
		args(&e)
	}
	return e
}

func wanting(program, version uint32, netid string) func(*encoder) {
	return func(e *encoder) {
		e.uint32(program, version)
		for _, s := range []string{netid, "", ""} {
			e.text(s)
		}
	}
}

var (
	overTCP  = responder.Asked{From: netip.MustParseAddrPort("10.2.0.5:900"), At: netip.MustParseAddr("10.1.0.5"), Stream: true, Room: 1 << 20}
	overTCP6 = responder.Asked{From: netip.MustParseAddrPort("[fd00::9]:900"), At: netip.MustParseAddr("fd00::5"), Stream: true, Room: 1 << 20}
)

func overUDP(request []byte) responder.Asked {
	return responder.Asked{From: overTCP.From, At: overTCP.At, Room: len(request)}
}

// result reads a reply: how the call ended, and what comes after.
func result(t *testing.T, reply []byte) (string, decoder) {
	t.Helper()
	d := decoder{b: reply}
	if xid, kind := d.uint32(), d.uint32(); xid != 77 || kind != rpcReply {
		t.Fatalf("no reply to the call: % x", reply)
	}
	if d.uint32() == denied {
		return fmt.Sprintf("denied %d %d", d.uint32(), d.uint32()), d
	}
	d.uint32()
	d.opaque(longestAuth)
	return fmt.Sprintf("accepted %d", d.uint32()), d
}

// TestMapperRefuses: what registers, takes back or passes on is denied on every version and transport, and every other
// call that is not one of the mapper's has its own answer of RFC 5531.
func TestMapperRefuses(t *testing.T) {
	t.Parallel()
	m := testMapper()
	tooWeak := fmt.Sprintf("denied %d %d", authError, authTooWeak)
	set := func(e *encoder) { e.uint32(536870914, 1, protocolTCP, 666) }
	old := calling(mapperProgram, 2, 0, nil)
	binary.BigEndian.PutUint32(old[8:], 3)
	for name, c := range map[string]struct {
		call []byte
		want string
	}{
		"SET 2":            {calling(mapperProgram, 2, procSet, set), tooWeak},
		"UNSET 2":          {calling(mapperProgram, 2, procUnset, set), tooWeak},
		"CALLIT 2":         {calling(mapperProgram, 2, procBroadcast, set), tooWeak},
		"SET 3":            {calling(mapperProgram, 3, procSet, wanting(536870914, 1, "tcp")), tooWeak},
		"UNSET 3":          {calling(mapperProgram, 3, procUnset, wanting(536870914, 1, "tcp")), tooWeak},
		"CALLIT 3":         {calling(mapperProgram, 3, procBroadcast, nil), tooWeak},
		"SET 4":            {calling(mapperProgram, 4, procSet, wanting(536870914, 1, "tcp")), tooWeak},
		"UNSET 4":          {calling(mapperProgram, 4, procUnset, nil), tooWeak},
		"BCAST 4":          {calling(mapperProgram, 4, procBroadcast, nil), tooWeak},
		"INDIRECT 4":       {calling(mapperProgram, 4, procIndirect, nil), tooWeak},
		"another program":  {calling(100003, 4, 0, nil), fmt.Sprintf("accepted %d", progUnavail)},
		"version 1":        {calling(mapperProgram, 1, 0, nil), fmt.Sprintf("accepted %d", progMismatch)},
		"version 5":        {calling(mapperProgram, 5, 0, nil), fmt.Sprintf("accepted %d", progMismatch)},
		"procedure 6 of 2": {calling(mapperProgram, 2, 6, nil), fmt.Sprintf("accepted %d", procUnavail)},
		"procedure 9 of 3": {calling(mapperProgram, 3, 9, nil), fmt.Sprintf("accepted %d", procUnavail)},
		"procedure 13":     {calling(mapperProgram, 4, 13, nil), fmt.Sprintf("accepted %d", procUnavail)},
		"no arguments":     {calling(mapperProgram, 4, procGetAddr, nil), fmt.Sprintf("accepted %d", garbageArgs)},
		"a long text": {calling(mapperProgram, 4, procGetAddr, func(e *encoder) {
			e.uint32(1, 1)
			e.text(string(make([]byte, longestText+1)))
			e.text("")
			e.text("")
		}), fmt.Sprintf("accepted %d", garbageArgs)},
		"a length that lies": {calling(mapperProgram, 3, procUaddr2taddr, func(e *encoder) { e.uint32(0xffffffff) }), fmt.Sprintf("accepted %d", garbageArgs)},
		"RPC version 3":      {old, fmt.Sprintf("denied %d %d", mismatch, rpcVersion)},
	} {
		for _, asked := range []responder.Asked{overTCP, overUDP(c.call)} {
			reply := m.Answer(c.call, asked)
			if got, _ := result(t, reply); got != c.want {
				t.Errorf("%s (stream %v): %s, want %s", name, asked.Stream, got, c.want)
			}
			if len(reply) > len(c.call) {
				t.Errorf("%s: %d bytes for %d", name, len(reply), len(c.call))
			}
		}
	}
	for name, b := range map[string][]byte{"nothing": {}, "half a call": calling(mapperProgram, 2, 0, nil)[:30], "a reply": m.Answer(calling(mapperProgram, 2, 0, nil), overTCP), "credentials of 401 bytes": longCredentials()} {
		if got := m.Answer(b, overTCP); got != nil {
			t.Errorf("%s: answered with % x", name, got)
		}
	}
}

func longCredentials() []byte {
	var e encoder
	e.uint32(77, rpcCall, rpcVersion, mapperProgram, 2, 0, 1)
	e.opaque(make([]byte, longestAuth+1))
	e.uint32(0, 0)
	return e
}

// TestMapperTells: addresses on the transport of the call, at the address that was asked; the lowest version where the one
// that is asked for is not there, except where exactly that is asked for.
func TestMapperTells(t *testing.T) {
	t.Parallel()
	m := testMapper()
	for _, c := range []struct {
		what             string
		process          uint32
		program, version uint32
		netid            string
		asked            responder.Asked
		want             string
	}{
		{"where it was asked", procGetAddr, 536870914, 1, "tcp", overTCP, "10.1.0.5.27.89"},
		{"bound to one address", procGetAddr, 536870914, 2, "tcp", overTCP, "10.1.0.6.27.90"},
		{"another version", procGetAddr, 536870914, 9, "tcp", overTCP, "10.1.0.5.27.89"},
		{"exactly another version", procGetVersAddr, 536870914, 9, "tcp", overTCP, ""},
		{"exactly this version", procGetVersAddr, 536870914, 2, "tcp", overTCP, "10.1.0.6.27.90"},
		{"IPv6", procGetAddr, 536870914, 1, "tcp", overTCP6, "fd00::5.27.89"},
		{"the transport that is named", procGetAddr, 536870914, 2, "tcp", overTCP6, "fd00::5.27.89"},
		{"not registered", procGetAddr, 536870999, 1, "tcp", overTCP, ""},
	} {
		_, d := result(t, m.Answer(calling(mapperProgram, 4, c.process, wanting(c.program, c.version, c.netid)), c.asked))
		if got := d.text(); got != c.want || d.err != nil || len(d.b) != 0 {
			t.Errorf("%s: %q, %v; want %q", c.what, got, d.err, c.want)
		}
	}
	for want, c := range map[uint32][3]uint32{7001: {536870914, 1, protocolTCP}, 7002: {536870914, 2, protocolTCP}, 111: {mapperProgram, 2, protocolUDP}, 0: {536870914, 1, protocolUDP}} {
		call := calling(mapperProgram, 2, procGetAddr, func(e *encoder) { e.uint32(c[0], c[1], c[2], 0) })
		_, d := result(t, m.Answer(call, overUDP(call)))
		if got := d.uint32(); got != want || d.err != nil {
			t.Errorf("GETPORT %v: %d, %v; want %d", c, got, d.err, want)
		}
	}
	_, d := result(t, m.Answer(calling(mapperProgram, 3, procGetTime, nil), overTCP))
	if got := d.uint32(); got != 1_000_000_000 {
		t.Errorf("GETTIME: %d", got)
	}
	// DUMP is longer than its call: over UDP it is refused, and told over TCP.
	dump := calling(mapperProgram, 3, procDump, nil)
	if got, _ := result(t, m.Answer(dump, overUDP(dump))); got != fmt.Sprintf("accepted %d", systemErr) {
		t.Errorf("DUMP over UDP: %s, want a refusal", got)
	}
	_, d = result(t, m.Answer(dump, overTCP))
	if all := readList(&d); len(all) != len(testPrograms) || d.err != nil || !slices.Equal(all, testPrograms) {
		t.Errorf("DUMP: %+v, %v; want %+v", all, d.err, testPrograms)
	}
}

// TestUniversalAddresses: there and back, as text and as the transport's own address.
func TestUniversalAddresses(t *testing.T) {
	t.Parallel()
	m := testMapper()
	for _, text := range []string{"127.0.0.1.0.111", "10.1.0.5.27.89", "::1.255.255", "fd00::5.0.0"} {
		_, d := result(t, m.Answer(calling(mapperProgram, 4, procUaddr2taddr, func(e *encoder) { e.text(text) }), overTCP))
		size := d.uint32()
		raw := d.opaque(longestText)
		if d.err != nil || int(size) != len(raw) || len(raw) == 0 {
			t.Errorf("%s: % x, %v", text, raw, d.err)
		}
		_, d = result(t, m.Answer(calling(mapperProgram, 4, procTaddr2uaddr, func(e *encoder) { e.uint32(size); e.opaque(raw) }), overTCP))
		if got := d.text(); got != text {
			t.Errorf("%s came back as %q", text, got)
		}
	}
	for _, text := range []string{"", "1.2", "a.b.c.d.0.1", "1.2.3.4.256.1", "1.2.3.4.1", "fe80::1%eth0.0.1", "1.2.3.4.0.-1"} {
		if a, ok := fromUniversal(text); ok {
			t.Errorf("%q was read as %v", text, a)
		}
	}
	for _, raw := range [][]byte{nil, {2, 0}, make([]byte, 16), make([]byte, 200)} {
		if a, ok := fromTransport(raw); ok {
			t.Errorf("% x was read as %v", raw, a)
		}
	}
}

// TestStatisticsStayBounded: who asks for programs that are not there costs no memory.
func TestStatisticsStayBounded(t *testing.T) {
	t.Parallel()
	m := testMapper()
	for i := range uint32(10_000) {
		m.Answer(calling(mapperProgram, 4, procGetAddr, wanting(i, i, "tcp")), overTCP)
	}
	m.Answer(calling(mapperProgram, 4, procGetAddr, wanting(536870914, 1, "tcp")), overTCP)
	reply := m.Answer(calling(mapperProgram, 4, procGetStat, nil), overTCP)
	if len(reply) > 4096 {
		t.Errorf("%d bytes of statistics", len(reply))
	}
	_, d := result(t, reply)
	for range 2 * (counted + 4) { // versions 2 and 3, without addresses
		d.uint32()
	}
	calls := make([]uint32, counted)
	for i := range calls {
		calls[i] = d.uint32()
	}
	if calls[procGetAddr] != 10_001 || calls[procGetStat] != 1 {
		t.Errorf("counted %v; want 10001 times GETADDR and once GETSTAT", calls)
	}
}

// TestMapperNeverLonger: over UDP no reply is longer than its call, whatever is registered and asked for.
func TestMapperNeverLonger(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := testMapper()
		call := calling(rapid.SampledFrom([]uint32{mapperProgram, 536870914}).Draw(t, "program"), uint32(rapid.IntRange(1, 5).Draw(t, "version")), uint32(rapid.IntRange(0, 13).Draw(t, "procedure")), func(e *encoder) {
			*e = append(*e, rapid.SliceOfN(rapid.Byte(), 0, 64).Draw(t, "arguments")...)
		})
		for _, answer := range []responder.Answer{m.Answer, Null(536870914, 1)} {
			if got := answer(call, overUDP(call)); len(got) > len(call) {
				t.Fatalf("%d bytes for %d", len(got), len(call))
			}
		}
	})
}

// FuzzMapper: no bytes break the port mapper, make it change what is registered, or are answered with more over UDP.
func FuzzMapper(f *testing.F) {
	for _, version := range []uint32{2, 3, 4} {
		for process := range uint32(13) {
			f.Add(calling(mapperProgram, version, process, wanting(536870914, 1, "tcp")))
		}
	}
	f.Add(longCredentials())
	m := testMapper()
	before := slices.Clone(testPrograms)
	f.Fuzz(func(t *testing.T, b []byte) {
		if got := m.Answer(b, overUDP(b)); len(got) > len(b) {
			t.Errorf("%d bytes for %d", len(got), len(b))
		}
		m.Answer(b, overTCP)
		Null(536870914, 1)(b, overTCP)
		d := decoder{b: b}
		readList(&d)
		if !slices.Equal(before, testPrograms) {
			t.Error("what is registered has changed")
		}
	})
}
