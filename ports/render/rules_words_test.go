package render

import (
	"errors"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/ports"
)

// TestApplications: an application instead of a number is a rule where the target knows programs, and where it does
// not, the text says what it leaves out, and so does an error beside it. F75.
func TestApplications(t *testing.T) {
	t.Parallel()
	in := Input{Site: compiled(t, builtinPlan(t, "systemwalker"), ports.Inventory{}, 0), Role: "remote-machine"}
	for _, name := range []string{"nftables", "iptables", "firewalld", "ufw", "pf", "aws", "kubernetes", "cisco"} {
		text, err := target(t, name).Render(in)
		var omitted *Omitted
		if !errors.As(err, &omitted) || len(omitted.Flows) != 1 || !strings.Contains(err.Error(), "remote event log management") {
			t.Errorf("%s: got the error %v", name, err)
		}
		if !strings.Contains(string(text), "NOT RENDERED") || !strings.Contains(string(text), `remote-event-log.1/tcp: the application "remote event log management"`) || !strings.Contains(string(text), "22") {
			t.Errorf("%s does not name what is missing, or has nothing else:\n%s", name, text)
		}
	}
	text, err := windows(in)
	if err != nil {
		t.Error(err)
	}
	for _, want := range []string{
		`-LocalPort @('RPCEPMap') -Program '%SystemRoot%\System32\svchost.exe' -Service 'RPCSS'`,
		`-LocalPort @('RPC') -Program '%SystemRoot%\System32\svchost.exe' -Service 'EventLog'`,
		`-LocalPort @('22')`,
	} {
		if strings.Count(string(text), want) != 1 {
			t.Errorf("windows: want once %s in\n%s", want, text)
		}
	}
}

// TestNamesAreRefused: a set would hold what a name meant when it was loaded, so a name is a mistake, and all are told
// at once. A host that binds an address has one.
func TestNamesAreRefused(t *testing.T) {
	t.Parallel()
	plan := builtinPlan(t, "default")
	inv := ports.Inventory{Hosts: []ports.Host{
		{Name: "hq", Roles: []string{"server"}, Bind: []string{"10.1.0.5"}},
		{Name: "a1", Roles: []string{"agent"}, Advertise: []string{"a1.example.com"}},
		{Name: "a2", Roles: []string{"agent"}},
		{Name: "a3", Roles: []string{"agent"}, Bind: []string{"10.1.0.7"}, Advertise: []string{"a3.example.com"}},
	}}
	in := Input{Site: compiled(t, plan, inv, 0), Host: "hq"}
	for _, name := range []string{"nftables", "iptables", "firewalld", "ufw", "pf", "windows", "aws", "kubernetes", "cisco"} {
		text, err := target(t, name).Render(in)
		if err == nil || len(text) > 0 {
			t.Errorf("%s: a text of %d bytes, and the error %v", name, len(text), err)
			continue
		}
		for _, want := range []string{`host "a1"`, `"a1.example.com"`, `host "a2"`, "networks"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %s is not in %v", name, want, err)
			}
		}
		if strings.Contains(err.Error(), "a3") {
			t.Errorf("%s: a3 has an address: %v", name, err)
		}
	}
}

// TestNothingIsAnError: where a target only adds, and there is nothing to add, that is said; where it closes, a host
// that lets nothing in is closed. F72.
func TestNothingIsAnError(t *testing.T) {
	t.Parallel()
	plan := builtinPlan(t, "default")
	in := Input{Site: compiled(t, plan, mixedHosts(plan), 0), Host: "desk"}
	for _, name := range []string{"firewalld", "ufw", "windows", "systemd", "selinux", "sysctl", "excludedportrange", "dns-srv"} {
		if text, err := target(t, name).Render(in); !errors.Is(err, ErrEmpty) || len(text) > 0 {
			t.Errorf("%s: %d bytes, %v", name, len(text), err)
		}
	}
	for name, want := range map[string]string{"nftables": "policy drop;", "iptables": "-end -j DROP", "pf": "block drop in all", "kubernetes": "ingress: []", "cisco": "deny ip any any"} {
		if text, err := target(t, name).Render(in); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
}

// TestServicesFileUndo: what a block replaced is known only where it stands.
func TestServicesFileUndo(t *testing.T) {
	t.Parallel()
	in := Input{Site: compiled(t, builtinPlan(t, "systemwalker"), ports.Inventory{}, 0), Undo: true}
	if _, err := servicesFile(in); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "ports install --undo") {
		t.Errorf("got %v", err)
	}
}

// TestWhoIsMeant: rules are for one host or one role that is there.
func TestWhoIsMeant(t *testing.T) {
	t.Parallel()
	plan := builtinPlan(t, "default")
	site := compiled(t, plan, mixedHosts(plan), 0)
	for _, in := range []Input{{Site: site, Host: "nobody"}, {Site: site, Role: "nobody"}} {
		for _, x := range rules() {
			if _, err := x.Render(in); !errors.Is(err, ErrUnknown) {
				t.Errorf("%s %+v: %v", x.Name, in.Host+in.Role, err)
			}
		}
	}
	for _, in := range []Input{{Site: site}, {Site: site, Host: "hq1", Role: "server"}} {
		if _, err := nftables(in); err == nil {
			t.Errorf("nftables for host %q and role %q", in.Host, in.Role)
		}
	}
}
