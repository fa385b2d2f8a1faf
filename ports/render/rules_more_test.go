package render

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/ports"
)

// checkCisco reads the access lists back: P7, F71.
func checkCisco(t rapid.TB, in Input) {
	t.Helper()
	text, _ := rendered(t, "cisco", in)
	keys := func(list []acl) []string {
		var out []string
		for _, a := range list {
			out = append(out, fmt.Sprint(a))
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	if diff := cmp.Diff(keys(plannedACL(in)), keys(readCisco(t, text))); diff != "" {
		t.Fatalf("cisco %s%s (-plan +lists):\n%s", in.Host, in.Role, diff)
	}
}

func TestCiscoReadsBack(t *testing.T) {
	t.Parallel()
	everyPlace(t, checkCisco)
}

// marks are numbers by transport: what reservations, sockets and labels are about.
func marks(claims []ports.Claim) []string {
	var out []string
	for _, cl := range claims {
		for n := int(cl.Port); n <= int(max(cl.Port, cl.Last)); n++ {
			if cl.Parity == "" || (n%2 == 0) == (cl.Parity == ports.Even) {
				out = append(out, fmt.Sprintf("%s %d", cl.Protocol, n))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func markRange(t rapid.TB, protocol, text, sign string) []string {
	t.Helper()
	var out []string
	first, last := numbersOf(t, text, sign)
	for n := first; n <= last; n++ {
		out = append(out, fmt.Sprintf("%s %d", protocol, n))
	}
	return out
}

// held are the claims of the input's host or role that pass a test.
func heldBy(in Input, fits func(ports.Claim) bool) []ports.Claim {
	return slices.DeleteFunc(slices.Clone(in.Site.Held(in.Host)), func(cl ports.Claim) bool {
		return !stands(in, cl) || !fits(cl)
	})
}

// stands reports whether a claim's service stands on the input's role: any role where the row names none, and all roles
// of a kind where the role's name is one.
func stands(in Input, cl ports.Claim) bool {
	return in.Role == "" || len(cl.Listeners) == 0 || slices.ContainsFunc(cl.Listeners, func(r string) bool {
		return r == in.Role || string(in.Site.Compiled.Kinds[r]) == in.Role
	})
}

var (
	reserved = regexp.MustCompile(`^net\.ipv4\.ip_local_reserved_ports = (\d+(-\d+)?(,\d+(-\d+)?)*)$`)
	setRange = regexp.MustCompile(`^Set-Range ipv([46]) (tcp|udp) (\d+) (\d+)$`)
	listen   = regexp.MustCompile(`^Listen(Stream|Datagram)=(?:.*:)?(\d+)$`)
	label    = regexp.MustCompile(`^label (\w+_port_t) (tcp|udp) (\S+) #`)
)

// checkMarks reads reservations, sockets and labels back: P7. F66: the list has no space and no empty item.
func checkMarks(t rapid.TB, in Input) {
	t.Helper()
	works := func(cl ports.Claim) bool { return cl.Status == ports.Works }
	same := func(name string, claims []ports.Claim, read func(line string) []string, end string) {
		text, ok := rendered(t, name, in)
		var got []string
		for _, line := range strings.Split(text, end) {
			if !strings.HasPrefix(line, "#") {
				got = append(got, read(line)...)
			}
		}
		slices.Sort(got)
		got = slices.Compact(got)
		if diff := cmp.Diff(marks(claims), got); diff != "" {
			t.Fatalf("%s %s%s, rendered %v (-plan +text):\n%s", name, in.Host, in.Role, ok, diff)
		}
	}
	all := heldBy(in, func(ports.Claim) bool { return true })
	var both []ports.Claim // the list of the kernel is for both transports
	for _, cl := range all {
		cl.Protocol = "any"
		both = append(both, cl)
	}
	same("sysctl", both, func(line string) (out []string) {
		if m := reserved.FindStringSubmatch(line); m != nil {
			for _, word := range strings.Split(m[1], ",") {
				out = append(out, markRange(t, "any", word, "-")...)
			}
		} else if line != "" {
			t.Fatalf("sysctl: %q is not understood", line)
		}
		return out
	}, "\n")
	same("excludedportrange", all, func(line string) (out []string) {
		if m := setRange.FindStringSubmatch(line); m != nil {
			var first, count int
			_, _ = fmt.Sscan(m[3], &first)
			_, _ = fmt.Sscan(m[4], &count)
			out = markRange(t, m[2], fmt.Sprintf("%d-%d", first, first+count-1), "-")
		}
		return out
	}, "\r\n")
	same("systemd", heldBy(in, func(cl ports.Claim) bool { return works(cl) && !cl.Pool && cl.Pair == "" }), func(line string) []string {
		if m := listen.FindStringSubmatch(line); m != nil {
			return markRange(t, map[string]string{"Stream": "tcp", "Datagram": "udp"}[m[1]], m[2], "-")
		}
		return nil
	}, "\n")
	same("selinux", heldBy(in, works), func(line string) []string {
		if m := label.FindStringSubmatch(line); m != nil {
			return markRange(t, m[2], m[3], "-")
		}
		return nil
	}, "\n")
}

func TestReservationsSocketsAndLabelsReadBack(t *testing.T) {
	t.Parallel()
	everyPlace(t, checkMarks)
}

// TestSysctlKeepsOthers: the kernel takes the list as a whole, so what others reserved is written with it, and stays
// when ours is taken back. F66.
func TestSysctlKeepsOthers(t *testing.T) {
	t.Parallel()
	in := Input{Site: compiled(t, builtinPlan(t, "jobscheduler"), ports.Inventory{}, 0), Role: "server"}
	own := planOnly(t, in)
	in.Reserved = []ports.Range{{First: 8080, Last: 8080}, {First: 61000, Last: 61005}}
	if got, want := planOnly(t, in), strings.Replace(own, ",", ",8080,", 1)+",61000-61005"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	in.Reserved = append(in.Reserved, ports.Range{First: 59000, Last: 59999})
	in.Undo = true
	text, _ := rendered(t, "sysctl", in)
	if !strings.Contains(text, "net.ipv4.ip_local_reserved_ports = 8080,59000-") || !strings.HasSuffix(text, ",61000-61005\n") {
		t.Errorf("what others reserved is not left:\n%s", text)
	}
	if strings.Contains(text[strings.Index(text, " = "):], own) {
		t.Errorf("the plan's own numbers are left:\n%s", text)
	}
}

func planOnly(t *testing.T, in Input) string {
	t.Helper()
	text, _ := rendered(t, "sysctl", in)
	lines := strings.Split(strings.TrimSpace(text), "\n")
	m := reserved.FindStringSubmatch(lines[len(lines)-1])
	if m == nil {
		t.Fatalf("no list in\n%s", text)
	}
	return m[1]
}

// checkRecords reads SRV records back: each service that others reach, on each host, under a name of RFC 6335.
func checkRecords(t rapid.TB, in Input) {
	t.Helper()
	text, _ := rendered(t, "dns-srv", in)
	var got, want []string
	record := regexp.MustCompile(`^_([a-z0-9-]{1,15})\._(tcp|udp) IN SRV 0 0 (\d+) (\S+) ; `)
	addresses := map[string][]string{}
	for _, line := range strings.Split(text, "\n") {
		if m := record.FindStringSubmatch(line); m != nil {
			got = append(got, fmt.Sprintf("%s/%s %s %s", m[1], m[2], m[3], m[4]))
		} else if words := strings.Fields(line); len(words) == 4 && words[1] == "IN" {
			addresses[words[0]] = append(addresses[words[0]], words[3])
		} else if line != "" && !strings.HasPrefix(line, ";") {
			t.Fatalf("the line %q is not understood", line)
		}
	}
	_, outs := in.Site.Openings("")
	for _, o := range outs {
		cl, _ := in.Site.Compiled.Service(o.Service)
		name := strings.ToLower(cl.SRVName)
		if name == "" {
			name = strings.ToLower(cl.Name)
		}
		if !cl.Binds || cl.Pool || o.First == 0 || !regexp.MustCompile(`^[a-z0-9-]+$`).MatchString(name) {
			continue
		}
		for _, e := range o.Destinations {
			if strings.Contains(e.Address, "/") || in.Host != "" && e.Host != in.Host {
				continue
			}
			target := e.Address + "."
			if regexp.MustCompile(`^[0-9a-f.:]+$`).MatchString(e.Address) {
				target = e.Host
				if !slices.Contains(addresses[e.Host], e.Address) {
					t.Fatalf("%s has no record for its address %s", e.Host, e.Address)
				}
			}
			want = append(want, fmt.Sprintf("%s/%s %d %s", name, o.Protocol, o.First, target))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(slices.Compact(want), got); diff != "" {
		t.Fatalf("dns-srv (-plan +records):\n%s", diff)
	}
}

func TestRecordsReadBack(t *testing.T) {
	t.Parallel()
	everyPlace(t, func(t rapid.TB, in Input) {
		if in.Role == "" {
			checkRecords(t, in)
		}
	})
}

// checkServicesFile reads the block back: what the plan adds by itself, on request all that has a name, each line once,
// and nothing that is a neighbour's, a range, or the alternate that is not chosen.
func checkServicesFile(t rapid.TB, in Input) {
	t.Helper()
	text, _ := rendered(t, "services-file", in)
	end := "\n"
	if in.OS == "windows" {
		end = "\r\n"
	}
	var got, want []string
	for _, line := range strings.Split(text, end) {
		line, _, _ = strings.Cut(line, "#")
		if words := strings.Fields(line); len(words) > 0 {
			got = append(got, words[0]+" "+words[1])
		}
	}
	names := map[string]bool{}
	for _, cl := range in.Site.Compiled.Claims {
		way := cl.ServicesFile.Unix
		if in.OS == "windows" {
			way = cl.ServicesFile.Windows
		}
		name := cl.Name
		if strings.ContainsAny(name, " #(") {
			name = cl.SRVName
		}
		key := fmt.Sprintf("%s %d/%s", name, cl.Port, cl.Protocol)
		if cl.Port == 0 || cl.Pool || cl.Pair != "" || name == "" || names[key] || cl.Status == ports.Foreign || cl.Status == ports.Inactive && cl.When == "" {
			continue
		}
		if way == ports.Auto || in.All && (way == ports.Manual || cl.Binds) {
			want = append(want, key)
			names[key] = true
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("services-file, all=%t, %s (-plan +block):\n%s", in.All, in.OS, diff)
	}
}

func TestServicesFileReadsBack(t *testing.T) {
	t.Parallel()
	eachPlan(t, func(t *testing.T, in Input) {
		for _, in.OS = range []string{"linux", "windows"} {
			for _, in.All = range []bool{false, true} {
				checkServicesFile(t, in)
			}
		}
	})
}

// TestServicesFileOfSystemwalker: the page's column, Y for Windows and for UNIX.
func TestServicesFileOfSystemwalker(t *testing.T) {
	t.Parallel()
	in := Input{Site: compiled(t, builtinPlan(t, "systemwalker"), ports.Inventory{}, 0), OS: "windows"}
	for system, want := range map[string][]string{
		"windows": {"JMSRV 9367/tcp", "JMCAL 9368/tcp", "jobsch_win 9297/tcp", "mpaclmgr 4013/tcp", "JMEVT1 9371/tcp", "JMACT1 9369/tcp", "JMACT2 9370/tcp", "JMACT3 6961/tcp", "JMPWR 9373/tcp"},
		"linux":   {"mpaclmgr 4013/tcp"},
	} {
		in.OS = system
		lines, err := in.serviceLines()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range lines {
			got = append(got, fmt.Sprintf("%s %d/%s", l.Name, l.Port, l.Protocol))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-page +lines):\n%s", system, diff)
		}
	}
}
