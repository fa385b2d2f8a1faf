package render

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/ports"
)

var (
	pfTable = regexp.MustCompile(`^table <(\w+)> const \{ ([^}]*) \}$`)
	pfPass  = regexp.MustCompile(`^pass (in|out) quick (inet6?) proto (tcp|udp) from (\S+) to (\S+) port \{ ([^}]*) \} keep state label "[^"]{1,60}"$`)
	pfBlock = regexp.MustCompile(`^block drop in quick proto (tcp|udp) to any port \{ ([^}]*) \}$`)
	pfFixed = regexp.MustCompile(`^(|#.*|pass quick on lo0 all|block drop (in|out) all|pass (in|out) quick inet proto icmp icmp-type \{ unreach, timex, paramprob, echoreq \}|` +
		`pass (in|out) quick inet6 proto icmp6 icmp6-type \{ unreach, toobig, timex, paramprob, echoreq, (groupqry, routeradv|grouprep, routersol), neighbrsol, neighbradv \})$`)
)

// readPF reads an anchor. F69: an interval keeps what is between its ends.
func readPF(t rapid.TB, text string) (open, closed []rect) {
	t.Helper()
	tables := map[string][]netip.Prefix{}
	for _, line := range strings.Split(text, "\n") {
		if m := pfTable.FindStringSubmatch(line); m != nil {
			for _, word := range strings.Split(m[2], ", ") {
				tables["<"+m[1]+">"] = append(tables["<"+m[1]+">"], mustPrefix(word))
			}
		} else if m := pfPass.FindStringSubmatch(line); m != nil {
			peer := m[4]
			if m[1] == "out" {
				peer = m[5]
			}
			nets := tables[peer]
			if peer == "any" {
				nets = everywhere[map[string]int{"inet": 0, "inet6": 1}[m[2]]:][:1]
			} else if nets == nil {
				nets = []netip.Prefix{mustPrefix(peer)}
			}
			for _, word := range strings.Split(m[6], ", ") {
				first, last := numbersOf(t, word, ":")
				for _, net := range nets {
					if net.Addr().Is4() != (m[2] == "inet") {
						t.Fatalf("%s is not of %s", net, m[2])
					}
					open = append(open, rect{m[1], m[3], first, last, net})
				}
			}
		} else if m := pfBlock.FindStringSubmatch(line); m != nil {
			for _, word := range strings.Split(m[2], ", ") {
				first, last := numbersOf(t, word, ":")
				for _, net := range everywhere {
					closed = append(closed, rect{"in", m[1], first, last, net})
				}
			}
		} else if !pfFixed.MatchString(line) {
			t.Fatalf("the line %q is not understood", line)
		}
	}
	return open, closed
}

var psRuleText = regexp.MustCompile(`^New-NetFirewallRule -Group '[^']+' -DisplayName '[^']+' -Description '[^']*' -Direction (Inbound|Outbound) -Action (Allow|Block) -Protocol (TCP|UDP)` +
	`(?: -LocalPort @\('(\S+)'\))?(?: -RemotePort @\('(\S+)'\))?(?: -RemoteAddress @\('(\S+)'\))?(?: -Program '([^']+)')?(?: -Service '([^']+)')? \| Out-Null$`)

// readWindows reads a script; rules for programs are returned by their program and port keyword.
func readWindows(t rapid.TB, text string) (open, closed []rect) {
	t.Helper()
	for _, line := range strings.Split(text, "\r\n") {
		m := psRuleText.FindStringSubmatch(line)
		if m == nil {
			if line != "" && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "$ErrorActionPreference") && !strings.HasPrefix(line, "Get-NetFirewallRule -Group '") {
				t.Fatalf("the line %q is not understood", line)
			}
			continue
		}
		if m[7] != "" {
			continue // see TestWindowsApplications
		}
		way, list := "in", m[4]
		if m[1] == "Outbound" {
			way, list = "out", m[5]
		}
		nets := everywhere
		if m[6] != "" {
			nets = nil
			for _, word := range strings.Split(m[6], "','") {
				nets = append(nets, mustPrefix(word))
			}
		}
		for _, word := range strings.Split(list, "','") {
			first, last := numbersOf(t, word, "-")
			for _, net := range nets {
				r := rect{way, strings.ToLower(m[3]), first, last, net}
				if m[2] == "Block" {
					closed = append(closed, r)
				} else {
					open = append(open, r)
				}
			}
		}
	}
	return open, closed
}

