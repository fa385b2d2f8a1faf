package probe

import (
	"reflect"
	"testing"

	"github.com/reeve-scheduler/reeve/ports"
)

// F51, F52: what Windows keeps for itself, in two of its languages.
func TestParseExcluded(t *testing.T) {
	t.Parallel()
	const english = "\r\nProtocol tcp Port Exclusion Ranges\r\n\r\nStart Port    End Port      \r\n----------    --------      \r\n" +
		"      2375        2474      \r\n      5357        5357      \r\n     50000       50059     *\r\n\r\n* - Administered port exclusions.\r\n"
	const japanese = "\r\nプロトコル tcp ポート除外範囲\r\n\r\n開始ポート    終了ポート\r\n----------    --------\r\n      2375        2474\r\n      5357        5357\r\n     50000       50059     *\r\n\r\n* - 管理されたポート除外。\r\n"
	want := []Exclusion{
		{Range: span(2375, 2474), Protocol: ports.TCP},
		{Range: span(5357, 5357), Protocol: ports.TCP},
		{Range: span(50000, 50059), Protocol: ports.TCP, Administered: true},
	}
	for _, text := range []string{english, japanese} {
		if got := ParseExcluded(text, ports.TCP); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	for _, text := range []string{"", "0 5", "9 5", "1 65536", "a b", "1 2 3", "The following command was not found"} {
		if got := ParseExcluded(text, ports.TCP); got != nil {
			t.Errorf("%q: got %v", text, got)
		}
	}
}

func TestParseDynamic(t *testing.T) {
	t.Parallel()
	const english = "\r\nProtocol tcp Dynamic Port Range\r\n---------------------------------\r\nStart Port      : 49152\r\nNumber of Ports : 16384\r\n\r\n"
	const german = "\r\nProtokoll tcp Dynamischer Portbereich\r\n---------------------------------\r\nStartport         : 1025\r\nAnzahl von Ports  : 64511\r\n"
	for text, want := range map[string]ports.Range{english: span(49152, 65535), german: span(1025, 65535)} {
		if got, ok := ParseDynamic(text); !ok || got != want {
			t.Errorf("got %v, %v; want %v", got, ok, want)
		}
	}
	for _, text := range []string{"", "a: 1", "a: 60000\nb: 60000", "a: 0\nb: 5", "a: 1\nb: 2\nc: 3"} {
		if got, ok := ParseDynamic(text); ok {
			t.Errorf("%q: got %v", text, got)
		}
	}
}

func TestParseLabels(t *testing.T) {
	t.Parallel()
	const text = `SELinux Port Type              Proto    Port Number

http_port_t                    tcp      80, 81, 443, 488, 8008, 8009, 8443, 9000
ephemeral_port_t               tcp      32768-60999
portmap_port_t                 udp      111
`
	labels := ParseLabels(text)
	if len(labels) != 3 || labels[0].Type != "http_port_t" || len(labels[0].Ranges) != 8 {
		t.Fatalf("got %v", labels)
	}
	for _, c := range []struct {
		protocol ports.Protocol
		port     ports.Port
		want     string
	}{{ports.TCP, 9000, "http_port_t"}, {ports.TCP, 50000, "ephemeral_port_t"}, {ports.UDP, 111, "portmap_port_t"}, {ports.TCP, 111, ""}} {
		if got := typeOf(labels, c.protocol, c.port); got != c.want {
			t.Errorf("%d/%s: got %q, want %q", c.port, c.protocol, got, c.want)
		}
	}
}

func TestParseSettings(t *testing.T) {
	t.Parallel()
	const text = `# comment = 1
; net.ipv4.ip_local_port_range = 1 2
net.ipv4.ip_local_port_range = 9000 65500
-net/ipv4/ip_local_reserved_ports=9297,9352
net.ipv4.ip_local_reserved_ports = 9297, 9352
kernel.pid_max = 5
`
	want := []Setting{
		{File: "/etc/sysctl.d/x.conf", Line: 3, Name: rangeSetting, Ranges: []ports.Range{span(9000, 65500)}},
		{File: "/etc/sysctl.d/x.conf", Line: 4, Name: reservedSetting, Ranges: []ports.Range{span(9297, 9297), span(9352, 9352)}},
		{File: "/etc/sysctl.d/x.conf", Line: 5, Name: reservedSetting, Wrong: `" 9352" is no number`},
	}
	got := ParseSettings("/etc/sysctl.d/x.conf", text)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if s, ok := lasting(got, reservedSetting); !ok || s.Line != 4 {
		t.Errorf("lasting: got %+v, %v; want line 4: the kernel refuses line 5", s, ok)
	}
}

func FuzzParsers(f *testing.F) {
	f.Add("net.ipv4.ip_local_port_range = 9000 65500\nhttp_port_t tcp 80, 81\n 2375 2474 *\nStart: 1\nNumber: 2\n")
	f.Fuzz(func(t *testing.T, s string) {
		for _, e := range ParseExcluded(s, ports.TCP) {
			if e.First == 0 || e.Last < e.First {
				t.Errorf("%q: %v", s, e)
			}
		}
		for _, l := range ParseLabels(s) {
			for _, r := range l.Ranges {
				if r.First == 0 || r.Last < r.First {
					t.Errorf("%q: %v", s, l)
				}
			}
		}
		if r, ok := ParseDynamic(s); ok && (r.First == 0 || r.Last < r.First) {
			t.Errorf("%q: %v", s, r)
		}
		for _, one := range ParseSettings("f", s) {
			if one.Wrong != "" && one.Ranges != nil {
				t.Errorf("%q: %+v", s, one)
			}
		}
	})
}
