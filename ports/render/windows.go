package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// windows renders a PowerShell script with firewall rules in a group of the plan's own: numbers by function and
// direction, and applications for what has no number. Running it again replaces the group.
func windows(in Input) ([]byte, error) {
	g, err := newGate(in)
	if err != nil {
		return nil, err
	}
	p := g.newPowerShell()
	group := shellPS("Reeve " + strings.TrimPrefix(g.name, "reeve_"))
	p.say("Get-NetFirewallRule -Group %s -ErrorAction SilentlyContinue | Remove-NetFirewallRule", group)
	if in.Undo {
		return p.bytes(), nil
	}
	if err := addresses("windows", append(slices.Clone(g.ins), g.applications[0]...), sources); err != nil {
		return nil, err
	}
	if err := addresses("windows", g.outgoing(), destinations); err != nil {
		return nil, err
	}
	for _, b := range bundles(cells(claimed(g.closed), sources, v4)) {
		p.rule(psRule{group: group, name: "host itself", why: "for the host itself only", way: "Inbound", action: "Block", protocol: b.protocol, local: spans(b.ranges, "-", "','")})
	}
	for _, fw := range fwGroups(g.name, g.ins) {
		for _, b := range fw.bundles() {
			p.rule(psRule{group: group, name: fw.function, why: brief(b.flows, 400), way: "Inbound", action: "Allow", protocol: b.protocol, local: spans(b.ranges, "-", "','"), remote: fw.remote()})
		}
	}
	applications, left := psApplications(g)
	for _, r := range applications {
		r.group = group
		p.rule(r)
	}
	if g.restricted() {
		g.windowsOut(p, group)
	}
	if p.rules == 0 {
		return nil, g.empty("windows")
	}
	return p.bytes(), (&Omitted{Flows: left}).err("windows")
}

// windowsOut adds what the host may connect to. They have an effect where the profiles block outgoing connections.
func (g gate) windowsOut(p *powerShell, group string) {
	out := make([]ports.Opening, len(g.outs))
	for i, o := range g.outs {
		out[i] = o
		out[i].Sources = o.Destinations
	}
	for _, fw := range fwGroups(g.name+"_out", out) {
		for _, b := range fw.bundles() {
			p.rule(psRule{group: group, name: fw.function, why: brief(b.flows, 400), way: "Outbound", action: "Allow", protocol: b.protocol, peer: spans(b.ranges, "-", "','"), remote: fw.remote()})
		}
	}
}

// bundles are the group's numbers by transport, without its networks.
func (fw fwGroup) bundles() []bundle {
	open := make([]ports.Opening, len(fw.open))
	for i, o := range fw.open {
		open[i] = o
		open[i].Sources = nil
	}
	return bundles(cells(open, sources, v4))
}

// remote lists the group's networks as PowerShell takes them; empty: anywhere.
func (fw fwGroup) remote() string {
	var words []string
	for _, f := range families() {
		for _, p := range fw.nets[f] {
			if p.IsSingleIP() {
				words = append(words, p.Addr().String())
			} else {
				words = append(words, p.String())
			}
		}
	}
	if fw.anywhere {
		return ""
	}
	return strings.Join(words, "','")
}

// powerShell is a script for Windows.
type powerShell struct {
	strings.Builder
	brand string
	rules int
}

func (g gate) newPowerShell() *powerShell {
	p := &powerShell{brand: g.brand()}
	p.WriteString(strings.ReplaceAll(g.stamp("#"), "\n", "\r\n"))
	p.say("#Requires -RunAsAdministrator")
	p.say("$ErrorActionPreference = 'Stop'")
	return p
}

func (p *powerShell) say(format string, args ...any) { fmt.Fprintf(p, format+"\r\n", args...) }
func (p *powerShell) bytes() []byte                  { return []byte(p.String()) }

// shellPS quotes a word for PowerShell, which takes several characters for a quote.
func shellPS(text string) string { return "'" + ascii(oneLine(text)) + "'" }

// psRule is one rule; its lists are the insides of quoted lists.
type psRule struct {
	group, name, why, way, action string
	protocol                      ports.Protocol
	local, peer, remote           string
	program, service              string
}

