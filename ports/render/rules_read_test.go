package render

import (
	"encoding/xml"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"pgregory.net/rapid"
)

// The extractors read rules back as a firewall would: from what is loaded, never from comments. What they do not
// understand fails the test, so that no rule can be there that they do not see.

// numbersOf reads "4000-4999" or "9352", with the target's own sign.
func numbersOf(t rapid.TB, text, sign string) (first, last int) {
	t.Helper()
	a, b, found := strings.Cut(text, sign)
	if !found {
		b = a
	}
	first, err := strconv.Atoi(a)
	last, err2 := strconv.Atoi(b)
	if err != nil || err2 != nil || first < 1 || last > 65535 || first > last {
		t.Fatalf("%q is no interval of ports", text)
	}
	return first, last
}

var everywhere = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

// nftSetText is a set, nftRule a line that uses one.
var (
	nftSetText   = regexp.MustCompile(`(?s)\tset (\w+) \{\n\t\ttype ([^\n]*)\n\t\tflags interval\n\t\telements = \{\n(.*?)\n\t\t\}\n\t\}\n`)
	nftEntryText = regexp.MustCompile(`^\t\t\t([^"]*?)(?: comment "[^"]{1,120}")?,?$`)
	nftOneSet    = regexp.MustCompile(`^th dport \. meta l4proto \. ip6? ([sd])addr @(\w+) meta mark set meta mark or 0x1000 accept$`)
	nftTwoSets   = regexp.MustCompile(`^ip6? ([sd])addr @(\w+) th dport \. meta l4proto @(\w+) meta mark set meta mark or 0x1000 accept$`)
)

// readNft reads a table. Beside the rules that use sets it may have exactly the fixed ones.
func readNft(t rapid.TB, text string) (open, closed []rect) {
	t.Helper()
	sets := map[string][][]string{}
	body := nftSetText.ReplaceAllStringFunc(text, func(s string) string {
		m := nftSetText.FindStringSubmatch(s)
		for _, line := range strings.Split(m[3], "\n") {
			e := nftEntryText.FindStringSubmatch(line)
			if e == nil || len(strings.Split(e[1], " . ")) != len(strings.Split(m[2], " . ")) {
				t.Fatalf("the entry %q of set %s (%s) is not understood", line, m[1], m[2])
			}
			sets[m[1]] = append(sets[m[1]], strings.Split(e[1], " . "))
		}
		return ""
	})
	way := map[string]string{"s": "in", "d": "out"}
	for _, line := range strings.Split(body, "\n") {
		line = strings.TrimSpace(line)
		if m := nftOneSet.FindStringSubmatch(line); m != nil {
			for _, e := range sets[m[2]] {
				first, last := numbersOf(t, e[0], "-")
				open = append(open, rect{way[m[1]], e[1], first, last, mustPrefix(e[2])})
			}
		} else if m := nftTwoSets.FindStringSubmatch(line); m != nil {
			for _, host := range sets[m[2]] {
				for _, e := range sets[m[3]] {
					first, last := numbersOf(t, e[0], "-")
					open = append(open, rect{way[m[1]], e[1], first, last, mustPrefix(host[0])})
				}
			}
		} else if line == "th dport . meta l4proto @closed drop" {
			for _, e := range sets["closed"] {
				first, last := numbersOf(t, e[0], "-")
				for _, p := range everywhere {
					closed = append(closed, rect{"in", e[1], first, last, p})
				}
			}
		} else if !nftFixed.MatchString(line) {
			t.Fatalf("the line %q is not understood", line)
		}
	}
	return open, closed
}

// nftFixed are the lines that every table has: F70, no ICMP message but the named ones.
var nftFixed = regexp.MustCompile(`^(|\}|#.*|` + strings.Join([]string{
	`(delete )?table inet reeve_\w+`, `table inet reeve_\w+ \{`, `comment "[^"]{1,120}"`,
	`chain (clear_|close_)?(input|output) \{`,
	`type filter hook (input|output) priority filter - [56]; policy accept;`,
	`type filter hook (input|output) priority filter \+ 5; policy drop;`,
	`meta mark set meta mark and 0xffffefff`, `meta mark and 0x1000 == 0x1000 accept`,
	`(ct state established,related|[io]if lo) meta mark set meta mark or 0x1000 accept`,
	`icmp type \{ destination-unreachable, time-exceeded, parameter-problem, echo-request \} meta mark set meta mark or 0x1000 accept`,
	`icmpv6 type \{ destination-unreachable, packet-too-big, time-exceeded, parameter-problem, echo-request, mld-listener-query, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert(, nd-router-solicit, mld-listener-report, mld2-listener-report)? \} meta mark set meta mark or 0x1000 accept`,
}, "|") + `)$`)

