package planfile

import (
	"slices"
	"time"

	"github.com/reeve-scheduler/reeve/ports"
)

// poolTable is everything that a pool may say: what a service says, without its number, and how it is leased from.
func poolTable() *table[ports.Pool] {
	type pool = ports.Pool
	t := &table[pool]{what: "a pool", place: func(x *pool) *ports.Place { return &x.At }, check: checkPool}
	notOfPools := []string{"port", "family", "offset", "cases", "alternates", "override"}
	for _, f := range serviceTable().fields {
		if slices.Contains(notOfPools, f.name) {
			continue
		}
		if f.name == "protocol" {
			t.fields = append(t.fields, poolFields()...)
		}
		t.fields = append(t.fields, lift(f, func(x *pool) *ports.Service { return &x.Service }))
	}
	return t
}

// poolFields are those that only pools have.
func poolFields() []field[ports.Pool] {
	type pool = ports.Pool
	return []field[pool]{
		poolRange(),
		is("parity", word(ports.Even, ports.Odd), func(x *pool) *ports.Parity { return &x.Parity }, "which of the numbers are leased").or("all"),
		is("cases", listed(poolCaseTable()), func(x *pool) *[]ports.Case { return &x.Cases }, "the first that holds replaces range, parity and name"),
		is("alternates", listed(poolAlternateTable()), func(x *pool) *[]ports.Alternate { return &x.Alternates }, "exactly one is active; the others are listed as inactive"),
		is("pair", object(pairTable()), func(x *pool) *ports.Pair { return &x.Pair }, "a second number for each lease that asks for it"),
		is("pick", word(ports.Ascending, ports.LRU, ports.Random), func(x *pool) *ports.Pick { return &x.Pick }, "how a free number is chosen").or("ascending"),
		is("sticky", object(stickyTable()), func(x *pool) *ports.Sticky { return &x.Sticky }, "same name, same number"),
		is("hold", object(holdTable()), func(x *pool) *ports.Hold { return &x.Hold }, "keeps a released number away from the next lease"),
		is("lease", object(leaseTable()), func(x *pool) *ports.LeaseRule { return &x.Lease }, "what a lease is"),
		is("capacity", object(capacityTable()), func(x *pool) *ports.Capacity { return &x.Capacity }, "what the pool must carry"),
		is("fallback", word("rendezvous"), func(x *pool) *string { return &x.Fallback }, "one port for all where the pool is full or forbidden"),
	}
}

// poolRange is the pool's own numbers. Where it has neither cases nor alternates, that there are none is said.
func poolRange() field[ports.Pool] {
	type pool = ports.Pool
	k, said := poolNumbers(true, false), poolNumbers(true, true)
	return field[pool]{
		fieldDoc: fieldDoc{name: "range", form: k.form, schema: k.schema, inner: k.inner, meaning: "its numbers; unassigned: the site must give them"},
		read: func(r *reader, n *node, x *pool) {
			got := numbers{Span: x.Span, down: x.Down}
			k.read(r, n, "range", &got)
			x.Span, x.Down = got.Span, got.down
		},
		write: func(x *pool) *written {
			if len(x.Cases)+len(x.Alternates) == 0 {
				return said.write(numbers{Span: x.Span, down: x.Down})
			}
			return k.write(numbers{Span: x.Span, down: x.Down})
		},
	}
}

// spanOf is the range of a case or an alternate, which goes the pool's way.
func spanOf[T any](name string, get func(*T) *ports.Span, emptyIsSaid bool, meaning string) field[T] {
	k := poolNumbers(false, emptyIsSaid)
	return field[T]{
		fieldDoc: fieldDoc{name: name, form: k.form, schema: k.schema, inner: k.inner, meaning: meaning},
		read: func(r *reader, n *node, x *T) {
			var got numbers
			k.read(r, n, name, &got)
			*get(x) = got.Span
		},
		write: func(x *T) *written { return k.write(numbers{Span: *get(x)}) },
	}
}

func checkPool(r *reader, at ports.Place, x *ports.Pool, given given) {
	alternates := given.has("alternates") && len(x.Alternates) > 0
	switch {
	case given.has("range") && alternates:
		r.add(given.of("alternates").at, "the pool %q has both range and alternates: give one of them", x.ID)
	case given.has("range"):
		x.Alternates = nil
	case alternates:
		x.Span, x.Down = ports.Span{}, false
	case !given.has("cases") && empty(x.Span) && len(x.Cases)+len(x.Alternates) == 0:
		r.add(at, "the pool %q needs a range; range: unassigned where the site must give it", x.ID)
	}
}

func empty(s ports.Span) bool { return len(s.Ranges) == 0 && s.From == 0 && s.Family == "" }

func poolCaseTable() *table[ports.Case] {
	type row = ports.Case
	return &table[row]{
		what:  "a case",
		place: func(c *row) *ports.Place { return &c.At },
		fields: []field[row]{
			is("when", guard(), func(c *row) *ports.Guard { return &c.When }, "the test").must(),
			is("name", template(), func(c *row) *string { return &c.Name }, "the name then; it may name variables in braces").or("as it is"),
			spanOf("range", func(c *row) *ports.Span { return &c.Span }, false, "the numbers then"),
			is("parity", word(ports.Even, ports.Odd), func(c *row) *ports.Parity { return &c.Parity }, "the parity then").or("as it is"),
		},
		check: func(r *reader, _ ports.Place, c *row, given given) {
			if given.has("range") && empty(c.Span) {
				r.add(given.of("range").at, "a case cannot take the numbers away: leave range out, or give numbers")
			}
		},
	}
}