func (p *powerShell) rule(r psRule) {
	p.rules++
	text := fmt.Sprintf("New-NetFirewallRule -Group %s -DisplayName %s -Description %s -Direction %s -Action %s -Protocol %s",
		r.group, shellPS(fmt.Sprintf("Reeve: %s (%s)", r.name, r.protocol)), shellPS(p.brand+": "+r.why), r.way, r.action, strings.ToUpper(string(r.protocol)))
	for _, f := range [][2]string{{"LocalPort", r.local}, {"RemotePort", r.peer}, {"RemoteAddress", r.remote}} {
		if f[1] != "" {
			text += fmt.Sprintf(" -%s @('%s')", f[0], f[1])
		}
	}
	if r.program != "" {
		text += " -Program " + shellPS2(r.program)
	}
	if r.service != "" {
		text += " -Service " + shellPS(r.service)
	}
	p.say("%s | Out-Null", text)
}

// shellPS2 quotes a path of the plan's author: printing ASCII with backslashes.
func shellPS2(path string) string {
	return "'" + strings.ReplaceAll(ascii(strings.ReplaceAll(path, `\`, "/")), "/", `\`) + "'"
}

const svchost = `%SystemRoot%\System32\svchost.exe`

// psApplications makes rules of the openings that have an application instead of a number, and names those for which
// nothing is known. Dynamic RPC is the end point mapper and, by keyword, whatever number the service was given.
func psApplications(g gate) (rules []psRule, left []string) {
	for _, o := range g.applications[1] {
		left = append(left, fmt.Sprintf("%s: the outgoing application %q", o.Flow, o.Application))
	}
	for _, o := range g.applications[0] {
		fw := fwGroups(g.name, []ports.Opening{o})[0]
		base := psRule{name: fw.function, why: brief([]ports.Opening{o}, 400), way: "Inbound", action: "Allow", protocol: cmp.Or(o.Protocol, ports.TCP), remote: fw.remote()}
		cl, _ := g.in.Site.Compiled.Service(o.Service)
		switch {
		case cl.RPC.Kind == "msrpc":
			service := "Any"
			if strings.EqualFold(o.Application, "remote event log management") {
				service = "EventLog"
			}
			mapper, dynamic := base, base
			mapper.local, mapper.program, mapper.service = "RPCEPMap", svchost, "RPCSS"
			dynamic.local, dynamic.program, dynamic.service = "RPC", svchost, service
			rules = append(rules, mapper, dynamic)
		case strings.HasSuffix(strings.ToLower(o.Application), ".exe"):
			base.program = o.Application
			rules = append(rules, base)
		default:
			left = append(left, fmt.Sprintf("%s: the application %q, of which neither the program (.exe) nor RPC is stated", o.Flow, o.Application))
		}
	}
	return rules, left
}

// excludedPortRange renders a PowerShell script that keeps the plan's numbers out of the range for outgoing
// connections, for both families. Windows refuses a block of which something has a part already, and says so.
func excludedPortRange(in Input) ([]byte, error) {
	if err := in.known(); err != nil {
		return nil, err
	}
	g := gate{in: in, what: in.where()}
	p := g.newPowerShell()
	verb := "add"
	if in.Undo {
		verb = "delete"
	}
	p.say("function Set-Range($family, $protocol, $first, $count) {")
	p.say("  $last = $first + $count - 1")
	p.say("  $have = netsh interface $family show excludedportrange protocol=$protocol store=persistent | Select-String ('^\\s*' + $first + '\\s+' + $last + '\\s')")
	p.say("  if ([bool]$have -eq $%t) { return }", !in.Undo)
	p.say("  netsh interface $family %s excludedportrange protocol=$protocol startport=$first numberofports=$count store=persistent", verb)
	p.say("  if ($LASTEXITCODE -ne 0) { throw \"$family $protocol $first to $last is not free: netsh interface $family show excludedportrange protocol=$protocol\" }")
	p.say("}")
	for _, b := range bundles(cells(claimed(in.held()), sources, v4)) {
		for _, r := range b.ranges {
			p.rules++
			for _, f := range families() {
				p.say("Set-Range ipv%d %s %d %d", f, b.protocol, r.First, int(r.Last)-int(r.First)+1)
			}
		}
	}
	if p.rules == 0 {
		return nil, fmt.Errorf("%w: excludedportrange: the plan holds no number here", ErrEmpty)
	}
	return p.bytes(), nil
}
