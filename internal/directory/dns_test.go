package directory

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/internal/responder"
	"github.com/reeve-scheduler/reeve/ports"
)

// manyNodes is a book with n agents beside a server.
func manyNodes(n int) *Book {
	b := &Book{Zone: "batch.example.com", Serial: 1, Nodes: []Node{{
		Name: "hq1", Role: ports.Server, Addresses: []string{"10.1.0.5", "fd00::5"},
		Services: []Service{{ID: "reeve", Name: "reeve", Protocol: ports.TCP, TLS: true, Doors: []string{"api"}, Places: []Place{{"10.1.0.5", 7001}, {"fd00::5", 7001}, {"nat.example.net", 7002}}}},
	}}}
	for i := range n {
		a := fmt.Sprintf("10.%d.%d.%d", 100+i>>16, i>>8&255, i&255)
		b.Nodes = append(b.Nodes, Node{
			Name: fmt.Sprintf("agent%d.west", i), Role: ports.Agent, Addresses: []string{a},
			Services: []Service{{ID: "univagent", Name: "univagent", Protocol: ports.TCP, TLS: true, Doors: []string{"link"}, Places: []Place{{a, 6050}}}},
		})
	}
	return b
}

func namesOf(b *Book) *Names { return &Names{Book: func() *Book { return b }} }

// asking writes a question; padding above 0 is an EDNS option of that many bytes.
func asking(t interface{ Fatal(...any) }, q dnsmessage.Question, edns bool, size, padding int) []byte {
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: 7, RecursionDesired: true}, Questions: []dnsmessage.Question{q}}
	if edns {
		var options []dnsmessage.Option
		if padding > 0 {
			options = []dnsmessage.Option{{Code: 12, Data: make([]byte, padding)}}
		}
		m.Additionals = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName("."), Type: dnsmessage.TypeOPT, Class: dnsmessage.Class(size)}, //nolint:gosec // of a test
			Body:   &dnsmessage.OPTResource{Options: options},
		}}
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func question(name string, kind dnsmessage.Type) dnsmessage.Question {
	return dnsmessage.Question{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}
}

// TestNamesNeverLonger: over UDP no reply is longer than its question, and where records were left out for that it says so.
func TestNamesNeverLonger(t *testing.T) {
	t.Parallel()
	n := namesOf(manyNodes(50))
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{
			"_reeve._tcp.batch.example.com.", "_univagent._tcp.batch.example.com.", "hq1.batch.example.com.", "HQ1.batch.EXAMPLE.com.", "west.batch.example.com.",
			"batch.example.com.", "missing.batch.example.com.", "example.com.", ".", "agent7.west.batch.example.com.",
		}).Draw(t, "name")
		kind := rapid.SampledFrom([]dnsmessage.Type{dnsmessage.TypeSRV, dnsmessage.TypeA, dnsmessage.TypeAAAA, dnsmessage.TypeALL, dnsmessage.TypeSOA, dnsmessage.TypeNS, dnsmessage.TypeTXT, dnsmessage.TypeAXFR, typeIXFR, dnsmessage.TypeCNAME}).Draw(t, "type")
		request := asking(t, question(name, kind), rapid.Bool().Draw(t, "edns"), rapid.IntRange(0, 65535).Draw(t, "size"), rapid.IntRange(0, 3000).Draw(t, "padding"))
		reply := n.Answer(request, overUDP(request))
		if len(reply) == 0 || len(reply) > len(request) {
			t.Fatalf("%d bytes for %d", len(reply), len(request))
		}
		var short, whole dnsmessage.Message
		if err := short.Unpack(reply); err != nil {
			t.Fatal(err)
		}
		if err := whole.Unpack(n.Answer(request, overTCP)); err != nil {
			t.Fatal(err)
		}
		if whole.Truncated || short.RCode != whole.RCode || short.Authoritative != whole.Authoritative || short.ID != 7 || short.RecursionAvailable {
			t.Fatalf("over UDP %+v\nover TCP %+v", short.Header, whole.Header)
		}
		if short.Truncated != (len(short.Answers) < len(whole.Answers)) || len(short.Answers) != 0 && len(short.Answers) != len(whole.Answers) {
			t.Fatalf("over UDP %d records, truncated %v; over TCP %d", len(short.Answers), short.Truncated, len(whole.Answers))
		}
		own := strings.HasSuffix(strings.ToLower(name), "batch.example.com.")
		if refused := whole.RCode == dnsmessage.RCodeRefused; refused != (!own || kind == dnsmessage.TypeAXFR || kind == typeIXFR) {
			t.Fatalf("%s %v: %v", name, kind, whole.RCode)
		}
	})
}

