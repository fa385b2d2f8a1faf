package dialect

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/planfile"
)

const config = "; ports of this domain\r\n" +
	"catirpc 1111\r\n" +
	"Caauthd 41000\r\n" +
	"caservd 41001;\r\n" +
	"carunjob 30000-30100;30200\r\n" +
	"tapeengine\r\n" +
	"caauthd 42000 member1 10.2.0.5\r\n" +
	"cadiscovd 42001 member1\r\n" +
	"caauthd 43000 10.2.0.6\r\n" +
	"caauthd 44000 2001:db8::7\r\n" +
	"\r\n"

// AR-1: a PortsConfig.cfg becomes rows, a pool, and what differs on single hosts.
func TestPortsConfig(t *testing.T) {
	t.Parallel()
	p, found := ParsePortsConfig("PortsConfig.cfg", []byte(config))
	says(t, found)
	if got := string(p.Bytes()); got != config {
		t.Errorf("comes back as %q", got)
	}
	part, found := p.Part("PortsConfig.cfg", compiled(t, "arcserve", 0))
	says(t, found)
	_, site := applied(t, part, 0)
	for id, want := range map[string]ports.Port{"portmapper": 1111, "caauthd": 41000, "caservd": 41001, "cadiscovd": 0} {
		if got := port(site.Compiled, id); got != want {
			t.Errorf("%s: got %d, want %d", id, got, want)
		}
	}
	i := slices.IndexFunc(site.Compiled.Pools, func(p ports.ResolvedPool) bool { return p.ID == "reconnect" })
	if want := []ports.Range{{First: 30000, Last: 30100}, {First: 30200, Last: 30200}}; !slices.Equal(site.Compiled.Pools[i].Ranges, want) {
		t.Errorf("reconnect: got %v", site.Compiled.Pools[i].Ranges)
	}
	want := []ports.Host{
		{Name: "member1", Advertise: []string{"10.2.0.5"}, Services: []ports.HostService{{Service: "caauthd", Port: 42000}, {Service: "cadiscovd", Port: 42001}}},
		{Name: "10.2.0.6", Advertise: []string{"10.2.0.6"}, Services: []ports.HostService{{Service: "caauthd", Port: 43000}}},
		{Name: "host-2001-db8--7", Advertise: []string{"2001:db8::7"}, Services: []ports.HostService{{Service: "caauthd", Port: 44000}}},
	}
	places := cmpopts.IgnoreFields(ports.Host{}, "At")
	if diff := cmp.Diff(want, site.Inventory.Hosts, places, cmpopts.IgnoreFields(ports.HostService{}, "At"), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	// Exported and imported again over the result, it says nothing new of the plan, and the same of the hosts.
	again, found := ParsePortsConfig("f", ExportPortsConfig(site).Bytes())
	says(t, found)
	back, found := again.Part("f", site.Compiled)
	says(t, found)
	if len(back.Plan) != 0 {
		t.Errorf("the exported file changes the plan:\n%s\n%s", back.YAML(), again.Bytes())
	}
	inv, err := planfile.ParseInventory("f", back.YAML())
	if diff := cmp.Diff(want, inv.Hosts, places, cmpopts.IgnoreFields(ports.HostService{}, "At"), cmpopts.EquateEmpty()); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

// What the file may not say, each with its place. Lines that are wrong are kept.
func TestPortsConfigMistakes(t *testing.T) {
	t.Parallel()
	const text = "caauthd 41000-41010\n" + // one port exactly
		"tapeengine 6502\n" + // MSRPC: only its name
		"carunjob\n" +
		"caservd 1;2\n" +
		"nosuch 5\n" +
		"caauthd 70000\n" +
		"lqserver 5-3\n" +
		"mediasvr 41005 host 10.0.0.1 extra\n" +
		"mediasvr 41006 host notanip\n" +
		"ldbserver 41007\nLDBServer 41008\n" +
		"9x 5\n" +
		"carunjob 30000-30100 member1\n" +
		"RPCServices 5\n" +
		"casdscsvc 0\n" +
		"caauthd.exe 41000\ncaathd 41001\n" +
		"caauthd 1;;2\n"
	p, found := ParsePortsConfig("f", []byte(text))
	says(
		t, found,
		[]string{"f:6:9: ", "above 65535"},
		[]string{"f:7:10: ", "reversed"},
		[]string{"f:8:30: ", `"extra" is too much`},
		[]string{"f:9:21: ", `"notanip" is no IP address`},
		[]string{"f:11:1: ", "in line 10 already"},
		[]string{"f:12:1: ", "no service name"},
		[]string{"f:15:11: ", "port 0"},
		[]string{"f:18:11: ", "missing"},
	)
	if string(p.Bytes()) != text {
		t.Errorf("comes back as %q", p.Bytes())
	}
	_, found = p.Part("f", compiled(t, "arcserve", 0))
	says(
		t, found,
		[]string{"f:1:9: ", "exactly one port, and the line gives 41000-41010"},
		[]string{"f:2:12: ", "MSRPC", "its name alone"},
		[]string{"f:3:1: ", "has no number"},
		[]string{"f:4:9: ", "exactly one port"},
		[]string{"f:5:1: ", "no row nosuch"},
		[]string{"f:13:10: ", "no host a pool of its own"},
		[]string{"f:14:1: ", "stands alone"},
		[]string{"f:17:1: ", "line 16 gives the row caauthd its numbers already"},
	)
}

// RPCServices alone gives every RPC service a number of the system's choice; a line that fixes one contradicts it.
func TestRPCServices(t *testing.T) {
	t.Parallel()
	fixed, _ := ParsePortsConfig("f", []byte("caauthd 41000\nlqserver 41001\n"))
	part, _ := fixed.Part("f", compiled(t, "arcserve", 0))
	_, site := applied(t, part, 0)
	if port(site.Compiled, "lqserver") != 41001 {
		t.Fatal("not fixed")
	}
	all, found := ParsePortsConfig("f", []byte("RPCServices\n"))
	says(t, found)
	part, found = all.Part("f", site.Compiled)
	says(t, found)
	part = part.Over("arcserve")
	if _, free := applied(t, part, 0); port(free.Compiled, "lqserver") != 0 || port(free.Compiled, "caauthd") != 0 {
		t.Errorf("%s", part.YAML())
	}
	both, _ := ParsePortsConfig("f", []byte("RPCServices\ncaauthd 41000\n"))
	_, found = both.Part("f", compiled(t, "arcserve", 0))
	says(t, found, []string{"f:2:1: ", "line 1 says that the system chooses"})
	if got := string(ExportPortsConfig(ports.Site{Compiled: compiled(t, "arcserve", 0)}).Bytes()); !strings.Contains(got, "RPCServices\r\n") || strings.Contains(got, "caauthd") ||
		!strings.Contains(got, "catirpc 111\r\n") || !strings.Contains(got, "tapeengine\r\n") {
		t.Errorf("exported: %s", got)
	}
}

// What is written is read again.
func TestPortsConfigRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var want []PortsConfigLine
		for i := range rapid.IntRange(0, 9).Draw(t, "n") {
			// A service stands once for a host: its last character tells it from the others.
			l := PortsConfigLine{Key: rapid.StringMatching(`[a-zA-Z][a-zA-Z0-9]{0,9}`).Draw(t, "key") + strconv.Itoa(i), Line: i + 1}
			for range rapid.IntRange(0, 3).Draw(t, "ranges") {
				first := rapid.IntRange(1, 65535).Draw(t, "first")
				l.Ranges = append(l.Ranges, ports.Range{First: ports.Port(first), Last: ports.Port(rapid.IntRange(first, 65535).Draw(t, "last"))})
			}
			l.Host = rapid.StringMatching(`([a-z][a-z0-9.-]{0,9}[a-z])?`).Draw(t, "host")
			if rapid.Bool().Draw(t, "address") {
				l.Address = netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "bytes")))
			}
			want = append(want, l)
		}
		got, _ := ParsePortsConfig("f", NewPortsConfig(want).Bytes())
		for i, l := range got.Lines {
			l.textLine, l.column = textLine{}, 0
			if !cmp.Equal(l, want[i], cmp.AllowUnexported(PortsConfigLine{}, textLine{}), cmpopts.EquateComparable(netip.Addr{})) {
				t.Fatalf("got %+v, want %+v", l, want[i])
			}
		}
	})
}