var (
	awsRule = regexp.MustCompile(`^    "[^"]+" = \{ protocol = "(tcp|udp)", from = (\d+), to = (\d+), (cidr4|cidr6|role) = "([^"]+)", why = "[^"]{1,250}" \}$`)
	awsMap  = regexp.MustCompile(`^  \w+_(in|e)gress = \{$`)
)

// readAWS reads the maps of rules. Ends that are roles are anywhere, as they are in RoleOpenings.
func readAWS(t rapid.TB, text string) (open, closed []rect) {
	t.Helper()
	way, seen := "", map[string]bool{}
	for _, line := range strings.Split(text, "\n") {
		if m := awsMap.FindStringSubmatch(line); m != nil {
			way = map[string]string{"in": "in", "e": "out"}[m[1]]
			continue
		}
		m := awsRule.FindStringSubmatch(line)
		if m == nil {
			if strings.Contains(line, "protocol =") {
				t.Fatalf("the line %q is not understood", line)
			}
			continue
		}
		key, _, _ := strings.Cut(line, " = {")
		if seen[way+key] {
			t.Fatalf("%s: the key %s stands there twice", way, key)
		}
		seen[way+key] = true
		first, last := numbersOf(t, m[2]+"-"+m[3], "-")
		nets := everywhere
		if m[4] != "role" {
			nets = []netip.Prefix{mustPrefix(m[5])}
		}
		for _, net := range nets {
			open = append(open, rect{way, m[1], first, last, net})
		}
	}
	return open, nil
}

type kubePolicy struct {
	Spec struct {
		PolicyTypes     []string `yaml:"policyTypes"`
		Ingress, Egress []struct {
			Ports []struct {
				Protocol string `yaml:"protocol"`
				Port     int    `yaml:"port"`
				EndPort  int    `yaml:"endPort"`
			} `yaml:"ports"`
			From, To []struct {
				IPBlock     *struct{ CIDR string } `yaml:"ipBlock"`
				PodSelector *struct {
					MatchLabels map[string]string `yaml:"matchLabels"`
				} `yaml:"podSelector"`
			}
		}
	}
}

// readKubernetes reads a policy: a rule without ends is for all, as are pods of a role.
func readKubernetes(t rapid.TB, text string) (open, closed []rect) {
	t.Helper()
	var p kubePolicy
	if err := yaml.Unmarshal([]byte(text), &p); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if !slices.Equal(p.Spec.PolicyTypes, []string{"Ingress", "Egress"}) {
		t.Fatalf("policyTypes: %v", p.Spec.PolicyTypes)
	}
	for i, rules := range [][]struct {
		Ports []struct {
			Protocol string `yaml:"protocol"`
			Port     int    `yaml:"port"`
			EndPort  int    `yaml:"endPort"`
		} `yaml:"ports"`
		From, To []struct {
			IPBlock     *struct{ CIDR string } `yaml:"ipBlock"`
			PodSelector *struct {
				MatchLabels map[string]string `yaml:"matchLabels"`
			} `yaml:"podSelector"`
		}
	}{p.Spec.Ingress, p.Spec.Egress} {
		for _, r := range rules {
			nets := []netip.Prefix{}
			for _, end := range append(r.From, r.To...) {
				if end.IPBlock != nil {
					nets = append(nets, mustPrefix(end.IPBlock.CIDR))
				} else if end.PodSelector != nil && end.PodSelector.MatchLabels["reeve/role"] != "" {
					nets = append(nets, everywhere...)
				} else {
					t.Fatalf("an end is not understood: %+v", end)
				}
			}
			if len(nets) == 0 {
				nets = everywhere
			}
			if len(r.Ports) == 0 && i == 0 {
				t.Fatal("a rule without numbers lets everything in (F68)")
			}
			for _, n := range r.Ports {
				for _, net := range nets {
					open = append(open, rect{[]string{"in", "out"}[i], strings.ToLower(n.Protocol), n.Port, max(n.Port, n.EndPort), net})
				}
			}
		}
	}
	return open, nil
}

// acl is a line of an access list, spelled out.
type acl struct{ list, protocol, from, fromPorts, to, toPorts, established string }