// TestNamesRefuse: what is no question of the zone.
func TestNamesRefuse(t *testing.T) {
	t.Parallel()
	n := namesOf(manyNodes(1))
	good := asking(t, question("hq1.batch.example.com.", dnsmessage.TypeA), true, 1232, 0)
	with := func(at int, b byte) []byte {
		c := slices.Clone(good)
		c[at] = b
		return c
	}
	for name, c := range map[string]struct {
		request []byte
		want    dnsmessage.RCode
	}{
		"good":             {good, 0},
		"two questions":    {with(5, 2), dnsmessage.RCodeFormatError},
		"no question":      {with(5, 0), dnsmessage.RCodeFormatError},
		"an update":        {with(2, 5<<3), dnsmessage.RCodeNotImplemented},
		"cut":              {good[:len(good)-4], dnsmessage.RCodeFormatError},
		"65281 additional": {with(10, 255), dnsmessage.RCodeFormatError},
		"another class":    {asking(t, dnsmessage.Question{Name: dnsmessage.MustNewName("hq1.batch.example.com."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassCHAOS}, false, 0, 0), dnsmessage.RCodeRefused},
		"a suffix only":    {asking(t, question("otherbatch.example.com.", dnsmessage.TypeA), false, 0, 0), dnsmessage.RCodeRefused},
	} {
		var m dnsmessage.Message
		reply := n.Answer(c.request, overUDP(c.request))
		if err := m.Unpack(reply); err != nil || m.RCode != c.want || !m.Response || len(reply) > len(c.request) {
			t.Errorf("%s: %v, %v; want %v", name, m.Header, err, c.want)
		}
	}
	for name, b := range map[string][]byte{"nothing": {}, "half a header": good[:11], "an answer": with(2, 0x80)} {
		if got := n.Answer(b, overUDP(b)); got != nil {
			t.Errorf("%s: answered with % x", name, got)
		}
	}
}

// TestNamesNotice: a book that has changed is told at once.
func TestNamesNotice(t *testing.T) {
	t.Parallel()
	book := manyNodes(0)
	n := &Names{Book: func() *Book { return book }}
	request := asking(t, question("agent3.west.batch.example.com.", dnsmessage.TypeA), false, 0, 0)
	for i, want := range []dnsmessage.RCode{dnsmessage.RCodeNameError, dnsmessage.RCodeSuccess} {
		var m dnsmessage.Message
		if err := m.Unpack(n.Answer(request, overTCP)); err != nil || m.RCode != want {
			t.Errorf("%d: %v, %v; want %v", i, m.RCode, err, want)
		}
		book = manyNodes(5)
	}
}

// TestNamesOfManyNodes: more records than a message holds are no answer of half of them.
func TestNamesOfManyNodes(t *testing.T) {
	t.Parallel()
	request := asking(t, question("_univagent._tcp.batch.example.com.", dnsmessage.TypeSRV), false, 0, 0)
	whole := overTCP
	whole.Room = responder.Lengths{}.Room()
	for nodes, truncated := range map[int]bool{500: false, 5000: true} {
		var m dnsmessage.Message
		reply := namesOf(manyNodes(nodes)).Answer(request, whole)
		if err := m.Unpack(reply); err != nil || len(reply) > whole.Room || m.Truncated != truncated || (len(m.Answers) == nodes) == truncated {
			t.Errorf("%d nodes: %d bytes, %d records, truncated %v, %v", nodes, len(reply), len(m.Answers), m.Truncated, err)
		}
	}
}

// FuzzNames: no bytes break the responder, are answered with more over UDP, or get an answer that cannot be read.
func FuzzNames(f *testing.F) {
	for _, kind := range []dnsmessage.Type{dnsmessage.TypeSRV, dnsmessage.TypeALL, dnsmessage.TypeA} {
		f.Add(asking(f, question("_reeve._tcp.batch.example.com.", kind), true, 1232, 100))
		f.Add(asking(f, question("batch.example.com.", kind), false, 0, 0))
	}
	n := namesOf(manyNodes(3))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, asked := range []responder.Asked{overUDP(b), overTCP} {
			reply := n.Answer(b, asked)
			if len(reply) > asked.Room {
				t.Errorf("%d bytes for %d", len(reply), asked.Room)
			}
			var m dnsmessage.Message
			if len(reply) > 0 && (m.Unpack(reply) != nil || !m.Response) {
				t.Errorf("no answer: % x", reply)
			}
		}
	})
}

