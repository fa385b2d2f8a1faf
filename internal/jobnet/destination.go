package jobnet

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// The protocols of a destination.
const (
	TCP = "tcp"
	UDP = "udp"
)

// Destination is where a job wants to connect to when it runs: HOST:PORT, or HOST:PORT/tcp or /udp; an IPv6 address
// stands in brackets. The job waits until a TCP one takes connections from its agent. A UDP one is written down and
// shown, and never looked at: whether a datagram arrives, only its receiver knows.
type Destination string

// Parts takes a destination apart; what is no destination gives the sentence that says why.
func (d Destination) Parts() (host string, port uint16, protocol, problem string) {
	address, protocol, given := strings.Cut(string(d), "/")
	if !given {
		protocol = TCP
	}
	at := strings.LastIndexByte(address, ':')
	switch {
	case strings.Contains(string(d), "${"):
		return "", 0, "", fmt.Sprintf("%q: references are not looked for here, because what a job needs is known before it is resolved", clip(string(d)))
	case protocol != TCP && protocol != UDP:
		return "", 0, "", fmt.Sprintf("%q ends in a protocol other than /tcp and /udp", clip(string(d)))
	case at <= 0 || at == len(address)-1:
		return "", 0, "", fmt.Sprintf("%q is not HOST:PORT, as db1:1521 or db1:1521/tcp", clip(string(d)))
	}
	host, number := address[:at], address[at+1:]
	v, err := strconv.ParseUint(number, 10, 16)
	if err != nil || v == 0 || strconv.FormatUint(v, 10) != number {
		return "", 0, "", fmt.Sprintf("%q is not a port: they go from 1 to 65535", clip(number))
	}
	if problem = hostProblem(&host); problem != "" {
		return "", 0, "", problem
	}
	return host, uint16(v), protocol, ""
}

// TCP returns HOST:PORT of a destination whose connections can be tried; empty for others.
func (d Destination) TCP() string {
	host, port, protocol, problem := d.Parts()
	if problem != "" || protocol != TCP {
		return ""
	}
	return hostPort(host, port)
}

func hostPort(host string, port uint16) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(int(port))
}

// same is a destination as it is compared: the shortest form, in small letters.
func (d Destination) same() string {
	host, port, protocol, problem := d.Parts()
	if problem != "" {
		return string(d)
	}
	if a, err := netip.ParseAddr(host); err == nil {
		host = a.Unmap().String()
	}
	return strings.ToLower(hostPort(strings.TrimSuffix(host, "."), port)) + "/" + protocol
}

// hostProblem says why a host is no address and no name; else it is empty, and the host has no brackets.
func hostProblem(host *string) string {
	inner, opened := strings.CutPrefix(*host, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	a, err := netip.ParseAddr(inner)
	switch {
	case opened != closed || opened && (err != nil || !a.Is6()):
		return fmt.Sprintf("%q is not an IPv6 address in brackets", clip(*host))
	case err == nil && a.Is6() && !opened:
		return fmt.Sprintf("write the IPv6 address in brackets, as \"[%s]:PORT\"", clip(*host))
	case err == nil && a.Zone() != "":
		return fmt.Sprintf("%q has a zone, which means something on one host only", clip(*host))
	case err == nil && (a.IsUnspecified() || a.IsMulticast() || a.Unmap() == netip.AddrFrom4([4]byte{255, 255, 255, 255})):
		return fmt.Sprintf("%q is not the address of one host", clip(*host))
	case err == nil:
		*host = inner
		return ""
	case !isHostName(*host):
		return fmt.Sprintf("%q is not a host: an IP address, or a name of letters, digits, '-', '_' and '.'", clip(*host))
	}
	return ""
}

// isHostName reports whether s is a name that can be resolved. Its last part is no number: what ends in one is an
// address that is written wrongly, and some resolvers would still make one of it.
func isHostName(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if s == "" || len(s) > maxHostName {
		return false
	}
	parts := strings.Split(s, ".")
	for _, p := range parts {
		if !form(p, lower+upper+digits+"_", lower+upper+digits+"_-", MaxName) || strings.HasSuffix(p, "-") {
			return false
		}
	}
	end := strings.ToLower(parts[len(parts)-1])
	hex, isHex := strings.CutPrefix(end, "0x")
	return strings.Trim(end, digits) != "" && (!isHex || strings.Trim(hex, digits+"abcdef") != "")
}

// needs checks the destinations that a job wants to reach.
func (c *checker) needs(path string, job *Job) {
	if len(job.Needs) > MaxNeeds {
		c.add(path+".needs", "a job needs at most %d destinations, this one %d", MaxNeeds, len(job.Needs))
		return
	}
	seen := map[string]bool{}
	for k, d := range job.Needs {
		at := fmt.Sprintf("%s.needs[%d]", path, k)
		if _, isJob := c.jobs[string(d)]; isJob {
			c.add(at, "%s is a job, and needs has destinations, as db1:1521: the jobs before this one stand in after", d)
			continue
		}
		if _, _, _, problem := d.Parts(); problem != "" {
			c.add(at, "%s", problem)
			continue
		}
		if seen[d.same()] {
			c.add(at, "%s stands twice in this list", d)
		}
		seen[d.same()] = true
	}
}
