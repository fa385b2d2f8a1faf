package render

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

const (
	iptComment = 240 // bytes of a comment
	iptPorts   = 15  // numbers of one rule; an interval counts as two
	iptName    = 28  // bytes of a chain's name
)

// iptables renders a script that loads a host's firewall into chains of its own, for both address families, and hangs
// them into INPUT: first what passes, last what closes the rest, so that several plans and instances go together.
func iptables(in Input) ([]byte, error) {
	g, err := newGate(in)
	if err != nil {
		return nil, err
	}
	s := g.newScript(g.notice("#"), list("#", "Opened to others:", g.ins), list("#", "Connected to:", g.outgoing()))
	t := newIPTables(g)
	if in.Undo {
		t.undo(s)
		return s.bytes(), nil
	}
	if err := addresses("iptables", g.ins, sources); err != nil {
		return nil, err
	}
	if err := addresses("iptables", g.outgoing(), destinations); err != nil {
		return nil, err
	}
	s.say("# With the word check it only looks whether the rules can be loaded.")
	s.say(`test=; if [ "${1-}" = check ]; then test=--test; fi` + "\n")
	keep := ""
	for _, f := range families() {
		chains, rules := t.rules(f)
		s.heredoc(iptCommand(f)+"-restore --noflush $test", rules)
		for _, c := range chains {
			keep += " " + iptCommand(f) + ":" + c
		}
	}
	t.hang(s, keep+" ")
	return s.bytes(), g.omitted.err("iptables")
}

func iptCommand(f family) string {
	if f == v4 {
		return "iptables"
	}
	return "ip6tables"
}

// ipTables writes chains. Their names are the base, or the base with a hyphen and a word: no name of another plan's
// chain begins with this base and a hyphen.
type ipTables struct {
	g    gate
	base string
	ways []iptWay
}

// iptWay is what differs between the two directions.
type iptWay struct {
	hook, suffix, addr, device string
	open                       []ports.Opening
	peer                       side
}

func newIPTables(g gate) *ipTables {
	t := &ipTables{g: g, base: g.name, ways: []iptWay{{"INPUT", "", "-s", "-i", g.ins, sources}}}
	t.base = bounded(t.base, iptName-len("-o-end"))
	t.ways = append(t.ways, iptWay{"OUTPUT", "-o", "-d", "-o", g.outs, destinations})
	return t
}

// used are the directions for which there are rules.
func (t *ipTables) used() []iptWay {
	if t.g.restricted() {
		return t.ways
	}
	return t.ways[:1]
}

// rules writes the filter table of one family for iptables-restore, and names its chains.
func (t *ipTables) rules(f family) (chains []string, text string) {
	var rules strings.Builder
	for _, w := range t.used() {
		main := t.base + w.suffix
		chains = append(chains, main, main+"-end")
		say := func(chain, format string, args ...any) { fmt.Fprintf(&rules, "-A "+chain+" "+format+"\n", args...) }
		say(main, `-m comment --comment "%s"`, cut(t.g.brand(), iptComment))
		say(main, "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT")
		say(main, "%s lo -j ACCEPT", w.device)
		if w.hook == "INPUT" {
			for _, b := range bundles(cells(claimed(t.g.closed), sources, f)) {
				for _, chunk := range chunks(b.ranges, iptPorts) {
					say(main, `-p %s %s -m comment --comment "%s" -j DROP`, b.protocol, iptNumbers(chunk), "for the host itself only")
				}
			}
		}
		for _, icmp := range iptICMP(f, w.hook) {
			say(main, "-p %s -j ACCEPT", icmp)
		}
		for i, b := range bundles(cells(w.open, w.peer, f)) {
			parts := chunks(b.ranges, iptPorts)
			to := main
			comment := brief(b.flows, iptComment)
			if len(b.peers) > 1 && len(parts) > 1 {
				to = fmt.Sprintf("%s-%d", main, i+1)
				chains = append(chains, to)
				for _, p := range b.peers {
					say(main, "%s -p %s -j %s", iptPeer(w.addr, p), b.protocol, to)
				}
				b.peers = []netip.Prefix{f.all()}
			}
			for _, p := range b.peers {
				for _, chunk := range parts {
					say(to, `%s -p %s %s -m comment --comment "%s" -j ACCEPT`, iptPeer(w.addr, p), b.protocol, iptNumbers(chunk), comment)
				}
			}
		}
		say(main+"-end", "-j DROP")
	}
	text = "*filter\n"
	for _, c := range chains {
		text += ":" + c + " - [0:0]\n"
	}
	return chains, text + strings.ReplaceAll(rules.String(), "  ", " ") + "COMMIT\n"
}

