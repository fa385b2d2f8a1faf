package render

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/ports"
)

// has skips a test where a tool is missing: scripts/setup installs it.
func has(t *testing.T, tool string) {
	t.Helper()
	if _, err := exec.LookPath(tool); err != nil {
		t.Skipf("needs %s: scripts/setup installs it", tool)
	}
}

// command runs a tool, which must end well.
func command(t *testing.T, input string, words ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), words[0], words[1:]...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s\n%s", words, err, out, input)
	}
	return string(out)
}

// someSites are one instance of every built-in plan on a host that has much to do.
func someSites(t *testing.T, f func(t *testing.T, in Input)) {
	t.Helper()
	for _, name := range []string{"default", "systemwalker", "jobscheduler", "arcserve", "acs"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan := builtinPlan(t, name)
			f(t, Input{Site: compiled(t, plan, mixedHosts(plan), 0), Host: "hq1", Owner: "batch-platform", Expiry: "2027-01-01"})
		})
	}
}

// files lists what stands in a folder, with its content.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		out[strings.TrimPrefix(path, dir)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// checkScript runs a script with a folder, twice, and its undo; afterwards the folder holds what it held. P12.
func checkScript(t *testing.T, target string, in Input, check func(dir string)) {
	t.Helper()
	dir := t.TempDir()
	for _, sub := range []string{"services", "ipsets", "policies"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, sub, "reeve_other-1.xml"), []byte("of others"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := files(t, dir)
	text, _ := rendered(t, target, in)
	command(t, text, "sh", "-s", dir)
	once := files(t, dir)
	command(t, text, "sh", "-s", dir)
	if diff := cmp.Diff(once, files(t, dir)); diff != "" {
		t.Errorf("a second run changed something (-once +twice):\n%s", diff)
	}
	for name := range before {
		_ = os.Remove(filepath.Join(dir, name)) // what is of others is not valid; the tool looks at what is ours
	}
	check(dir)
	for name, text := range before {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	in.Undo = true
	text, _ = rendered(t, target, in)
	command(t, text, "sh", "-s", dir)
	if diff := cmp.Diff(before, files(t, dir)); diff != "" {
		t.Errorf("something is left (-before +after):\n%s", diff)
	}
}

// TestFirewalldTakesIt: the files are valid for firewalld's own check.
func TestFirewalldTakesIt(t *testing.T) {
	t.Parallel()
	has(t, "firewall-offline-cmd")
	if os.Geteuid() != 0 {
		t.Skip("needs root: firewall-offline-cmd runs as no other")
	}
	someSites(t, func(t *testing.T, in Input) {
		checkScript(t, "firewalld", in, func(dir string) {
			if err := os.WriteFile(filepath.Join(dir, "firewalld.conf"), []byte("DefaultZone=public\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			defer os.Remove(filepath.Join(dir, "firewalld.conf"))
			if out := command(t, "", "firewall-offline-cmd", "--system-config", dir, "--check-config"); out != "" {
				t.Errorf("firewall-offline-cmd: %s", out)
			}
		})
	})
}

// TestUFWTakesIt: ufw finds the profiles, keeps the rules, once each, and gives them back. P12.
func TestUFWTakesIt(t *testing.T) {
	t.Parallel()
	plan := builtinPlan(t, "jobscheduler") // ufw is slow, and this plan is short: a number, a range, both families
	in := Input{Site: compiled(t, plan, mixedHosts(plan), 0), Host: "hq1", Owner: "batch-platform"}
	p := newPlace(t, "ufw", "iptables")
	root := t.TempDir()
	for _, dir := range []string{"/etc/ufw", "/etc/default/ufw", "/lib/ufw"} {
		command(t, "", "mkdir", "-p", filepath.Dir(root+dir))
		command(t, "", "cp", "-r", dir, root+dir)
	}
	program := filepath.Join(root, "ufw")
	real := strings.TrimSpace(command(t, "", "sh", "-c", "command -v ufw"))
	if err := os.WriteFile(program, []byte(fmt.Sprintf("#!/bin/sh\nexec %s --rootdir=%s --datadir=%s \"$@\"\n", real, root, root)), 0o700); err != nil {
		t.Fatal(err)
	}
	run := func(undo bool) map[string]string {
		in.Undo = undo
		text, _ := rendered(t, "ufw", in)
		p.load("PATH="+root+":$PATH\n"+text, "sh", "FILE", root+"/etc/ufw/applications.d")
		return files(t, root+"/etc/ufw")
	}
	run(false)
	before := run(true) // with the lines that ufw writes around its rules
	once := run(false)
	if diff := cmp.Diff(once, run(false)); diff != "" {
		t.Errorf("a second run changed something (-once +twice):\n%s", diff)
	}
	got := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^### tuple ### allow (tcp|udp) (\S+) \S+ any (\S+) (\S+)`).FindAllStringSubmatch(once["/user.rules"]+once["/user6.rules"], -1) {
		got[strings.Join(m[1:], " ")] = true
	}
	if want := len(regexp.MustCompile(`(?m)^ufw allow`).FindAllString(func() string { in.Undo = false; s, _ := rendered(t, "ufw", in); return s }(), -1)); len(got) < want {
		t.Errorf("ufw has %d rules of %d commands:\n%s", len(got), want, once["/user.rules"])
	}
	if diff := cmp.Diff(before, run(true)); diff != "" {
		t.Errorf("something is left (-before +after):\n%s", diff)
	}
}

// TestSystemdTakesIt: the units are valid, and each names its socket.
func TestSystemdTakesIt(t *testing.T) {
	t.Parallel()
	has(t, "systemd-analyze")
	someSites(t, func(t *testing.T, in Input) {
		checkScript(t, "systemd", in, func(dir string) {
			for _, program := range []string{"reeve-server", "reeve-agent"} {
				unit := filepath.Join(dir, program+".service")
				if err := os.WriteFile(unit, []byte("[Service]\nExecStart=/bin/true\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				defer os.Remove(unit)
			}
			units, err := filepath.Glob(filepath.Join(dir, "*.socket"))
			if err != nil || len(units) == 0 {
				t.Fatalf("no units: %v", err)
			}
			if out := command(t, "", append([]string{"systemd-analyze", "verify", "--man=no"}, units...)...); strings.Contains(out, dir) {
				t.Errorf("systemd-analyze: %s", out)
			}
			for name, text := range files(t, dir) {
				if strings.HasSuffix(name, ".socket") && (strings.Count(text, "\nFileDescriptorName=") != 1 || strings.Count(text, "\nBindIPv6Only=both\n") != 1) {
					t.Errorf("%s:\n%s", name, text)
				}
			}
		})
	})
}

// TestZoneIsValid: the records are valid in a zone that includes them.
func TestZoneIsValid(t *testing.T) {
	t.Parallel()
	has(t, "named-checkzone")
	someSites(t, func(t *testing.T, in Input) {
		in.Host = ""
		text, _ := rendered(t, "dns-srv", in)
		zone := filepath.Join(t.TempDir(), "zone")
		head := "$TTL 300\n@ IN SOA ns.site.example. admin.site.example. 1 3600 600 86400 300\n@ IN NS ns\nns IN A 192.0.2.53\n"
		if err := os.WriteFile(zone, []byte(head+text), 0o600); err != nil {
			t.Fatal(err)
		}
		if out := command(t, "", "named-checkzone", "-i", "local", "site.example", zone); strings.Contains(out, "warning") || !strings.Contains(out, "OK") {
			t.Errorf("named-checkzone: %s\n%s", out, text)
		}
	})
}

// TestSysctlIsTaken: the kernel takes the list as it stands in the file, and the list of others when it is taken back. F66, P12.
func TestSysctlIsTaken(t *testing.T) {
	t.Parallel()
	someSites(t, func(t *testing.T, in Input) {
		p := newPlace(t, "sysctl")
		const key = "net.ipv4.ip_local_reserved_ports"
		for _, others := range [][]ports.Range{nil, {{First: 1234, Last: 1234}, {First: 61000, Last: 61010}}} {
			before := spans(others, "-", ",")
			p.run("sysctl -q -w " + key + "=" + before)
			in.Reserved, in.Undo = others, false
			text, _ := rendered(t, "sysctl", in)
			p.load(text, "sysctl", "-q", "-p")
			_, want, _ := strings.Cut(text[strings.Index(text, "\n"+key):], " = ")
			if got := p.run("sysctl -n " + key); got != want {
				t.Errorf("the kernel has %s, the file %s", got, want)
			}
			in.Reserved, in.Undo = merge(append(slices.Clone(others), planRanges(in)...)), true
			text, _ = rendered(t, "sysctl", in)
			p.load(text, "sysctl", "-q", "-p")
			if got := strings.TrimSpace(p.run("sysctl -n " + key)); got != before {
				t.Errorf("the kernel has %q after the undo, and had %q", got, before)
			}
		}
	})
}

func planRanges(in Input) []ports.Range {
	var out []ports.Range
	for _, cl := range in.Site.Held(in.Host) {
		out = append(out, numbers(cl.Port, cl.Last, cl.Parity)...)
	}
	return out
}

// TestScriptsAreShell: whatever a plan's texts are, the shell reads a script to its end, and nothing in it is a command
// that is not ours.
func TestScriptsAreShell(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		plan, inv := anyPlan(rt)
		c, _ := ports.Compile(plan, inv, 0)
		in := Input{Site: ports.Site{Compiled: c, Inventory: inv}, Role: rapid.SampledFrom([]string{"one", "two"}).Draw(rt, "role"), Owner: "'; touch /tmp/x; '", Expiry: "$(id)\n`id`"}
		for _, name := range []string{"iptables", "firewalld", "ufw", "systemd", "selinux"} {
			in.Undo = rapid.Bool().Draw(rt, "undo")
			if text, ok := rendered(rt, name, in); ok {
				cmd := exec.Command("sh", "-n")
				cmd.Stdin = strings.NewReader(text)
				if out, err := cmd.CombinedOutput(); err != nil {
					rt.Fatalf("%s: %v\n%s\n%s", name, err, out, text)
				}
				_, rest := heredocs(rt, text)
				for _, line := range rest {
					words := strings.Fields(line)
					if len(words) > 0 && !strings.HasPrefix(words[0], "#") && !slices.Contains(shellCommands, words[0]) && !strings.HasPrefix(words[0], "file=${1-/etc/ufw/applications.d}/reeve_site_") {
						rt.Fatalf("%s: the line %q begins with what is not ours", name, line)
					}
				}
			}
		}
	})
}

var shellCommands = []string{
	"set", "test=;", "[", "for", "done", "if", "case", "while", "$t", "keep='", "mkdir", "rm", "ufw", "label()", "label", "semanage", "semodule",
	"dir=$(mktemp", "dir=${1-/etc/firewalld};", "dir=${1-/etc/systemd/system};",
}

// TestUndoNamesWhatWasAdded: for targets without a tool here, each thing that is added is taken back by name. P12.
func TestUndoNamesWhatWasAdded(t *testing.T) {
	t.Parallel()
	someSites(t, func(t *testing.T, in Input) {
		texts := func(name string) (do, undo []string) {
			text, _ := rendered(t, name, in)
			back := in
			back.Undo = true
			other, _ := rendered(t, name, back)
			return strings.Split(strings.ReplaceAll(text, "\r", ""), "\n"), strings.Split(strings.ReplaceAll(other, "\r", ""), "\n")
		}
		pairs := func(name, begin string, back func(line string) string) {
			do, undo := texts(name)
			n := 0
			for _, line := range do {
				if strings.HasPrefix(line, begin) {
					n++
					if !slices.Contains(undo, back(line)) {
						t.Errorf("%s: %q is not taken back by %q", name, line, back(line))
					}
				}
			}
			if n == 0 {
				t.Errorf("%s: nothing begins with %q", name, begin)
			}
		}
		withoutComment := func(line string) string { line, _, _ = strings.Cut(line, " comment "); return line }
		pairs("ufw", "ufw allow", func(line string) string {
			return strings.Replace(withoutComment(line), "ufw allow", "ufw --force delete allow", 1)
		})
		pairs("selinux", "label reeve", func(line string) string {
			w := strings.Fields(line)
			return fmt.Sprintf("semanage port -d -t %s -p %s %s 2>/dev/null || true", w[1], w[2], w[3])
		})
		pairs("excludedportrange", "Set-Range ", func(line string) string { return line })
		pairs("windows", "Get-NetFirewallRule -Group", func(line string) string { return line })
		pairs("cisco", "no ", func(line string) string { return line })
	})
}

// TestTerraformReadsIt: where Terraform is installed, it reads the file and finds nothing to format but blanks.
func TestTerraformReadsIt(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("terraform"); err != nil {
		t.Skip("terraform is not a Debian package; the extractor reads the file")
	}
	someSites(t, func(t *testing.T, in Input) {
		for _, place := range []Input{in, {Site: in.Site, Role: "server"}} {
			text, _ := rendered(t, "aws", place)
			command(t, text, "terraform", "fmt", "-")
		}
	})
}
