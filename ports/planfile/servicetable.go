package planfile

import (
	"github.com/reeve-scheduler/reeve/ports"
)

// freshService is a service of which nothing is said yet.
func freshService() ports.Service {
	return ports.Service{Binds: true, Scope: ports.External, Status: ports.Works}
}

// serviceTable is everything that a service may say.
func serviceTable() *table[ports.Service] {
	type service = ports.Service
	return &table[service]{
		what:   "a service",
		place:  func(s *service) *ports.Place { return &s.At },
		check:  checkService,
		limits: schema{"not": anyOf(requires("port", "family"), requires("port", "offset"))},
		fields: []field[service]{
			is("id", id[string](), func(s *service) *string { return &s.ID }, "its name in the plan").must(),
			is("function", text[string](), func(s *service) *string { return &s.Function }, "the page's word for what it does"),
			is("name", template(), func(s *service) *string { return &s.Name }, "as it stands in a services file"),
			is("srv_name", text[string](), func(s *service) *string { return &s.SRVName }, "the name in DNS SRV records, where name is not one of RFC 6335"),
			is("port", formula(), func(s *service) *ports.Formula { return &s.Port }, "its number; one of port, family and alternates"),
			is("family", id[string](), func(s *service) *string { return &s.Family }, "the family whose formula gives the number"),
			is("offset", orZero(number[int](0, maxPort)), func(s *service) *int { return &s.Offset }, "the number's place in the family").
				unless(func(s *service) bool { return s.Family == "" }),
			is("cases", listed(caseTable()), func(s *service) *[]ports.Case { return &s.Cases }, "the first that holds replaces port and name"),
			is("alternates", listed(alternateTable()), func(s *service) *[]ports.Alternate { return &s.Alternates }, "exactly one is active; the others are listed as inactive, and checked too"),
			is("override", object(overrideTable()), func(s *service) *ports.Override { return &s.Override }, "what may give it another number"),
			is("protocol", listOf(word(ports.TCP, ports.UDP)), func(s *service) *[]ports.Protocol { return &s.Protocols }, "its transports"),
			is("tls", flag(false), func(s *service) *bool { return &s.TLS }, "whether it speaks TLS").or("false"),
			is("door", listOf(word(ports.Doors()...)), func(s *service) *[]string { return &s.Doors }, "the parts of the system that it opens"),
			is("runs_on", listOf(id[string]()), func(s *service) *[]string { return &s.RunsOn }, "roles on which it listens, besides the destinations of its flows"),
			is("binds", flag(true), func(s *service) *bool { return &s.Binds }, "false: a target that another program serves").or("true"),
			is("scope", word(ports.External, ports.SameHost, ports.Remote), func(s *service) *ports.Scope { return &s.Scope }, "from where it may be reached").or("external").
				unless(func(s *service) bool { return s.Scope == ports.External }),
			is("status", word(ports.Works, ports.Reserved, ports.Foreign, ports.Inactive), func(s *service) *ports.Status { return &s.Status }, "what stands behind it").or("works").
				unless(func(s *service) bool { return s.Status == ports.Works }),
			is("application", text[string](), func(s *service) *string { return &s.Application }, "what a firewall lets through where no number exists"),
			is("rpc", object(rpcTable()), func(s *service) *ports.RPC { return &s.RPC }, "of a row whose number a port mapper gives"),
			is("modes", listOf(word("unicast", "broadcast")), func(s *service) *[]string { return &s.Modes }, "of discovery"),
			is("verify", mark("unproven", "required"), func(s *service) *bool { return &s.Unproven }, "unproven: no proof can be had; it is reported, and never green").or("required"),
			is("deprecated", flag(false), func(s *service) *bool { return &s.Deprecated }, "the page doubts that it is still used").or("false"),
			is("per_host", flag(false), func(s *service) *bool { return &s.PerHost }, "once for each computer, the same for all instances").or("false"),
			is("window", interval1(), func(s *service) *ports.Range { return &s.Window }, "the page's reservation, in which the number lies"),
			is("services_file", object(servicesFileTable()), func(s *service) *ports.ServicesFile { return &s.ServicesFile }, "whether a line is added to a services file"),
			is("when", id[string](), func(s *service) *string { return &s.When }, "a condition's id: the row applies where it holds"),
			is("origin", text[string](), func(s *service) *string { return &s.Origin }, "where the row comes from; ours if no page states it"),
			is("was", textOrNumber(), func(s *service) *string { return &s.Was }, "the number it had before"),
			is("note", text[string](), func(s *service) *string { return &s.Note }, "one line for people"),
			is("flows", listed(flowTable()), func(s *service) *[]ports.Flow { return &s.Flows }, "who connects to whom, and what for"),
		},
	}
}