func iptPeer(flag string, p netip.Prefix) string {
	if p.Bits() == 0 {
		return ""
	}
	return flag + " " + p.String()
}

func iptNumbers(ranges []ports.Range) string {
	if len(ranges) == 1 {
		return "--dport " + spans(ranges, ":", ",")
	}
	return "-m multiport --dports " + spans(ranges, ":", ",")
}

// iptICMP are the messages of icmp4 and icmp6 by number.
func iptICMP(f family, hook string) []string {
	if f == v4 {
		return []string{"icmp --icmp-type 3", "icmp --icmp-type 11", "icmp --icmp-type 12", "icmp --icmp-type 8"}
	}
	types := []int{1, 2, 3, 4, 128, 130, 134, 135, 136}
	if hook == "OUTPUT" {
		types = append(types, 131, 133, 143)
	}
	out := make([]string, len(types))
	for i, n := range types {
		out[i] = fmt.Sprintf("ipv6-icmp --icmpv6-type %d", n)
	}
	return out
}

// chunks splits a list of numbers into lists for one rule each, in which an interval counts as two.
func chunks(ranges []ports.Range, most int) [][]ports.Range {
	var out [][]ports.Range
	room := 0
	for _, r := range ranges {
		size := 1
		if r.First != r.Last {
			size = 2
		}
		if size > room {
			out, room = append(out, nil), most
		}
		room -= size
		out[len(out)-1] = append(out[len(out)-1], r)
	}
	return out
}

// ownChains lists, in the shell, the chains that this plan has on the host.
func (t *ipTables) ownChains() string {
	return fmt.Sprintf(`$($t -w -S | sed -n 's/^-N \(%s\(-[a-z0-9-]*\)\{0,1\}\)$/\1/p')`, t.base)
}

// hang puts the chains into the hooks, unless they are there, and removes those that an older plan left.
func (t *ipTables) hang(s *script, keep string) {
	s.say("\n[ -z \"$test\" ] || exit 0\nkeep='%s'\nfor t in iptables ip6tables; do", keep)
	for _, w := range t.used() {
		main := t.base + w.suffix
		s.say("  $t -w -C %s -j %s 2>/dev/null || $t -w -I %s 1 -j %s", w.hook, main, w.hook, main)
		s.say("  $t -w -C %s -j %s-end 2>/dev/null || $t -w -A %s -j %s-end", w.hook, main, w.hook, main)
	}
	for _, w := range t.ways[len(t.used()):] {
		t.unhang(s, w)
	}
	for _, flag := range []string{"-F", "-X"} {
		s.say("  for c in %s; do\n    case \"$keep\" in *\" $t:$c \"*) ;; *) $t -w %s \"$c\" ;; esac\n  done", t.ownChains(), flag)
	}
	s.say("done")
}

func (t *ipTables) unhang(s *script, w iptWay) {
	for _, chain := range []string{t.base + w.suffix, t.base + w.suffix + "-end"} {
		s.say("  while $t -w -C %s -j %s 2>/dev/null; do $t -w -D %s -j %s; done", w.hook, chain, w.hook, chain)
	}
}

// undo takes the chains out of the hooks and removes them.
func (t *ipTables) undo(s *script) {
	s.say("for t in iptables ip6tables; do")
	for _, w := range t.ways {
		t.unhang(s, w)
	}
	s.say("  for c in %s; do $t -w -F \"$c\"; done", t.ownChains())
	s.say("  for c in %s; do $t -w -X \"$c\"; done\ndone", t.ownChains())
}
