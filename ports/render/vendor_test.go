package render

import (
	"slices"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/ports"
)

// pageTable returns the tables of a plan in the form of its page, by their headings, with the cells that repeat the one
// above filled in.
func pageTable(t *testing.T, name string, instance int) []part {
	t.Helper()
	text, err := renderVendor(Input{Site: compiled(t, builtinPlan(t, name), ports.Inventory{}, instance)})
	if err != nil {
		t.Fatal(err)
	}
	return readMarkdown(string(text))
}

// pageColumn returns the cells below a heading of a part.
func pageColumn(t *testing.T, parts []part, title, head string) []string {
	t.Helper()
	for _, p := range parts {
		i := slices.Index(p.heads, head)
		if p.title != title || i < 0 {
			continue
		}
		var cells []string
		for _, row := range p.rows {
			cells = append(cells, row[i])
		}
		return cells
	}
	t.Fatalf("there is no column %q below %q", head, title)
	return nil
}

// TestSystemwalkerTable holds the three tables against the page: names, numbers, services files, ends, footnotes.
func TestSystemwalkerTable(t *testing.T) {
	t.Parallel()
	parts := pageTable(t, "systemwalker", 0)
	w := english()
	for _, c := range []struct{ title, head, want string }{ // an empty cell repeats the one above
		{w.external, "service name", "JMSRV|jmnet||||JMCAL||jobsch_win|||mjsnet|mpaclmgr|JMEVT1|JMACT1|JMACT2|JMACT3|smtp_mpaosfb|mpnjsocl|mpnjsc|mpnjsc|JMPWR|mpahso"},
		{w.external, "port number", "9367/tcp|9352/tcp||||9368/tcp||9297/tcp|||9327/tcp|4013/tcp|9371/tcp|9369/tcp|9370/tcp|6961/tcp|25/tcp (5)|2685/tcp|1952/tcp|1952/udp|9373/tcp|9900/tcp"},
		{w.external, "automatic addition to services: Windows", "Y|N||||Y||Y|||N|Y|Y|Y|Y|Y|N|N|N|N|Y|N"},
		{w.external, "automatic addition to services: UNIX", "N|N||||N||N|||N|Y|N|N|N|N|N|N|N|N|N|N"},
		{w.sameHost, "service name", "mpnjsomb|mpnjsosv (1)|mpnjsomg (1)|mpojeed1httpo|mpojeed1httpso|mpojeed1admino|mpojeed1jmso|mpojeed1iiopo|mpojeed1iiopsmo|mpojeed1iiopso|mpojeed1jmxo"},
		{w.sameHost, "port number", "2681/tcp|2684/tcp|2686/tcp|9901/tcp|9902/tcp|9903/tcp|9904/tcp|9905/tcp|9906/tcp|9907/tcp|9908/tcp"},
		{w.sameHost, "source and destination (the same)", "client|server|server|server|server|server|server|server|server|server|server"},
		{w.remote, "port number", "22/tcp|application: remote event log management"},
		{w.remote, "source", "the server that runs the command|the server that runs the command"},
	} {
		if got := strings.Join(pageColumn(t, parts, c.title, c.head), "|"); got != c.want {
			t.Errorf("%s, %s:\n got %s\nwant %s", c.title, c.head, got, c.want)
		}
	}
	functions := strings.Join(pageColumn(t, parts, w.external, "function name"), "|")
	for _, want := range []string{"Event monitoring (1)", "Action management (1)", "Task linking (3)", "Calendar; Starting services and applications"} {
		if !strings.Contains(functions, want) {
			t.Errorf("no function %q in %s", want, functions)
		}
	}
	if sources := pageColumn(t, parts, w.external, "source"); sources[6] != "server (2)" {
		t.Errorf("the second source of JMCAL is %q, want server (2)", sources[6])
	}
}

// TestJobschedulerSequence: all steps of the page in their order, with the numbers of the two connections.
func TestJobschedulerSequence(t *testing.T) {
	t.Parallel()
	parts := pageTable(t, "jobscheduler", 0)
	numbers := pageColumn(t, parts, "Sequence", "no.")
	if len(numbers) != 13 || numbers[0] != "JS-5" || numbers[12] != "JS-17" {
		t.Errorf("the steps are %v, want JS-5 to JS-17", numbers)
	}
	signs := strings.Join(pageColumn(t, parts, "Sequence", "port of the page"), "|")
	if want := "OP|IP|OP|IP||||OPR|OPR, OP||||"; signs != want {
		t.Errorf("the page's ports are %s, want %s", signs, want)
	}
	at := pageColumn(t, parts, "Sequence", "port number")
	if at[2] != "4455" || at[8] != "59870-59999" {
		t.Errorf("the connections go to %q and %q", at[2], at[8])
	}
}

