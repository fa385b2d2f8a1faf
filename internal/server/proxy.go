package server

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/socket"
)

const maxPassword = 4 << 10

// validate returns what is wrong with the configuration itself.
func (p Proxy) validate() error {
	var errs []error
	if p.URL == "" && (p.PasswordFile != "" || len(p.Hosts) > 0) {
		errs = append(errs, errors.New("proxy: no url, although something else of it is given"))
	}
	for _, h := range p.Hosts {
		if _, err := netip.ParsePrefix(h); strings.Contains(h, "/") && err != nil {
			errs = append(errs, fmt.Errorf("proxy.hosts: %q is not ADDRESS/BITS", h))
		}
	}
	return errors.Join(errs...)
}

// useProxy has sockets dial nodes by the proxy of the configuration.
func (s *Server) useProxy(sockets *socket.Net) error {
	p := s.cfg.Proxy
	if p.URL == "" {
		return nil
	}
	password := ""
	if p.PasswordFile != "" {
		f, err := os.Open(p.PasswordFile)
		if err != nil {
			return fault.Wrap(fault.Invalid, "reading the proxy's password", err)
		}
		defer f.Close() // read only
		text, err := io.ReadAll(io.LimitReader(f, maxPassword))
		if err != nil {
			return fault.Wrap(fault.Invalid, "reading the proxy's password", err)
		}
		password = strings.TrimRight(string(text), "\r\n")
	}
	proxy, err := sockets.Proxy(p.URL, password)
	if err != nil {
		return err
	}
	sockets.Through(proxy, p.fits)
	return nil
}

// fits reports whether a host is dialled by the proxy.
func (p Proxy) fits(host string) bool {
	if len(p.Hosts) == 0 {
		return true
	}
	address, err := netip.ParseAddr(host)
	return slices.ContainsFunc(p.Hosts, func(h string) bool {
		if network, netErr := netip.ParsePrefix(h); netErr == nil {
			return err == nil && network.Contains(address.Unmap())
		}
		return strings.EqualFold(h, host)
	})
}
