package render

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// systemd renders a script that writes a socket unit for each service that the host listens on, so that the numbers
// are bound before any daemon starts. Pools have none: their numbers are bound when they are leased.
func systemd(in Input) ([]byte, error) {
	g, err := newGate(in)
	if err != nil {
		return nil, err
	}
	s := g.newScript()
	base := strings.ReplaceAll(g.name, "_", "-")
	s.say("# Another folder than systemd's own may be given; then nothing is enabled.")
	s.say(`dir=${1-/etc/systemd/system}; mkdir -p "$dir"`)
	units := g.sockets(base)
	if len(units) == 0 {
		return nil, fmt.Errorf("%w: systemd: the plan has nothing that %s listens on", ErrEmpty, g.what)
	}
	var names []string
	for _, u := range units {
		names = append(names, u.name)
	}
	all := strings.Join(names, " ")
	if in.Undo {
		s.say("if [ $# -eq 0 ]; then systemctl disable --now %s 2>/dev/null || true; fi", all)
		for _, n := range names {
			s.say(`rm -f "$dir/%s"`, n)
		}
		s.say("if [ $# -eq 0 ]; then systemctl daemon-reload; fi")
		return s.bytes(), nil
	}
	for _, u := range units {
		s.heredoc(fmt.Sprintf(`cat >"$dir/%s"`, u.name), u.text)
	}
	s.say("if [ $# -eq 0 ]; then systemctl daemon-reload; systemctl enable %s; fi", all)
	return s.bytes(), nil
}

// socketUnit is a unit file.
type socketUnit struct{ name, text string }

func (g gate) sockets(base string) []socketUnit {
	var out []socketUnit
	at := map[string]int{}
	for _, cl := range g.held {
		if cl.Pool || cl.Pair != "" || cl.Status != ports.Works {
			continue
		}
		i, ok := at[cl.Service]
		if !ok {
			i = len(out)
			at[cl.Service] = i
			id := strings.ReplaceAll(word(cl.Service), "_", "-")
			out = append(out, socketUnit{name: base + "-" + id + ".socket", text: g.socketHead(cl, id)})
		}
		out[i].text += g.listens(cl)
	}
	for i := range out {
		out[i].text += "\n[Install]\nWantedBy=sockets.target\n"
	}
	return out
}

func (g gate) socketHead(cl ports.Claim, id string) string {
	program := "reeve-server.service"
	if kinds := g.kinds(cl); !kinds[ports.Server] && kinds[ports.Agent] {
		program = "reeve-agent.service"
	}
	text := "# " + oneLine(g.brand()) + "\n"
	for _, o := range g.ins {
		if o.Service == cl.Service {
			text += "# " + oneLine(why(o)) + "\n"
		}
	}
	return text + fmt.Sprintf("[Unit]\nDescription=%s\n\n[Socket]\nService=%s\nFileDescriptorName=%s\nBindIPv6Only=both\n",
		strings.ReplaceAll(oneLine("Reeve: "+cl.Function+" "+cl.Name), "%", "%%"), program, id)
}

// kinds are the kinds of the roles that listen for the claim.
func (g gate) kinds(cl ports.Claim) map[ports.RoleKind]bool {
	kinds := map[ports.RoleKind]bool{}
	for _, role := range cl.Listeners {
		kinds[g.in.Site.Compiled.Kinds[role]] = true
	}
	return kinds
}

// listens writes a line for each address of the claim: those that the host binds, loopback for what is its own.
func (g gate) listens(cl ports.Claim) string {
	h := g.hosts[g.in.Host]
	addresses := h.Bind
	for _, hs := range h.Services {
		if hs.Service == cl.Service && len(hs.Bind) > 0 {
			addresses = hs.Bind
		}
	}
	if cl.Scope == ports.SameHost {
		addresses = []string{"127.0.0.1", "::1"}
	}
	key := map[ports.Protocol]string{ports.TCP: "ListenStream", ports.UDP: "ListenDatagram"}[cl.Protocol]
	text := ""
	for _, a := range addresses {
		if addr, err := netip.ParseAddr(a); err == nil && !addr.IsUnspecified() {
			text += fmt.Sprintf("%s=%s\n", key, netip.AddrPortFrom(addr, uint16(cl.Port)))
		}
	}
	if text == "" {
		text = fmt.Sprintf("%s=%d\n", key, cl.Port)
	}
	return text
}