// TestArcserveTables: every program of the page with what it is needed for, and the management service's two cases with
// the misprints as printed. F86.
func TestArcserveTables(t *testing.T) {
	t.Parallel()
	parts := pageTable(t, "arcserve", 0)
	var want []string
	for _, n := range []string{"2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15"} {
		want = append(want, "AR-"+n)
	}
	if got := pageColumn(t, parts, "Services", "no."); !slices.Equal(got, want) {
		t.Errorf("the programs are %v, want %v", got, want)
	}
	if got, want := strings.Join(pageColumn(t, parts, "Services", "needed for GUI communication"), "|"), "|yes|yes|yes|no|no|no|||||||"; got != want {
		t.Errorf("needed for the GUI: %s, want %s", got, want)
	}
	if got, want := strings.Join(pageColumn(t, parts, "Services", "needed for backup server communication"), "|"), "|||yes|no|no|no|||||||"; got != want {
		t.Errorf("needed for backup servers: %s, want %s", got, want)
	}
	for head, want := range map[string]string{
		"remote service communication":                            `SSL, 7099/tcp|non-SSL, 2099/tcp; inactive|20000-20100/tcp|[10000|1999] or [20000-20100|10000|19999]`,
		"communication of an Arcserve server with client servers": `SSL, 7099/tcp|non-SSL, 2099/tcp; inactive|7199/tcp|[20000-20100|20000\19999]`,
	} {
		if got := strings.Join(pageColumn(t, parts, "Management service", head), "|"); got != want {
			t.Errorf("%s: %s, want %s", head, got, want)
		}
	}
}

// TestACSTables: daemons with what they were, services by offset, containers by parity, for an instance above 0.
func TestACSTables(t *testing.T) {
	t.Parallel()
	parts := pageTable(t, "acs", 3)
	for _, c := range []struct{ title, head, want string }{
		{"Daemon ports", "fixed port", "2970/tcp 2980/tcp 2981/tcp 2982/tcp 2983/tcp 2984/tcp 2985/tcp 2986/tcp 2987/tcp 2988/tcp"},
		{"Daemon ports", "was", "3013 3014 3015 3016 3017 3018 3019 3020 3021 –"},
		{"Services ports", "port offset", "0 1 2 3 4 5 6 7 11 12 13 20-49"},
		{"Services ports", "port for instance 3", "3300/tcp 3301/tcp 3302/tcp 3303/tcp 3304/tcp 3305/tcp 3306/tcp 3307/tcp 3311/tcp 3312/tcp 3313/tcp 3320-3349/tcp"},
		{"Container ports", "port for instance 3", "3350-3372/tcp 3351-3373/tcp 3375-3399/tcp"},
		{"Container ports", "port offset", "50-72 51-73 75-99"},
		{"Container ports", "parity", "even odd "},
	} {
		if got := strings.Join(pageColumn(t, parts, c.title, c.head), " "); got != c.want {
			t.Errorf("%s, %s: %s, want %s", c.title, c.head, got, c.want)
		}
	}
}

// TestVendorHasEveryRow: what the page states stands in its tables, what is ours in the table of ours, and the numbers
// are the plan's, in every instance. P7.
func TestVendorHasEveryRow(t *testing.T) {
	t.Parallel()
	eachPlan(t, func(t *testing.T, in Input) {
		text, err := renderVendor(in)
		if err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		ours := 0
		for _, p := range readMarkdown(string(text)) {
			if p.title == english().vendor.ours || in.Site.Compiled.Plan == "default" {
				ours += len(p.rows)
			}
			for _, row := range p.rows {
				all.WriteString("|" + strings.Join(row, "|") + "|\n")
			}
		}
		want := 0
		for _, r := range in.Site.Compiled.Rows() {
			if r.Origin == "ours" {
				want++
			}
			if r.Port != "" && !strings.Contains(all.String(), strings.TrimPrefix(r.Port, appPrefix)) {
				t.Errorf("%s %s stands nowhere", r.ID, r.Port)
			}
		}
		if ours < want {
			t.Errorf("%d rows are ours, and %d stand in the table", want, ours)
		}
	})
}