// TestCompose: who offers what, where, by the plan.
func TestCompose(t *testing.T) {
	t.Parallel()
	c := ports.Compiled{Kinds: map[string]ports.RoleKind{"server": ports.Server, "agent": ports.Agent}, Claims: []ports.Claim{
		{Service: "all", Name: "all", Protocol: ports.TCP, Port: 10, Binds: true, Status: ports.Works, Listeners: []string{"server", "agent"}, Doors: []string{"api", "link"}},
		{Service: "auth", Name: "Auth Service", Protocol: ports.TCP, Port: 11, Binds: true, Status: ports.Works, Listeners: []string{"server"}, Doors: []string{"auth"}},
		{Service: "web", Protocol: ports.TCP, Port: 12, Binds: true, Status: ports.Works, Listeners: []string{"agent"}, Doors: []string{"api"}},
		{Service: "local", Protocol: ports.TCP, Port: 13, Binds: true, Status: ports.Works, Scope: ports.SameHost, Listeners: []string{"server"}, Doors: []string{"metrics"}},
		{Service: "unset", Protocol: ports.TCP, Binds: true, Status: ports.Works, Listeners: []string{"server"}, Doors: []string{"auth"}},
		{Service: "held", Protocol: ports.TCP, Port: 14, Binds: true, Status: ports.Reserved, Listeners: []string{"server"}, Doors: []string{"auth"}},
		{Service: "mail", Protocol: ports.TCP, Port: 25, Status: ports.Works, Doors: []string{"alerts"}},
		{Service: "pool", Protocol: ports.TCP, Port: 20, Last: 30, Pool: true, Binds: true, Status: ports.Works, Listeners: []string{"server"}, Doors: []string{"link"}},
	}}
	at := func(hosts ...string) func(string) []string { return func(string) []string { return hosts } }
	book := Compose(c, "batch", 3, []Known{
		{Name: "west", Role: ports.Agent, Addresses: []string{"10.2.0.5"}, Where: at("10.2.0.5:7777", "10.2.0.5:7777")},
		{Name: "east", Role: ports.Agent, Addresses: []string{"10.2.0.6"}},
		{Name: "hq1", Role: ports.Server, Addresses: []string{"hq1", "hq1", "fd00::5"}, Where: at("hq1", "[fd00::5]:99", "fd00::6")},
	})
	var got []string
	for _, n := range book.Nodes {
		line := n.Name + " " + strings.Join(n.Addresses, ",")
		for _, s := range n.Services {
			line += fmt.Sprintf(" %s=%v%v", s.ID, s.Places, s.Doors)
		}
		got = append(got, line)
	}
	want := []string{
		"east 10.2.0.6",
		"hq1 hq1,fd00::5 all=[hq1:10 [fd00::5]:99 [fd00::6]:10][api link] auth=[hq1:11 [fd00::5]:99 [fd00::6]:11][auth]",
		"west 10.2.0.5 all=[10.2.0.5:7777][link]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestSpeaks: which language a row is in follows from the plan alone.
func TestSpeaks(t *testing.T) {
	t.Parallel()
	row := func(id string, protocol ports.Protocol, doors ...string) ports.Claim {
		return ports.Claim{Service: id, Protocol: protocol, Status: ports.Works, Doors: doors}
	}
	mapper := row("mapper", ports.TCP, "directory")
	mapper.RPC.Role = "portmapper"
	c := ports.Compiled{Claims: []ports.Claim{
		row("naming", ports.TCP, "directory"), row("names", ports.TCP, "directory"), row("names", ports.UDP, "directory"), mapper,
		row("find", ports.UDP, "discovery"), row("both", ports.TCP, "directory", "api"), row("both", ports.UDP, "directory", "api"),
	}}
	want := []Language{HTTP, DNS, DNS, RPC, Discovery, HTTP, HTTP}
	for i, cl := range c.Claims {
		if got := Speaks(c, cl); got != want[i] {
			t.Errorf("%s/%s: %s, want %s", cl.Service, cl.Protocol, got, want[i])
		}
	}
}

func TestPlaceString(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]Place{"a:1": {"a", 1}, "[::1]:2": {"::1", 2}, "10.0.0.1:3": {"10.0.0.1", 3}} {
		if p.String() != want {
			t.Errorf("%v, want %s", p, want)
		}
	}
	if _, err := netip.ParseAddrPort(Place{"::1", 2}.String()); err != nil {
		t.Error(err)
	}
}