// heredocs returns the texts that a script hands to commands, by command line, and the other lines.
func heredocs(t rapid.TB, script string) (texts map[string]string, rest []string) {
	t.Helper()
	texts = map[string]string{}
	lines := strings.Split(script, "\n")
	for i := 0; i < len(lines); i++ {
		command, found := strings.CutSuffix(lines[i], " <<'END'")
		if !found {
			rest = append(rest, lines[i])
			continue
		}
		end := slices.Index(lines[i:], "END")
		if end < 0 || texts[command] != "" {
			t.Fatalf("%q: without an end, or there twice", command)
		}
		texts[command] = strings.Join(lines[i+1:i+end], "\n") + "\n"
		i += end
	}
	return texts, rest
}

var iptRule = regexp.MustCompile(`^-A (\S+)(?: (-[sd]) (\S+))?(?: -p (tcp|udp)(?: (--dport|-m multiport --dports) (\S+))?)?(?: -m comment --comment "[^"]{1,240}")? -j (\S+)$`)

// readIPTables follows the chains of both families.
func readIPTables(t rapid.TB, script string) (open, closed []rect) {
	t.Helper()
	texts, _ := heredocs(t, script)
	for command, family := range map[string]netip.Prefix{"iptables-restore --noflush $test": everywhere[0], "ip6tables-restore --noflush $test": everywhere[1]} {
		chains := map[string][][]string{}
		for _, line := range strings.Split(strings.TrimSpace(texts[command]), "\n") {
			if iptFixed.MatchString(line) {
				continue
			}
			m := iptRule.FindStringSubmatch(line)
			if m == nil {
				t.Fatalf("the line %q is not understood", line)
			}
			chains[m[1]] = append(chains[m[1]], m)
		}
		for name, rules := range chains {
			way := "in"
			if strings.HasSuffix(name, "-o") {
				way = "out"
			} else if strings.Contains(name, "-") {
				continue // one that others go to
			}
			for _, m := range rules {
				net := family
				if m[3] != "" {
					net = mustPrefix(m[3])
				}
				switch m[7] {
				case "ACCEPT":
					open = append(open, iptRects(t, way, net, m)...)
				case "DROP":
					closed = append(closed, iptRects(t, way, net, m)...)
				default:
					for _, next := range chains[m[7]] {
						if next[3] != "" || next[4] != m[4] {
							t.Fatalf("%q after %q is not understood", next[0], m[0])
						}
						open = append(open, iptRects(t, way, net, next)...)
					}
				}
			}
		}
	}
	return open, closed
}

func iptRects(t rapid.TB, way string, net netip.Prefix, m []string) []rect {
	t.Helper()
	var out []rect
	slots := 0
	for _, word := range strings.Split(m[6], ",") {
		first, last := numbersOf(t, word, ":")
		slots += 1 + min(1, last-first)
		out = append(out, rect{way, m[4], first, last, net})
	}
	if slots > 15 || m[4] == "" || len(out) > 1 && !strings.Contains(m[5], "multiport") {
		t.Fatalf("%q is more than multiport takes, or has no transport", m[0])
	}
	return out
}

// iptFixed are the lines of every chain; F70.
var iptFixed = regexp.MustCompile(`^(\*filter|COMMIT|:[A-Za-z0-9_-]{1,28} - \[0:0\]|-A \S+-end -j DROP|` +
	`-A \S+ (-m comment --comment "[^"]{1,240}"|-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT|-[io] lo -j ACCEPT|` +
	`-p icmp --icmp-type (3|11|12|8) -j ACCEPT|-p ipv6-icmp --icmpv6-type (1|2|3|4|128|13[0-6]|143) -j ACCEPT))$`)

// The files of firewalld.
type (
	fwServed struct {
		Ports []struct {
			Port     string `xml:"port,attr"`
			Protocol string `xml:"protocol,attr"`
		} `xml:"port"`
	}
	fwSet struct {
		Entries []string `xml:"entry"`
	}
	fwPolicy struct {
		Target string `xml:"target,attr"`
		Rules  []struct {
			Family string `xml:"family,attr"`
			Source *struct {
				Address string `xml:"address,attr"`
				Set     string `xml:"ipset,attr"`
			} `xml:"source"`
			Service *struct {
				Name string `xml:"name,attr"`
			} `xml:"service"`
			Port *struct {
				Port     string `xml:"port,attr"`
				Protocol string `xml:"protocol,attr"`
			} `xml:"port"`
			Accept *struct{} `xml:"accept"`
			Drop   *struct{} `xml:"drop"`
		} `xml:"rule"`
	}
)