// checkService lets a service say its number in one way only. Over a base, the way that is given replaces the other.
func checkService(r *reader, at ports.Place, s *ports.Service, given given) {
	alternates := given.has("alternates") && len(s.Alternates) > 0
	family := given.has("family") || given.has("offset")
	switch {
	case given.has("port") && family:
		r.add(given.of("port").at, "the service %q has both port and family: give one of port, family, alternates", s.ID)
	case given.has("port") && alternates:
		r.add(given.of("alternates").at, "the service %q has both port and alternates: give one of port, family, alternates", s.ID)
	case family && alternates:
		r.add(given.of("alternates").at, "the service %q has both family and alternates: give one of port, family, alternates", s.ID)
	case given.has("port"):
		s.Family, s.Offset, s.Alternates = "", 0, nil
	case family:
		s.Port, s.Alternates = "", nil
		if s.Family == "" {
			r.add(given.of("offset").at, "the service %q has an offset and no family", s.ID)
		} else if !given.has("offset") {
			r.add(given.of("family").at, "the service %q needs the offset of its number in the family", s.ID)
		}
	case alternates:
		s.Port, s.Family, s.Offset = "", "", 0
	}
	if r.base == "" || !given.has("port") || len(s.Protocols) > 0 {
		return
	}
	if near := ports.Nearest(s.ID, r.baseIDs); near != "" && near != s.ID {
		r.add(at, "the plan %s has no service %q to change, and a new one needs a protocol; did you mean %s?", r.base, s.ID, near)
	}
}

func caseTable() *table[ports.Case] {
	type row = ports.Case
	return &table[row]{
		what:  "a case",
		place: func(c *row) *ports.Place { return &c.At },
		fields: []field[row]{
			is("when", guard(), func(c *row) *ports.Guard { return &c.When }, "the test").must(),
			is("name", template(), func(c *row) *string { return &c.Name }, "the name then; it may name variables in braces").or("as it is"),
			is("port", formula(), func(c *row) *ports.Formula { return &c.Port }, "the number then").or("as it is"),
		},
	}
}

func alternateTable() *table[ports.Alternate] {
	type row = ports.Alternate
	return &table[row]{
		what:  "an alternate",
		place: func(a *row) *ports.Place { return &a.At },
		fields: []field[row]{
			is("when", guard(), func(a *row) *ports.Guard { return &a.When }, "the test that chooses it").must(),
			is("port", formula(), func(a *row) *ports.Formula { return &a.Port }, "its number").must(),
			is("tls", flag(false), func(a *row) *bool { return &a.TLS }, "whether it speaks TLS").or("false"),
			is("origin", text[string](), func(a *row) *string { return &a.Origin }, "where its rows come from").or("the row's"),
		},
	}
}

func overrideTable() *table[ports.Override] {
	type override = ports.Override
	return &table[override]{
		what: "an override",
		fields: []field[override]{
			is("by", word(ports.ByServicesFile, ports.ByFlag, ports.ByEnvironment), func(o *override) *ports.OverrideBy { return &o.By }, "what gives the number").need(),
			is("key", text[string](), func(o *override) *string { return &o.Key }, "the name in the services file, the flag, or the variable").need(),
			is("range", interval1(), func(o *override) *ports.Range { return &o.Range }, "what it may be").or("any port"),
		},
	}
}

func rpcTable() *table[ports.RPC] {
	type rpc = ports.RPC
	return &table[rpc]{
		what: "rpc",
		fields: []field[rpc]{
			is("kind", word("oncrpc", "msrpc"), func(x *rpc) *string { return &x.Kind }, "which port mapper").need(),
			is("role", word("portmapper"), func(x *rpc) *string { return &x.Role }, "of the mapper itself"),
			is("program", program(), func(x *rpc) *uint32 { return &x.Program }, "the ONC RPC program number of a registrant"),
			is("version", number[uint32](0, anyNumber), func(x *rpc) *uint32 { return &x.Version }, "the program's version"),
			is("registers", listOf(id[string]()), func(x *rpc) *[]string { return &x.Registers }, "services that register with this mapper"),
			is("dynamic", textOrNumber(), func(x *rpc) *string { return &x.Dynamic }, "where the numbers come from: a range, or os:dynamicport"),
		},
	}
}

func servicesFileTable() *table[ports.ServicesFile] {
	type file = ports.ServicesFile
	return &table[file]{
		what: "services_file",
		fields: []field[file]{
			is("windows", word(ports.Auto, ports.Manual), func(f *file) *ports.Addition { return &f.Windows }, "on Windows: auto without being asked for, manual on request"),
			is("unix", word(ports.Auto, ports.Manual), func(f *file) *ports.Addition { return &f.Unix }, "the same on Unix"),
		},
	}
}

func flowTable() *table[ports.Flow] {
	type flow = ports.Flow
	return &table[flow]{
		what:  "a flow",
		place: func(f *flow) *ports.Place { return &f.At },
		fields: []field[flow]{
			is("from", id[string](), func(f *flow) *string { return &f.From }, "the role that connects").must(),
			is("to", id[string](), func(f *flow) *string { return &f.To }, "the role that is connected to").must(),
			is("purpose", text[string](), func(f *flow) *string { return &f.Purpose }, "what for"),
			is("carries", listOf(word(ports.Carriers()...)), func(f *flow) *[]string { return &f.Carries }, "the system's own conversations that go over it"),
			is("rank", number[int](0, anyNumber), func(f *flow) *int { return &f.Rank }, "its turn among the flows that carry the same, from 1").or("behind those that have one"),
			is("when", id[string](), func(f *flow) *string { return &f.When }, "a condition's id"),
			is("origin", text[string](), func(f *flow) *string { return &f.Origin }, "where the flow comes from").or("the row's"),
			is("mirror", mark("both-ends", "none"), func(f *flow) *bool { return &f.Mirror }, "both-ends: both ends must name the same number").or("none"),
			is("note", text[string](), func(f *flow) *string { return &f.Note }, "one line for people"),
		},
	}
}
