package cli

import (
	"io"
	"strings"

	"github.com/spf13/pflag"

	"github.com/reeve-scheduler/reeve/internal/agent"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/ports"
)

// byProxy is an HTTP proxy by which an agent dials its servers; without an address there is none.
type byProxy struct {
	address, passwordFile string
	password              string // as read from the file
}

const maxPassword = 4 << 10

func (p *byProxy) flags(fl *pflag.FlagSet) {
	fl.StringVar(&p.address, "proxy", "", "HTTP proxy by which servers are dialled, http://[USER@]HOST[:PORT]; the plan has a row for it (REEVE_PROXY)")
	fl.StringVar(&p.passwordFile, "proxy-password-file", "", "file that holds the password of the proxy's user (REEVE_PROXY_PASSWORD_FILE)")
}

// ports are an agent's sockets by the plan that it is started with.
func (p *byProxy) ports(c ports.Compiled, kind ports.RoleKind, bind string) (agent.Ports, error) {
	if err := p.load(); err != nil {
		return agent.Ports{}, err
	}
	return agentPorts(c, kind, func(string) []string { return []string{bind} }, *p)
}

// load reads the password.
func (p *byProxy) load() error {
	if p.address == "" || p.passwordFile == "" {
		if p.passwordFile != "" {
			return fault.New(fault.Invalid, "a password file is given for a proxy, and no proxy", "give --proxy too, or leave it away")
		}
		return nil
	}
	f, err := openFile(p.passwordFile)
	if err != nil {
		return fault.Wrap(fault.Invalid, "reading the proxy's password", err)
	}
	defer f.Close() // read only
	text, err := io.ReadAll(io.LimitReader(f, maxPassword))
	if err != nil {
		return fault.Wrap(fault.Invalid, "reading the proxy's password", err)
	}
	p.password = strings.TrimRight(string(text), "\r\n")
	return nil
}

// on has sockets dial servers by the proxy.
func (p byProxy) on(sockets *socket.Net) error {
	if p.address == "" {
		return nil
	}
	proxy, err := sockets.Proxy(p.address, p.password)
	if err != nil {
		return err
	}
	sockets.Through(proxy, nil)
	return nil
}
