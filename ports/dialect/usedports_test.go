package dialect

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/ports"
)

const used = "bilboContainer 4000 10.0.0.1\n" +
	"ACS/frodo/Container 4002 10.0.0.1\n" +
	"short 4004\n" +
	"alone\n" +
	"long 4006 10.0.0.1 extra\n" +
	"bilboContainer 4008 10.0.0.1\n" +
	"other 4002 10.0.0.1\n" +
	"elsewhere 4002 10.0.0.2\n" +
	"odd 4005 10.0.0.1\n" +
	"far 5000 10.0.0.1\n" +
	"bad 99999 10.0.0.1\n" +
	"a:b 4010 10.0.0.1\n" +
	"\n" +
	"named 4012 te1-gas01.example.com\n" +
	"last 4014 10.0.0.1"

// AC-13: the ledger of the other product becomes leases; short, long, doubled and odd lines are reported and kept.
func TestUsedPorts(t *testing.T) {
	t.Parallel()
	u, found := ParseUsedPorts("U", []byte(used))
	says(
		t, found,
		[]string{"U:3:7: ", "2 words, and needs three"},
		[]string{"U:4:1: ", "1 words"},
		[]string{"U:5:20: ", "4 words, and three are read"},
		[]string{"U:6:1: ", "the name bilboContainer has 4000 on 10.0.0.1 in line 1 already", "the first one counts"},
		[]string{"U:7:1: ", "4002 on 10.0.0.1 is ACS/frodo/Container's in line 2 already"},
		[]string{"U:11:5: ", "above 65535"},
		[]string{"U:12:1: ", "no name for a lease"},
		[]string{"U:15:19: ", "warning", "does not end"},
	)
	if string(u.Bytes()) != used {
		t.Errorf("comes back as %q", u.Bytes())
	}
	part, found := u.Part("U", compiled(t, "acs", 0), "containers")
	says(
		t, found,
		[]string{"U:9:5: ", "odd has 4005", "second numbers of containers"},
		[]string{"U:10:5: ", "far has 5000", "outside containers, 4000-4999 in instance 0"},
	)
	var got []string
	for _, l := range part.Leases {
		got = append(got, strings.Join([]string{l.Name, l.Pool, string(l.Protocol), ports.Place{}.File, l.Host}, " ")+" "+formatRanges([]ports.Range{{First: l.Port, Last: l.Port}}, ""))
	}
	want := []string{
		"bilboContainer containers tcp  10.0.0.1 4000", "ACS/frodo/Container containers tcp  10.0.0.1 4002", "elsewhere containers tcp  10.0.0.2 4002",
		"named containers tcp  te1-gas01.example.com 4012", "last containers tcp  10.0.0.1 4014",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	// Another instance has other numbers.
	_, found = u.Part("U", compiled(t, "acs", 3), "containers")
	if len(found) != 7 || !strings.Contains(found[0].Message, "in instance 3") {
		t.Errorf("got %v", lines(found))
	}
	if _, found = u.Part("U", compiled(t, "acs", 0), "nosuch"); len(found) == 0 || !strings.Contains(found[0].Message, "no pool nosuch") {
		t.Errorf("got %v", lines(found))
	}
	if text := string(part.YAML()); !strings.Contains(text, "  - {name: ACS/frodo/Container, pool: containers, protocol: tcp, port: 4002, host: \"10.0.0.1\", instance: 0}\n") {
		t.Errorf("written: %s", text)
	}
}

// import(export(x)) == x.
func TestUsedPortsRoundTrip(t *testing.T) {
	t.Parallel()
	over := compiled(t, "acs", 0)
	rapid.Check(t, func(t *rapid.T) {
		var want []Lease
		for i := range rapid.IntRange(0, 20).Draw(t, "n") {
			want = append(want, Lease{
				Name: rapid.StringMatching(`[A-Za-z/_-]{1,12}`).Draw(t, "name") + string(rune('0'+i/10)) + string(rune('0'+i%10)), Pool: "containers", Protocol: ports.TCP,
				Port: ports.Port(4000 + 2*i), Host: rapid.SampledFrom([]string{"10.0.0.1", "host.example.com", "2001:db8::7"}).Draw(t, "host"),
			})
		}
		u, found := ParseUsedPorts("f", NewUsedPorts(want).Bytes())
		part, more := u.Part("f", over, "containers")
		for i := range part.Leases {
			part.Leases[i].Place = ports.Place{}
		}
		if diff := cmp.Diff(want, part.Leases); len(found)+len(more) > 0 || diff != "" {
			t.Fatal(lines(found), lines(more), diff)
		}
	})
}

func FuzzUsedPorts(f *testing.F) {
	f.Add(used)
	f.Add("a/b 4000 h\r\na/b\t4002\th\n")
	f.Fuzz(func(t *testing.T, text string) {
		u, _ := ParseUsedPorts("f", []byte(text))
		if string(u.Bytes()) != text {
			t.Errorf("%q comes back as %q", text, u.Bytes())
		}
		over := ports.Compiled{Claims: []ports.Claim{{Service: "containers", Pool: true, Port: 1, Last: 65535, Protocol: ports.TCP}}}
		part, found := u.Part("f", over, "containers")
		if len(found) > 0 {
			t.Errorf("%q: %v", text, lines(found))
		}
		again, found := ParseUsedPorts("f", NewUsedPorts(part.Leases).Bytes())
		if len(found) > 0 || len(again.Lines) != len(part.Leases) {
			t.Errorf("%q: %v", text, lines(found))
		}
	})
}
