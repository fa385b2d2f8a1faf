package jobnet

import (
	"fmt"
	dialled "net"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestDestinationParts(t *testing.T) {
	t.Parallel()
	for text, want := range map[Destination]string{
		"db1:1521":                 "db1 1521 tcp",
		"db1:1521/tcp":             "db1 1521 tcp",
		"log.example.com.:514/udp": "log.example.com. 514 udp",
		"10.0.0.1:65535":           "10.0.0.1 65535 tcp",
		"[::1]:1":                  "::1 1 tcp",
		"_srv.host-1:80":           "_srv.host-1 80 tcp",
	} {
		host, port, protocol, problem := text.Parts()
		if got := fmt.Sprintf("%s %d %s", host, port, protocol); got != want || problem != "" {
			t.Errorf("%s: got %s (%s), want %s", text, got, problem, want)
		}
	}
	for _, text := range []Destination{
		"", ":", "db1", "db1:", ":1521", "db1:01521", "db1:+1", "db1:1 ", "db1:65536", "db1:0", "db1:1521/TCP", "db1:1521/", "db1:1521/tcp/udp",
		"::1:80", "[::1]", "[::1:80", "::1]:80", "[10.0.0.1]:80", "[db1]:80", "a..b:80", "-a:80", "a-:80", "a b:80", "é:80", "1.2.3:80", "256.1.1.1:80",
		"0x7f000001:80", "2130706433:80", "0.0.0.0:80", "[::]:80", "[ff02::1]:80", "255.255.255.255:80", "[fe80::1%1]:80", "${params.x}:80", "db1:${params.x}",
		Destination(strings.Repeat("a", 64) + ":80"), Destination(strings.Repeat("a.", 130) + "a:80"), "http://db1:80", "db1:80\n",
	} {
		if host, port, _, problem := text.Parts(); problem == "" {
			t.Errorf("%q is taken for %s port %d", text, host, port)
		}
		if got := text.TCP(); got != "" {
			t.Errorf("%q would be dialled as %s", text, got)
		}
	}
	if got := Destination("db1:53/udp").TCP(); got != "" {
		t.Errorf("a UDP destination would be dialled as %s", got)
	}
}

// What is taken is an address that a dialler takes, with the same host and port, and is the same as itself however it is
// written.
func TestDestinationIsDialled(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := Destination(rapid.OneOf(
			rapid.StringMatching(`(\[?[0-9a-fA-F:.x%]{1,12}\]?|[a-zA-Z0-9_.-]{1,8}):[0-9]{1,6}(/(tcp|udp|x))?`),
			rapid.String(),
		).Draw(t, "text"))
		host, port, protocol, problem := text.Parts()
		if problem != "" {
			return
		}
		if protocol == TCP {
			h, p, err := dialled.SplitHostPort(text.TCP())
			if err != nil || h != host || p != strconv.Itoa(int(port)) {
				t.Fatalf("%s is dialled as %s: %v", text, text.TCP(), err)
			}
		}
		if a, err := netip.ParseAddr(host); err == nil && (a.IsUnspecified() || a.IsMulticast() || a.Zone() != "") {
			t.Fatalf("%s names no single host", text)
		}
		if other := Destination(strings.ToUpper(strings.TrimSuffix(string(text), "/"+protocol)) + "/" + protocol); other.same() != text.same() {
			t.Fatalf("%s and %s are not the same", text, other)
		}
	})
}