func poolAlternateTable() *table[ports.Alternate] {
	type row = ports.Alternate
	return &table[row]{
		what:  "an alternate",
		place: func(a *row) *ports.Place { return &a.At },
		fields: []field[row]{
			is("when", guard(), func(a *row) *ports.Guard { return &a.When }, "the test that chooses it").must(),
			spanOf("range", func(a *row) *ports.Span { return &a.Span }, true, "its numbers").must(),
			is("tls", flag(false), func(a *row) *bool { return &a.TLS }, "whether it speaks TLS").or("false"),
			is("origin", text[string](), func(a *row) *string { return &a.Origin }, "where its rows come from").or("the row's"),
		},
	}
}

func pairTable() *table[ports.Pair] {
	type pair = ports.Pair
	return &table[pair]{
		what: "a pair",
		fields: []field[pair]{
			is("id", id[string](), func(p *pair) *string { return &p.ID }, "what a lease asks for").need(),
			is("delta", delta(), func(p *pair) *int { return &p.Delta }, "second number = first + delta").need(),
			is("parity", word(ports.Even, ports.Odd), func(p *pair) *ports.Parity { return &p.Parity }, "of the second number"),
			is("optional", flag(false), func(p *pair) *bool { return &p.Optional }, "only leases that ask for it have one").or("false"),
			is("open", flag(false), func(p *pair) *bool { return &p.Open }, "other hosts may reach it").or("false"),
			is("hint", text[string](), func(p *pair) *string { return &p.Hint }, "the protocol on it, such as jdwp"),
			is("printed", interval1(), func(p *pair) *ports.Range { return &p.Printed }, "as the page prints the second numbers, or their offsets in the family"),
			is("origin", text[string](), func(p *pair) *string { return &p.Origin }, "where it comes from"),
			is("note", text[string](), func(p *pair) *string { return &p.Note }, "one line for people"),
		},
	}
}

// delta is the distance of a pair's numbers.
func delta() kind[int] {
	k := number[int](-maxPort, maxPort)
	read := k.read
	k.schema["not"] = schema{"const": 0}
	k.read = func(r *reader, n *node, what string, to *int) {
		if n.shape == intShape && n.text == "0" {
			r.add(n.at, "%s cannot be 0: a pair has two numbers", what)
			return
		}
		read(r, n, what, to)
	}
	return k
}

func stickyTable() *table[ports.Sticky] {
	type sticky = ports.Sticky
	return &table[sticky]{
		what: "sticky",
		fields: []field[sticky]{
			is("key", template(), func(s *sticky) *string { return &s.Key }, `what names the lease, such as "{instance}/{name}@{host}"`).need(),
			is("on_busy", word("fail", "next"), func(s *sticky) *string { return &s.OnBusy }, "where the number is taken").or("fail"),
			is("host_change", word("deny", "allow"), func(s *sticky) *string { return &s.HostChange }, "where the name comes from another host").or("deny"),
		},
	}
}

func holdTable() *table[ports.Hold] {
	type hold = ports.Hold
	return &table[hold]{
		what: "hold",
		fields: []field[hold]{
			is("min", duration(), func(h *hold) *time.Duration { return &h.Min }, "how long, at least").or("0s"),
			is("reasons", listOf(word("conntrack", "late-callback", "operator", "time-wait")), func(h *hold) *[]string { return &h.Reasons }, "why"),
		},
	}
}

func leaseTable() *table[ports.LeaseRule] {
	type lease = ports.LeaseRule
	return &table[lease]{
		what: "a lease",
		fields: []field[lease]{
			is("owner", text[string](), func(l *lease) *string { return &l.Owner }, "what owns it: task attempt, container, command"),
			is("ttl", duration(), func(l *lease) *time.Duration { return &l.TTL }, "how long it lives without being renewed").or("as long as its owner"),
			is("renew", word("heartbeat"), func(l *lease) *string { return &l.Renew }, "what renews it"),
			is("fence", flag(false), func(l *lease) *bool { return &l.Fence }, "a number that grows guards it against late holders").or("false"),
			is("nonce", number[int](0, 512), func(l *lease) *int { return &l.Nonce }, "bits of the one-time token").or("0"),
			is("liveness", word("process"), func(l *lease) *string { return &l.Liveness }, "process: released when the owner's process is gone"),
		},
	}
}

func capacityTable() *table[ports.Capacity] {
	type capacity = ports.Capacity
	return &table[capacity]{
		what: "a capacity",
		fields: []field[capacity]{
			is("parallel", number[int](0, anyNumber), func(c *capacity) *int { return &c.Parallel }, "leases at one time"),
			is("rate", rate(), func(c *capacity) *float64 { return &c.Rate }, "leases in a time"),
			is("duration", duration(), func(c *capacity) *time.Duration { return &c.Duration }, "of a lease"),
			is("blocking", part(), func(c *capacity) *float64 { return &c.Blocking }, "the part of requests that may find the pool full"),
		},
	}
}
