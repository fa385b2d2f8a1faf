package directory_test

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/reeve-scheduler/reeve/internal/directory"
	"github.com/reeve-scheduler/reeve/internal/responder"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
	"github.com/reeve-scheduler/reeve/ports/planfile"
	"github.com/reeve-scheduler/reeve/ports/render"
)

// TestSameAsZoneFile: each record of the zone file that is rendered from plan and inventory is answered, in its words.
func TestSameAsZoneFile(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"arcserve":     "roles: [primary]|services: [{id: caauthd, port: 7001}, {id: lqserver, port: 7002}]\npools: [{id: reconnect, range: 7200-7209}]\n",
		"systemwalker": "roles: [server]|",
		"acs":          "roles: [server]|",
	} {
		roles, rows, _ := strings.Cut(text, "|")
		plan, err := planfile.Parse("site.yaml", []byte("plan: site\nextends: "+name+"\n"+rows), builtin.Load)
		if err != nil {
			t.Fatal(err)
		}
		inv, err := planfile.ParseInventory("inventory.yaml", []byte("inventory: site\nhosts:\n  hq: {"+roles+", advertise: [10.1.0.5]}\n  desk: {roles: [client], advertise: [10.3.0.5]}\n"))
		if err != nil {
			t.Fatal(err)
		}
		c, _ := ports.Compile(plan, inv, 0)
		site := ports.Site{Compiled: c, Inventory: inv}
		targets := render.Targets()
		target := targets[slices.IndexFunc(targets, func(x render.Target) bool { return x.Name == "dns-srv" })]
		zone, err := target.Render(render.Input{Site: site, Host: "hq"})
		if len(zone) == 0 {
			t.Fatalf("%s: %v", name, err)
		}
		var want []string
		for _, m := range regexp.MustCompile(`(?m)^(_\S+) IN SRV (0 0 \d+) hq `).FindAllStringSubmatch(string(zone), -1) {
			want = append(want, m[1]+" "+m[2])
		}
		book := directory.Compose(c, "batch", 1, []directory.Known{{
			Name: "hq", Role: ports.Server, Addresses: []string{"10.1.0.5"}, Where: func(row string) []string { return site.At("hq", row) },
		}})
		names := directory.Names{Book: func() *directory.Book { return book }}
		var got []string
		for _, n := range book.Nodes {
			for _, s := range n.Services {
				if s.Name != "" {
					got = append(got, srv(t, &names, "_"+s.Name+"._"+string(s.Protocol))...)
				}
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		want, got = slices.Compact(want), slices.Compact(got)
		if len(want) < 3 {
			t.Fatalf("%s: the zone file has only %v", name, want)
		}
		for _, w := range want {
			if !slices.Contains(got, w) {
				t.Errorf("%s: the zone file has %s, and DNS answers %v", name, w, got)
			}
		}
	}
}

// srv asks for a service, and returns what is answered as a zone file has it.
func srv(t *testing.T, n *directory.Names, name string) []string {
	t.Helper()
	m := dnsmessage.Message{Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name + ".batch."), Type: dnsmessage.TypeSRV, Class: dnsmessage.ClassINET}}}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Unpack(n.Answer(b, responder.Asked{Stream: true, Room: 1 << 16})); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, a := range m.Answers {
		if r, ok := a.Body.(*dnsmessage.SRVResource); ok && r.Target.String() == "hq.batch." {
			all = append(all, name+" 0 0 "+strconv.Itoa(int(r.Port)))
		}
	}
	return all
}
