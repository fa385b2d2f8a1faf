package probe

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/dialect"
)

const (
	reevePID   = 100
	foreignPID = 200
	reevePath  = "/usr/local/bin/reeve"
)

// site is a small plan: one row of each kind.
func site(t *testing.T) ports.Site {
	t.Helper()
	claim := func(id string, port ports.Port, roles ...string) ports.Claim {
		return ports.Claim{Service: id, Name: id, Protocol: ports.TCP, Port: port, Listeners: roles, Binds: true, Scope: ports.External, Status: ports.Works}
	}
	inner := claim("inner", 2684, "server")
	inner.Scope = ports.SameHost
	held := claim("held", 2686, "server")
	held.Status = ports.Reserved
	wake := claim("mpnjsc", 1952, "desk")
	udp := wake
	udp.Protocol = ports.UDP
	other := claim("trap", 10162, "server")
	other.Status = ports.Foreign
	off := claim("plain", 2099, "server")
	off.Status = ports.Inactive
	mail := claim("smtp", 25, "smtp-server")
	mail.Binds = false
	pool := claim("callback", 59870, "server")
	pool.Last, pool.Pool = 59999, true
	even := claim("containers", 4000, "server")
	even.Last, even.Pool, even.Parity = 4999, true, ports.Even
	return ports.Site{Compiled: ports.Compiled{
		Plan:   "sketch",
		Kinds:  map[string]ports.RoleKind{"server": ports.Server, "executor": ports.Agent, "desk": ports.Desk, "smtp-server": ports.Unmanaged},
		Claims: []ports.Claim{claim("jmnet", 9352, "server", "executor"), inner, held, wake, udp, other, off, mail, pool, even, claim("mapper", 111, "executor")},
		Flows:  []ports.ResolvedFlow{{Service: "smtp", Protocol: ports.TCP, Port: 25, Flow: ports.Flow{From: "server", To: "smtp-server"}}},
	}}
}

// quiet is a host on which nothing listens, and whose ephemeral range no row meets.
func quiet() Observation {
	return Observation{
		System: "linux", Host: "hq1", Seen: true, Low: 1024, Privileged: true, Users: map[uint32]string{0: "root", 1000: "ann"},
		Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1"), netip.MustParseAddr("10.1.0.5")},
		Ephemeral: []ports.Range{span(32768, 40000)},
		Settings:  []Setting{{Name: rangeSetting, Ranges: []ports.Range{span(32768, 40000)}}},
	}
}

func listener(local string, who ...Process) Socket {
	return Socket{Protocol: ports.TCP, Listens: true, Local: netip.MustParseAddrPort(local), UID: 1000, Inode: 7, Owners: who}
}

func foreign() Process {
	return Process{PID: foreignPID, Parent: 1, Program: "nc", Path: "/usr/bin/nc"}
}
func own() Process { return Process{PID: reevePID, Parent: 1, Program: "reeve", Path: reevePath} }