var (
	ciscoGroup = regexp.MustCompile(`^object-group (v6-)?network (\S+)$`)
	ciscoList  = regexp.MustCompile(`^(?:ip access-list extended|ipv6 access-list) \S+-(IN|OUT)(-6)?$`)
	ciscoEnd   = `(any|host \S+|object-group \S+|\d\S+ \d\S+|[0-9a-f:]+/\d+)`
	ciscoWhich = `(?: (eq \d+|range \d+ \d+))?`
	ciscoRule  = regexp.MustCompile(`^ permit (tcp|udp) ` + ciscoEnd + ciscoWhich + ` ` + ciscoEnd + ciscoWhich + `( established)?$`)
	ciscoFixed = regexp.MustCompile(`^(|!.*|no (ip access-list extended|ipv6 access-list|object-group (v6-)?network) \S+| remark .{1,100}| deny (ip|ipv6) any any log|` +
		` deny (tcp|udp) any any (eq|range) .*| permit icmp any any (unreachable|time-exceeded|parameter-problem|echo|echo-request|echo-reply|packet-too-big|nd-na|nd-ns|router-advertisement|router-solicitation))$`)
)

// readCisco reads both lists of both families, with object groups spelled out.
func readCisco(t rapid.TB, text string) []acl {
	t.Helper()
	groups := map[string][]string{}
	group, list, six := "", "", false
	var out []acl
	for _, line := range strings.Split(text, "\n") {
		if m := ciscoGroup.FindStringSubmatch(line); m != nil {
			group = m[2]
			continue
		}
		if m := ciscoList.FindStringSubmatch(line); m != nil {
			group, list, six = "", m[1], m[2] != ""
			continue
		}
		if group != "" && strings.HasPrefix(line, " ") {
			groups[group] = append(groups[group], ciscoPrefix(t, strings.TrimSpace(line), false, six))
			continue
		}
		m := ciscoRule.FindStringSubmatch(line)
		if m == nil {
			if !ciscoFixed.MatchString(line) {
				t.Fatalf("the line %q is not understood", line)
			}
			continue
		}
		ends := func(text string) []string {
			if name, ok := strings.CutPrefix(text, "object-group "); ok {
				return groups[name]
			}
			return []string{ciscoPrefix(t, text, true, six)}
		}
		for _, from := range ends(m[2]) {
			for _, to := range ends(m[4]) {
				out = append(out, acl{list, m[1], from, m[3], to, m[5], m[6]})
			}
		}
	}
	return out
}

// ciscoPrefix reads a network: wildcards in lists, masks in groups.
func ciscoPrefix(t rapid.TB, text string, wildcard, six bool) string {
	t.Helper()
	if text == "any" {
		return everywhere[map[bool]int{false: 0, true: 1}[six]].String()
	}
	if host, ok := strings.CutPrefix(text, "host "); ok {
		return mustPrefix(host).String()
	}
	addr, mask, ok := strings.Cut(text, " ")
	if !ok {
		return mustPrefix(text).String()
	}
	bits := 0
	for _, b := range netip.MustParseAddr(mask).AsSlice() {
		if wildcard {
			b = ^b
		}
		bits += strings.Count(strconv.FormatUint(uint64(b), 2), "1")
	}
	return netip.PrefixFrom(netip.MustParseAddr(addr), bits).String()
}

// plannedACL is what both lists must have: each flow in its direction, and its answers in the other. F71: the answers
// of TCP only with established, on the side from which they come; and no numbers that are not planned.
func plannedACL(in Input) []acl {
	ins, outs := in.Site.Openings(in.Host)
	if in.Role != "" {
		ins, outs = in.Site.RoleOpenings(in.Role)
	}
	var out []acl
	add := func(there, back string, list []ports.Opening) {
		for _, o := range list {
			if o.First == 0 {
				continue
			}
			for n := int(o.First); n <= int(o.Last); n++ {
				which := fmt.Sprintf("eq %d", n)
				if o.Parity == "" && o.Last > o.First {
					which, n = fmt.Sprintf("range %d %d", o.First, o.Last), int(o.Last)
				} else if o.Parity != "" && (n%2 == 0) != (o.Parity == ports.Even) {
					continue
				}
				established := ""
				if o.Protocol == ports.TCP {
					established = " established"
				}
				for _, from := range fewest(prefixesOf(in, o.Sources)) {
					for _, to := range fewest(prefixesOf(in, o.Destinations)) {
						if from.Addr().Is4() == to.Addr().Is4() {
							out = append(out,
								acl{there, string(o.Protocol), from.String(), "", to.String(), which, ""},
								acl{back, string(o.Protocol), to.String(), which, from.String(), "", established})
						}
					}
				}
			}
		}
	}
	add("IN", "OUT", ins)
	add("OUT", "IN", outs)
	return out
}

func fewest(nets []netip.Prefix) []netip.Prefix { return union(nets) }