// import(export(p)) == p: whatever numbers a site gives to the rows of the page.
func TestPortsConfigOfAPlan(t *testing.T) {
	t.Parallel()
	base := compiled(t, "arcserve", 0)
	rapid.Check(t, func(t *rapid.T) {
		c := base
		c.Claims = slices.Clone(base.Claims)
		want := map[string]ports.Port{}
		for i, cl := range c.Claims {
			if cl.RPC.Kind == "oncrpc" && rapid.Bool().Draw(t, "given") {
				c.Claims[i].Port = ports.Port(rapid.IntRange(40000, 50000).Draw(t, "port"))
				want[cl.Service] = c.Claims[i].Port
			}
		}
		p, found := ParsePortsConfig("f", ExportPortsConfig(ports.Site{Compiled: c}).Bytes())
		part, more := p.Part("f", base)
		if len(found)+len(more) > 0 {
			t.Fatalf("%v %v", lines(found), lines(more))
		}
		got := map[string]ports.Port{}
		for _, f := range part.Plan {
			if f.Key == "services" {
				for _, row := range f.Value.([]any) {
					got[row.(Document)[0].Value.(string)] = ports.Port(row.(Document)[1].Value.(int))
				}
			}
		}
		if !cmp.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

func FuzzPortsConfig(f *testing.F) {
	f.Add(config)
	f.Add("RPCServices\n;x\ncaauthd 1;2-3 h 10.0.0.1 z\ncarunjob 1-2\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, _ := ParsePortsConfig("f", []byte(text))
		if string(p.Bytes()) != text {
			t.Errorf("%q comes back as %q", text, p.Bytes())
		}
		over := ports.Compiled{Plan: "arcserve", Claims: []ports.Claim{
			{Service: "caauthd", Protocol: ports.TCP, Binds: true, RPC: ports.RPC{Kind: "oncrpc"}}, {Service: "reconnect", Protocol: ports.TCP, Pool: true},
		}}
		part, _ := p.Part("f", over)
		readable(t, part, over)
	})
}
