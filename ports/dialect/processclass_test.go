package dialect

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/ports"
)

const classesXML = `<?xml version="1.0" encoding="ISO-8859-1"?>
<process_class name="emea" max_processes="10" timeout="30">
  <remote_schedulers select="next">
    <remote_scheduler remote_scheduler="http://host1:4445" http_heartbeat_timeout="60" http_heartbeat_period="10"/>
    <remote_scheduler remote_scheduler="host3:4455"/>
  </remote_schedulers>
</process_class>
<process_class name="apac" max_processes="5" remote_scheduler="host2:4455"/>
<process_class name="local" max_processes="99" spooler_id="x &amp; y"/>
<process_class name="rest" remote_scheduler="http://[2001:db8::7]:4456"/>
`

// The vendor's example becomes agents, the capacity of the callback pool, and notes that keep the rest.
func TestProcessClasses(t *testing.T) {
	t.Parallel()
	classes, found := ParseProcessClasses("f.xml", []byte(classesXML))
	says(t, found)
	want := []ProcessClass{
		{Name: "emea", MaxProcesses: 10, Timeout: 30, Select: "next", Listed: true, Line: 2, Remotes: []RemoteScheduler{
			{Address: "http://host1:4445", Host: "host1", Port: 4445, Heartbeat: 10, Patience: 60}, {Address: "host3:4455", Host: "host3", Port: 4455},
		}},
		{Name: "apac", MaxProcesses: 5, Line: 8, Remotes: []RemoteScheduler{{Address: "host2:4455", Host: "host2", Port: 4455}}},
		{Name: "local", MaxProcesses: 99, Line: 9, Other: []OtherValue{{"spooler_id", "x & y"}}},
		{Name: "rest", Line: 10, Remotes: []RemoteScheduler{{Address: "http://[2001:db8::7]:4456", Host: "2001:db8::7", Port: 4456}}},
	}
	if diff := cmp.Diff(want, classes); diff != "" {
		t.Fatal(diff)
	}
	part := ClassesPart(classes, compiled(t, "jobscheduler", 0), "jobscheduler", "callback")
	p, site := applied(t, part, 0)
	wantHosts := []ports.Host{
		{Name: "host1", Roles: []string{"agent"}, Advertise: []string{"host1"}, Services: []ports.HostService{{Service: "jobscheduler", Port: 4445}}},
		{Name: "host3", Roles: []string{"agent"}, Advertise: []string{"host3"}},
		{Name: "host2", Roles: []string{"agent"}, Advertise: []string{"host2"}},
		{Name: "host-2001-db8--7", Roles: []string{"agent"}, Advertise: []string{"2001:db8::7"}, Services: []ports.HostService{{Service: "jobscheduler", Port: 4456}}},
	}
	if diff := cmp.Diff(wantHosts, site.Inventory.Hosts, cmpopts.IgnoreFields(ports.Host{}, "At"), cmpopts.IgnoreFields(ports.HostService{}, "At"), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	i := slices.IndexFunc(site.Compiled.Pools, func(p ports.ResolvedPool) bool { return p.ID == "callback" })
	if pool := site.Compiled.Pools[i]; pool.Capacity.Parallel != 10+5+30 || pool.Capacity.Rate != 1 {
		t.Errorf("capacity: %+v", pool.Capacity)
	}
	var readings []string
	for _, n := range p.Notes[len(p.Notes)-4:] {
		readings = append(readings, n.Reading)
	}
	if diff := cmp.Diff([]string{"in a net: agent: {names: [host1, host3], select: next}", "in a net: agent: {name: host2}", "", "in a net: agent: {name: host-2001-db8--7}"}, readings); diff != "" {
		t.Error(diff)
	}
	// What no field holds comes back from the notes.
	back := ClassesOf(p.Notes, site, "jobscheduler")
	if diff := cmp.Diff(want, back, cmpopts.IgnoreFields(ProcessClass{}, "Line")); diff != "" {
		t.Error(diff)
	}
	again, found := ParseProcessClasses("f", FormatProcessClasses(back))
	says(t, found)
	if diff := cmp.Diff(want, again, cmpopts.IgnoreFields(ProcessClass{}, "Line")); diff != "" {
		t.Error(diff)
	}
	// A plan without such notes: each agent is a class.
	own := ClassesOf(nil, site, "jobscheduler")
	if len(own) != 4 || own[0].Remotes[0].Address != "host1:4445" || own[1].Remotes[0].Address != "host3:4455" || own[3].Remotes[0].Address != "[2001:db8::7]:4456" {
		t.Errorf("got %+v", own)
	}
}

// Two schedulers on one host are two agents of one machine.
func TestTwoSchedulersOnOneHost(t *testing.T) {
	t.Parallel()
	classes, found := ParseProcessClasses("f", []byte(`<process_classes><process_class name="a" remote_scheduler="h:4445"/><process_class name="b" remote_scheduler="h:4446"/><process_class name="c" remote_scheduler="H:4445"/></process_classes>`))
	says(t, found)
	_, site := applied(t, ClassesPart(classes, compiled(t, "jobscheduler", 0), "jobscheduler", "callback"), 0)
	if hosts := site.Inventory.Hosts; len(hosts) != 2 || hosts[1].Name != "h-2" || hosts[1].Machine != "h" || hosts[1].Services[0].Port != 4446 {
		t.Errorf("got %+v", hosts)
	}
}

// No entities, no document types, no depth without end; every mistake with its place.
func TestHostileXML(t *testing.T) {
	t.Parallel()
	bomb := `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><process_class name="&b;" remote_scheduler="h:1"/>`
	for name, c := range map[string]struct {
		text string
		says []string
	}{
		"entity bomb":    {bomb, []string{"f:1:1: ", "a document type (<!DOCTYPE …>) is not read"}},
		"external":       {"<?xml version=\"1.0\"?>\n<!DOCTYPE x SYSTEM \"file:///etc/passwd\">", []string{"f:2:1: ", "document type"}},
		"entity":         {`<process_class name="&secret;"/>`, []string{"f:1:", "cannot be read", "entit"}},
		"deep":           {strings.Repeat("<a>", 100), []string{"f:1:97: ", "33 deep"}},
		"not closed":     {"<process_class name=\"a\">\n", []string{"f:2:", "cannot be read"}},
		"crossed":        {"<a></b>", []string{"f:1:", "cannot be read"}},
		"nested":         {`<process_class name="a"><process_class name="b"/></process_class>`, []string{"f:1:25: ", "inside another one"}},
		"twice":          {"<a><process_class name=\"a\"/>\n<process_class name=\"a\"/></a>", []string{"f:2:1: ", "in line 1 already"}},
		"no port":        {`<process_class name="a" remote_scheduler="host"/>`, []string{"f:1:1: ", "names no port"}},
		"bad port":       {`<process_class name="a" remote_scheduler="host:0"/>`, []string{"f:1:1: ", "port 0"}},
		"bad host":       {`<process_class name="a" remote_scheduler="a b:1"/>`, []string{"f:1:1: ", "names no host"}},
		"bare IPv6":      {`<process_class name="a" remote_scheduler="::1:4455"/>`, []string{"f:1:1: ", "names no host"}},
		"bad number":     {`<process_class name="a" max_processes="many"/>`, []string{"f:1:1: ", "max_processes is \"many\""}},
		"negative":       {`<process_class name="a" timeout="-1"/>`, []string{"f:1:1: ", "timeout"}},
		"bad select":     {`<process_class name="a"><remote_schedulers select="any"><remote_scheduler remote_scheduler="h:1"/></remote_schedulers></process_class>`, []string{"f:1:25: ", "first or next"}},
		"empty list":     {`<process_class name="a"><remote_schedulers/></process_class>`, []string{"f:1:1: ", "empty list"}},
		"no address":     {`<process_class name="a"><remote_schedulers><remote_scheduler/></remote_schedulers></process_class>`, []string{"f:1:44: ", "without an address"}},
		"other encoding": {`<?xml version="1.0" encoding="UTF-16"?><a/>`, []string{"f:1:", "UTF-16"}},
		"not XML":        {"\x00\xff", []string{"f:1:", "cannot be read"}},
	} {
		_, found := ParseProcessClasses("f", []byte(c.text))
		if len(found) == 0 {
			t.Errorf("%s: nothing was found", name)
			continue
		}
		t.Logf("%s: %s", name, found[0])
		says(t, found[:1], c.says)
	}
	if _, found := ParseProcessClasses("f", []byte(strings.Repeat(" ", maxSize+1))); len(found) != 1 || !strings.Contains(found[0].Message, "bytes") {
		t.Errorf("too large: %v", lines(found))
	}
	var many strings.Builder
	for i := range maxClasses + 1 {
		fmt.Fprintf(&many, `<process_class name="%d"/>`, i)
	}
	if classes, found := ParseProcessClasses("f", []byte(many.String())); len(classes) != maxClasses || len(found) != 1 {
		t.Errorf("too many: %d classes, %v", len(classes), lines(found))
	}
	// A configuration around the classes, and letters of Latin 1.
	around := "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><spooler><config><process_classes><process_class name=\"k\xf6ln\" remote_scheduler=\"h:1\"/></process_classes></config></spooler>"
	if classes, found := ParseProcessClasses("f", []byte(around)); len(found) != 0 || len(classes) != 1 || classes[0].Name != "köln" {
		t.Errorf("got %+v, %v", classes, lines(found))
	}
}

func class(t *rapid.T) ProcessClass {
	host := rapid.StringMatching(`[a-z][a-z0-9-]{0,8}[a-z]`)
	remote := func() RemoteScheduler {
		s := RemoteScheduler{Host: host.Draw(t, "host"), Port: ports.Port(rapid.IntRange(1, 65535).Draw(t, "port"))}
		s.Address = fmt.Sprintf("%s%s:%d", rapid.SampledFrom([]string{"", "http://", "https://"}).Draw(t, "scheme"), s.Host, s.Port)
		return s
	}
	c := ProcessClass{
		Name: rapid.StringMatching(`[^\x00-\x1f]{1,10}`).Filter(func(s string) bool {
			return !strings.ContainsAny(s, "\ufffd\ufffe\uffff\u0085") && strings.ToValidUTF8(s, "") == s
		}).Draw(t, "name"),
		MaxProcesses: rapid.IntRange(0, 99).Draw(t, "max"), Timeout: rapid.IntRange(0, 99).Draw(t, "timeout"),
	}
	switch rapid.IntRange(0, 2).Draw(t, "kind") {
	case 1:
		c.Remotes = []RemoteScheduler{remote()}
	case 2:
		c.Listed, c.Select = true, rapid.SampledFrom([]string{"", "first", "next"}).Draw(t, "select")
		for range rapid.IntRange(1, 4).Draw(t, "n") {
			s := remote()
			s.Heartbeat, s.Patience = rapid.IntRange(0, 9).Draw(t, "beat"), rapid.IntRange(0, 9).Draw(t, "patience")
			c.Remotes = append(c.Remotes, s)
		}
	}
	return c
}

// import(export(x)) == x, through the XML and through the plan's notes.
func TestProcessClassRoundTrip(t *testing.T) {
	t.Parallel()
	over := compiled(t, "jobscheduler", 0)
	rapid.Check(t, func(rt *rapid.T) {
		want := rapid.SliceOfNDistinct(rapid.Custom(class), 1, 5, func(c ProcessClass) string { return c.Name }).Draw(rt, "classes")
		ignore := cmpopts.IgnoreFields(ProcessClass{}, "Line")
		got, found := ParseProcessClasses("f", FormatProcessClasses(want))
		if diff := cmp.Diff(want, got, ignore); len(found) > 0 || diff != "" {
			rt.Fatal(lines(found), diff)
		}
		var notes []ports.Statement
		for _, f := range ClassesPart(want, over, "jobscheduler", "callback").Plan {
			if f.Key == "notes" {
				for _, n := range f.Value.([]any) {
					notes = append(notes, ports.Statement{Origin: n.(Document)[0].Value.(string), Text: n.(Document)[1].Value.(string)})
				}
			}
		}
		if diff := cmp.Diff(want, ClassesOf(notes, ports.Site{}, "jobscheduler"), ignore); diff != "" {
			rt.Fatal(diff)
		}
	})
}

func FuzzProcessClasses(f *testing.F) {
	f.Add(classesXML)
	f.Add(`<!DOCTYPE a><a><process_class name="x" remote_scheduler="[::1]:5"/></a>`)
	f.Fuzz(func(t *testing.T, text string) {
		classes, found := ParseProcessClasses("f", []byte(text))
		if ports.HasErrors(found) {
			return
		}
		again, found := ParseProcessClasses("f", FormatProcessClasses(classes))
		if diff := cmp.Diff(classes, again, cmpopts.IgnoreFields(ProcessClass{}, "Line"), cmpopts.EquateEmpty()); diff != "" || ports.HasErrors(found) {
			t.Errorf("%q: %v %s", text, lines(found), diff)
		}
	})
}