// checked runs Check as Reeve's own program would.
func checked(t *testing.T, s ports.Site, obs Observation, ask Ask) []Finding {
	t.Helper()
	ask.Own.Programs = append(ask.Own.Programs, reevePath)
	found, err := Check(s, obs, ask)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// about returns the findings of one row.
func about(found []Finding, id string) []Finding {
	return slices.DeleteFunc(slices.Clone(found), func(f Finding) bool { return f.ID != id })
}

// one returns the only finding of a row, of a state.
func one(t *testing.T, found []Finding, id string, state State) Finding {
	t.Helper()
	list := about(found, id)
	if len(list) != 1 || list[0].State != state {
		t.Fatalf("%s: got %+v, want one finding with state %s", id, list, state)
	}
	return list[0]
}

func bad(found []Finding) []Finding {
	return slices.DeleteFunc(slices.Clone(found), func(f Finding) bool { return !f.Bad() })
}

// Nothing listens: every row that is bound and in use is free, the others are not mentioned.
func TestQuietHost(t *testing.T) {
	t.Parallel()
	found := checked(t, site(t), quiet(), Ask{})
	var got []string
	for _, f := range found {
		got = append(got, f.ID+"/"+string(f.Protocol)+" "+string(f.State))
	}
	want := []string{"jmnet/tcp free", "inner/tcp free", "held/tcp free", "mpnjsc/tcp free", "mpnjsc/udp free", "callback/tcp free", "containers/tcp free", "mapper/tcp free"}
	if !slices.Equal(got, want) || len(bad(found)) != 0 {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Which rows belong on a host: by its roles, by kinds that stand for several, by one role alone.
func TestRowsOfAHost(t *testing.T) {
	t.Parallel()
	s := site(t)
	s.Inventory.Hosts = []ports.Host{
		{Name: "hq1", Roles: []string{"server"}, Bind: []string{"10.1.0.5"}, Services: []ports.HostService{{Service: "jmnet", Port: 19352, Bind: []string{"10.1.0.6"}}}},
		{Name: "ex1", Roles: []string{"agent"}},
	}
	ids := func(ask Ask) (ids []string) {
		rows, err := Rows(s, ask)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			ids = append(ids, r.Service)
		}
		return ids
	}
	for ask, want := range map[[2]string][]string{
		{"hq1", ""}:      {"jmnet", "inner", "held", "callback", "containers"},
		{"ex1", ""}:      {"jmnet", "mapper"}, // the kind stands for the plan's role
		{"", "desk"}:     {"mpnjsc", "mpnjsc"},
		{"", "executor"}: {"jmnet", "mapper"},
	} {
		if got := ids(Ask{Host: ask[0], Role: ask[1]}); !slices.Equal(got, want) {
			t.Errorf("%v: got %v, want %v", ask, got, want)
		}
	}
	rows, _ := Rows(s, Ask{Host: "hq1"})
	if r := rows[0]; r.Port != 19352 || address(r.Addresses) != "10.1.0.6" {
		t.Errorf("jmnet on hq1: got %d on %s, want the host's own number and address", r.Port, address(r.Addresses))
	}
	if r := rows[1]; address(r.Addresses) != "127.0.0.1, ::1" {
		t.Errorf("a same-host row listens on %s", address(r.Addresses))
	}
	for _, ask := range []Ask{{Host: "nobody"}, {Role: "nobody"}} {
		if _, err := Check(s, quiet(), ask); err == nil {
			t.Errorf("%+v is taken", ask)
		}
	}
}

// SW-1: who has the port, and both remedies. The number that is proposed is one that nobody has.
func TestTaken(t *testing.T) {
	t.Parallel()
	obs := quiet()
	obs.Sockets = []Socket{listener("0.0.0.0:9352", foreign()), listener("0.0.0.0:19352", foreign())}
	f := one(t, checked(t, site(t), obs, Ask{}), "jmnet", Taken)
	if f.Holder == nil || *f.Holder.PID != foreignPID || *f.Holder.Program != "nc" || *f.Holder.User != "ann" || f.Holder.UID != 1000 || !f.Bad() {
		t.Errorf("holder: %+v", f.Holder)
	}
	if len(f.Remedies) != 2 || !strings.Contains(f.Remedies[0], "give nc another port") || !strings.Contains(f.Remedies[1], "{id: jmnet, port: 19353}") ||
		!strings.Contains(f.Remedies[1], "{plan: site, extends: sketch, services: [{id: jmnet, port: 19353}]}") {
		t.Errorf("remedies: %q", f.Remedies)
	}
	// Another user's process cannot be seen: its user is named, and nothing is invented.
	obs.Sockets = []Socket{listener("0.0.0.0:9352")}
	f = one(t, checked(t, site(t), obs, Ask{}), "jmnet", Taken)
	if f.Holder.PID != nil || f.Holder.Program != nil || *f.Holder.User != "ann" || !strings.Contains(f.Note, "only root can see") {
		t.Errorf("holder: %+v, note %q", f.Holder, f.Note)
	}
}

// F57, F64: which listeners are in the way of which rows. The table is the lattice of addresses over both families.
func TestAddressesMeet(t *testing.T) {
	t.Parallel()
	only := func(s Socket) Socket { s.V6Only = true; return s }
	for _, c := range []struct {
		bind   []string
		socket Socket
		want   State
	}{
		{nil, listener("0.0.0.0:9352", foreign()), Taken},
		{nil, listener("[::]:9352", foreign()), Taken},
		{nil, only(listener("[::]:9352", foreign())), Taken},
		{nil, listener("127.0.0.1:9352", foreign()), Shadowed},
		{nil, listener("[::1]:9352", foreign()), Shadowed},
		{[]string{"10.1.0.5"}, listener("10.1.0.5:9352", foreign()), Taken},
		{[]string{"10.1.0.5"}, listener("0.0.0.0:9352", foreign()), Shadowed},
		{[]string{"10.1.0.5"}, listener("[::]:9352", foreign()), Shadowed},
		{[]string{"10.1.0.5"}, only(listener("[::]:9352", foreign())), Free},
		{[]string{"10.1.0.5"}, listener("127.0.0.1:9352", foreign()), Free},
		{[]string{"0.0.0.0"}, only(listener("[::]:9352", foreign())), Free},
		{[]string{"0.0.0.0"}, listener("[::]:9352", foreign()), Taken},
		{[]string{"0.0.0.0"}, listener("[::1]:9352", foreign()), Free},
		{[]string{"::"}, listener("0.0.0.0:9352", foreign()), Free},
		{[]string{"::"}, listener("[::]:9352", foreign()), Taken},
		{[]string{"127.0.0.1"}, listener("127.0.0.2:9352", foreign()), Free},
		{[]string{"127.0.0.1", "10.1.0.5"}, listener("10.1.0.5:9352", foreign()), Taken},
		{[]string{"::ffff:10.1.0.5"}, listener("10.1.0.5:9352", foreign()), Taken},
	} {
		s := site(t)
		s.Inventory.Hosts = []ports.Host{{Name: "hq1", Roles: []string{"server"}, Bind: c.bind}}
		obs := quiet()
		obs.Sockets = []Socket{c.socket}
		f := one(t, checked(t, s, obs, Ask{Host: "hq1"}), "jmnet", c.want)
		if f.State == Shadowed && len(c.bind) == 0 && !strings.Contains(strings.Join(f.Remedies, "\n"), "inventory: bind") {
			t.Errorf("row on %v, %s: %q does not say that the row may listen elsewhere", c.bind, c.socket.Local, f.Remedies)
		}
	}
	// Reeve has IPv4, another program IPv6 of the same number: both bind, and who asks for the IPv6 address is misled.
	obs := quiet()
	obs.Sockets = []Socket{listener("0.0.0.0:9352", own()), only(listener("[::]:9352", foreign()))}
	if f := one(t, checked(t, site(t), obs, Ask{}), "jmnet", Shadowed); *f.Holder.PID != foreignPID {
		t.Errorf("holder: %+v", f.Holder)
	}
}

// Reeve's own listeners are known by its program, also where a unit of systemd holds the socket beside it.
func TestOurs(t *testing.T) {
	t.Parallel()
	obs := quiet()
	obs.Sockets = []Socket{
		listener("[::]:9352", Process{PID: 1, Program: "systemd", Path: "/usr/lib/systemd/systemd"}, own()),
		{Protocol: ports.TCP, Local: netip.MustParseAddrPort("10.1.0.5:9352"), Remote: netip.MustParseAddrPort("10.1.0.9:50000"), Owners: []Process{own()}},
	}
	found := checked(t, site(t), obs, Ask{})
	if f := one(t, found, "jmnet", Ours); f.Holder == nil || len(bad(found)) != 0 {
		t.Errorf("got %+v", f)
	}
	// A program that is only called so is not Reeve.
	obs.Sockets = []Socket{listener("[::]:9352", Process{PID: 5, Program: "reeve", Path: "/tmp/reeve"})}
	one(t, checked(t, site(t), obs, Ask{}), "jmnet", Taken)
}

// F55: a listener that only children have: connects succeed, nobody answers.
func TestGhost(t *testing.T) {
	t.Parallel()
	obs := quiet()
	ghost := listener("[::]:9352", Process{PID: 300, Parent: 1, Program: "sleep", Path: "/usr/bin/sleep", Job: "night/copy of r-7"})
	ghost.Waiting = 3
	obs.Sockets = []Socket{ghost}
	f := one(t, checked(t, site(t), obs, Ask{}), "jmnet", Ghost)
	if !strings.Contains(f.Note, "night/copy of r-7") || !strings.Contains(f.Note, "3 connections wait") || f.Holder.Job == "" {
		t.Errorf("got %+v", f)
	}
	obs.Sockets = []Socket{listener("[::]:9352", Process{PID: 300, Parent: reevePID, ParentProgram: "reeve", Program: "sleep", Path: "/usr/bin/sleep"})}
	one(t, checked(t, site(t), obs, Ask{}), "jmnet", Ghost)
	// As long as Reeve has it too, it is Reeve's.
	obs.Sockets[0].Owners = append(obs.Sockets[0].Owners, own())
	one(t, checked(t, site(t), obs, Ask{}), "jmnet", Ours)
}

// F34, F40: a port that is the source of a connection cannot be bound; who has it, and with whom, is said.
func TestSourceOfAConnection(t *testing.T) {
	t.Parallel()
	dial := func(local string) Socket {
		return Socket{Protocol: ports.TCP, Local: netip.MustParseAddrPort(local), Remote: netip.MustParseAddrPort("203.0.113.7:443"), UID: 1000, Owners: []Process{foreign()}}
	}
	obs := quiet()
	obs.Sockets = []Socket{dial("10.1.0.5:9352"), dial("10.1.0.5:59900")}
	found := checked(t, site(t), obs, Ask{})
	f := one(t, found, "jmnet", Taken)
	if f.Holder.Peer != "203.0.113.7:443" || !strings.Contains(f.Note, "nc (pid 200) of user ann has it as its end of a connection to 203.0.113.7:443") {
		t.Errorf("got %+v %q", f.Holder, f.Note)
	}
	if f := one(t, found, "callback", Taken); f.Port != 59900 || f.Last != 0 || !strings.Contains(f.Remedies[1], `range: ["59870-59899", "59901-59999"]`) {
		t.Errorf("got %+v", f)
	}
}

// F37, F36: what listens inside a range of the plan without a lease is found; a lease makes it Reeve's.
func TestInsideAPool(t *testing.T) {
	t.Parallel()
	obs := quiet()
	job := Process{PID: 300, Parent: 250, Program: "java", Path: "/usr/bin/java", Job: "acs/c1 of r-1"}
	obs.Sockets = []Socket{listener("0.0.0.0:59900", foreign()), listener("0.0.0.0:4002", job), listener("0.0.0.0:4003", foreign())}
	found := checked(t, site(t), obs, Ask{})
	if f := one(t, found, "callback", Unplanned); f.Port != 59900 || *f.Holder.PID != foreignPID || len(f.Remedies) != 2 {
		t.Errorf("got %+v", f)
	}
	if f := one(t, found, "containers", Unplanned); f.Port != 4002 || !strings.Contains(f.Note, "without a lease") { // 4003 is odd: not the pool's
		t.Errorf("got %+v", f)
	}
	ask := Ask{Own: Own{Leases: []Lease{{Name: "c1", Protocol: ports.TCP, Port: 4002, PID: 250}, {Protocol: ports.TCP, Port: 59900, PID: 999}}}}
	found = checked(t, site(t), obs, ask)
	one(t, found, "containers", Ours)
	one(t, found, "callback", Unplanned) // F20: a lease whose port another program has is not Reeve's
	// Many findings about one pool are cut.
	obs.Sockets = nil
	for p := range 60 {
		obs.Sockets = append(obs.Sockets, listener(netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(59870+p)).String(), foreign()))
	}
	if n := len(about(checked(t, site(t), obs, Ask{}), "callback")); n != maxOfPool+1 {
		t.Errorf("%d findings, want %d", n, maxOfPool+1)
	}
}

// F36: Reeve itself listens on nothing that no row has. Other instances' rows are rows.
func TestUnplanned(t *testing.T) {
	t.Parallel()
	obs := quiet()
	obs.Sockets = []Socket{listener("127.0.0.1:6060", own()), listener("0.0.0.0:2099", own())}
	udp := listener("0.0.0.0:33000", own())
	udp.Protocol = ports.UDP
	obs.Sockets = append(obs.Sockets, udp, listener("0.0.0.0:8080", foreign()))
	var got []string
	for _, f := range bad(checked(t, site(t), obs, Ask{})) {
		got = append(got, string(f.State)+" "+f.Address+" "+f.Note)
	}
	if len(got) != 2 || !strings.Contains(got[0], "127.0.0.1") || !strings.Contains(got[1], "the row plain has it (inactive)") {
		t.Errorf("got %q", got)
	}
	also := ports.Compiled{Claims: []ports.Claim{{Service: "x", Protocol: ports.TCP, Port: 6060, Binds: true}}}
	if n := len(bad(checked(t, site(t), obs, Ask{Also: []ports.Compiled{also}}))); n != 1 {
		t.Errorf("%d findings beside another instance's row, want 1", n)
	}
	// A row for this host alone that listens for all is as bad.
	obs.Sockets = []Socket{listener("0.0.0.0:2684", own())}
	if f := one(t, checked(t, site(t), obs, Ask{}), "inner", Unplanned); !strings.Contains(f.Note, "for this host alone") {
		t.Errorf("got %+v", f)
	}
}

func services(text string) (dialect.ServicesFile, string) {
	s, _ := dialect.ParseServices("/etc/services", []byte(text))
	return s, "/etc/services"
}

// The services file gives a name another number, or a number another name; also for a row that is only dialled.
func TestServicesFile(t *testing.T) {
	t.Parallel()
	obs := quiet()
	obs.Services, obs.ServicesAt = services("JMNET 9999/tcp\nsmtp 2525/tcp\nsunrpc 111/tcp portmapper\nmpnjsc 1952/tcp\nalias 1952/udp MPNJSC\n")
	found := checked(t, site(t), obs, Ask{})
	f := one(t, bad(found), "jmnet", ServicesFile)
	if !strings.Contains(f.Note, "/etc/services:1 gives jmnet the number 9999, and the plan 9352") || !strings.Contains(f.Remedies[1], "{id: jmnet, port: 9999}") {
		t.Errorf("got %+v", f)
	}
	one(t, bad(found), "smtp", ServicesFile)
	if len(bad(found)) != 2 {
		t.Errorf("got %+v", bad(found))
	}
	// What another program serves has its own name there.
	mapped := site(t)
	for i := range mapped.Compiled.Claims {
		if mapped.Compiled.Claims[i].Service == "mapper" {
			mapped.Compiled.Claims[i].RPC.Role = "portmapper"
		}
	}
	one(t, checked(t, mapped, obs, Ask{}), "mapper", Free)
	mapper := about(found, "mapper")
	if len(mapper) != 2 || mapper[0].State != Free || mapper[1].State != ServicesFile || mapper[1].Severity != ports.Warning || !strings.Contains(mapper[1].Note, "sunrpc") {
		t.Errorf("mapper: %+v", mapper)
	}
}

// The second numbers of a pool's pairs are the pool's; a remedy is written where the site's own plan is.
func TestPairs(t *testing.T) {
	t.Parallel()
	s := site(t)
	debug := s.Compiled.Claims[9]
	debug.Service, debug.Pair, debug.Pool, debug.Parity, debug.Port, debug.Scope = "containers.debug", "containers", false, ports.Odd, 4001, ports.SameHost
	s.Compiled.Claims = append(s.Compiled.Claims, debug)
	obs := quiet()
	obs.Sockets = []Socket{listener("127.0.0.1:4003", foreign()), listener("127.0.0.1:4005", Process{PID: 300, Parent: 250, Job: "acs/c2 of r-1"})}
	ask := Ask{File: "site.yaml", Own: Own{Leases: []Lease{{Protocol: ports.TCP, Port: 4005, PID: 250}}}}
	found := checked(t, s, obs, ask)
	one(t, found, "containers", Free)
	f := one(t, found, "containers.debug", Unplanned)
	if f.Port != 4003 || !strings.Contains(f.Note, "inside the pool containers") || !strings.Contains(f.Remedies[1], "in site.yaml: pools: [{id: containers, range: FIRST-LAST}]") {
		t.Errorf("got %+v", f)
	}
}