func readFirewalld(t rapid.TB, script string) (open, closed []rect) {
	t.Helper()
	texts, _ := heredocs(t, script)
	served, sets := map[string]fwServed{}, map[string]fwSet{}
	var policy fwPolicy
	for command, text := range texts {
		path := strings.TrimSuffix(strings.TrimPrefix(command, `cat >"$dir/`), `.xml"`)
		kind, name, _ := strings.Cut(path, "/")
		var err error
		switch kind {
		case "services":
			var s fwServed
			err = xml.Unmarshal([]byte(text), &s)
			served[name] = s
		case "ipsets":
			var s fwSet
			err = xml.Unmarshal([]byte(text), &s)
			sets[name] = s
		case "policies":
			err = xml.Unmarshal([]byte(text), &policy)
		default:
			t.Fatalf("%q is not understood", command)
		}
		if err != nil {
			t.Fatalf("%s: %v", command, err)
		}
	}
	if policy.Target != "CONTINUE" {
		t.Fatalf("the policy's target is %q", policy.Target)
	}
	for _, r := range policy.Rules {
		if r.Port != nil && r.Drop != nil && r.Source == nil {
			first, last := numbersOf(t, r.Port.Port, "-")
			for _, p := range everywhere {
				closed = append(closed, rect{"in", r.Port.Protocol, first, last, p})
			}
			continue
		}
		if r.Service == nil || r.Accept == nil || len(served[r.Service.Name].Ports) == 0 {
			t.Fatalf("the rule %+v is not understood, or opens nothing", r)
		}
		nets := everywhere
		if r.Source != nil {
			nets = nil
			for _, e := range append(sets[r.Source.Set].Entries, r.Source.Address) {
				if e != "" {
					nets = append(nets, mustPrefix(e))
				}
			}
		}
		for _, p := range served[r.Service.Name].Ports {
			first, last := numbersOf(t, p.Port, "-")
			for _, net := range nets {
				if (r.Family == "ipv4") != net.Addr().Is4() && r.Family != "" {
					t.Fatalf("%s is not of %s", net, r.Family)
				}
				open = append(open, rect{"in", p.Protocol, first, last, net})
			}
		}
	}
	return open, closed
}

var (
	ufwAllow = regexp.MustCompile(`^ufw allow in from (\S+) to any app (\S+) comment '[^']{1,100}'$`)
	ufwDeny  = regexp.MustCompile(`^ufw deny in proto (tcp|udp) to any port (\S+) comment '[^']*'$`)
)

func readUFW(t rapid.TB, script string) (open, closed []rect) {
	t.Helper()
	texts, rest := heredocs(t, script)
	profiles := map[string][]rect{}
	name := ""
	for _, line := range strings.Split(texts[`cat >"$file"`], "\n") {
		if strings.HasPrefix(line, "[") {
			name = strings.Trim(line, "[]")
		}
		value, found := strings.CutPrefix(line, "ports=")
		for _, part := range strings.Split(value, "|") {
			if !found {
				break
			}
			list, protocol, _ := strings.Cut(part, "/")
			if n := len(strings.Split(list, ",")) + strings.Count(list, ":"); n > 15 {
				t.Fatalf("%q has %d numbers", part, n)
			}
			for _, word := range strings.Split(list, ",") {
				first, last := numbersOf(t, word, ":")
				profiles[name] = append(profiles[name], rect{"in", protocol, first, last, netip.Prefix{}})
			}
		}
	}
	for _, line := range rest {
		if m := ufwAllow.FindStringSubmatch(line); m != nil {
			nets := everywhere
			if m[1] != "any" {
				nets = []netip.Prefix{mustPrefix(m[1])}
			}
			for _, r := range profiles[m[2]] {
				for _, r.net = range nets {
					open = append(open, r)
				}
			}
		} else if m := ufwDeny.FindStringSubmatch(line); m != nil {
			first, last := numbersOf(t, m[2], ":")
			for _, net := range everywhere {
				closed = append(closed, rect{"in", m[1], first, last, net})
			}
		} else if line != "" && !strings.HasPrefix(line, "#") && line != "set -eu" && !strings.HasPrefix(line, "file=") && !strings.HasPrefix(line, "ufw app update ") {
			t.Fatalf("the line %q is not understood", line)
		}
	}
	return open, closed
}
