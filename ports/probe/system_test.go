package probe

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/ports"
)

// F32, F35, F66: a row in the ephemeral range comes with the exact setting, merged with what is there.
func TestEphemeralRange(t *testing.T) {
	t.Parallel()
	obs := quiet()
	obs.Ephemeral = []ports.Range{span(32768, 60999)}
	obs.Settings = []Setting{{Name: rangeSetting, Ranges: obs.Ephemeral}}
	obs.Reserved = []ports.Range{span(2049, 2049), span(59900, 59909)}
	f := one(t, checked(t, site(t), obs, Ask{}), "callback", Ephemeral)
	if f.Sysctl == nil || *f.Sysctl != "net.ipv4.ip_local_reserved_ports=2049,59870-59999" || !f.Bad() {
		t.Fatalf("got %+v", f)
	}
	if f.Remedies[0] != "sysctl -w "+*f.Sysctl || !strings.Contains(f.Note, "59870-59899,59910-59999") {
		t.Errorf("remedies %q, note %q", f.Remedies, f.Note)
	}
	// What is written is what was asked for: then nothing is left to do.
	_, value, _ := strings.Cut(*f.Sysctl, "=")
	reserved, err := ParseReserved(value)
	if err != nil {
		t.Fatal(err)
	}
	obs.Reserved = reserved
	found := checked(t, site(t), obs, Ask{})
	if len(bad(found)) != 0 {
		t.Errorf("after the remedy: %+v", bad(found))
	}
	// But it would not outlive a start of the system, and that is said.
	if n := len(found); found[n-1].State != Drift || found[n-1].Severity != ports.Warning || !strings.Contains(found[n-1].Note, "59870-59999") {
		t.Errorf("got %+v", found[n-1])
	}
	obs.Settings = append(obs.Settings, Setting{Name: reservedSetting, Ranges: reserved})
	for _, f := range checked(t, site(t), obs, Ask{}) {
		if f.State == Drift {
			t.Errorf("got %+v", f)
		}
	}
	obs.Reserved = nil
	if list := about(checked(t, site(t), obs, Ask{Tolerate: true}), "callback"); len(list) != 2 || list[0].State != Free || list[1].Severity != ports.Warning {
		t.Errorf("where the plan tolerates it: %+v", list)
	}
}

// F34: what would be if the range were changed, as other products advise.
func TestChangedRange(t *testing.T) {
	t.Parallel()
	obs := quiet()
	found := checked(t, site(t), obs, Ask{Ephemeral: []ports.Range{span(9000, 65500)}})
	f := one(t, found, "jmnet", Ephemeral)
	if *f.Sysctl != "net.ipv4.ip_local_reserved_ports=9352,59870-59999" {
		t.Errorf("got %s", *f.Sysctl)
	}
	one(t, found, "callback", Ephemeral)
	one(t, found, "containers", Free)
}

// F35: the range that a file sets for the next start meets a row that is safe today.
func TestDrift(t *testing.T) {
	t.Parallel()
	obs := quiet()
	obs.Settings = []Setting{{File: "/etc/sysctl.d/99-image.conf", Line: 3, Name: rangeSetting, Ranges: []ports.Range{span(9000, 65500)}}}
	found := checked(t, site(t), obs, Ask{})
	f := found[len(found)-1]
	if f.State != Drift || !strings.Contains(f.Note, "9352,59870-59999 will lie in the ephemeral range 9000-65500 (/etc/sysctl.d/99-image.conf:3)") ||
		!strings.Contains(f.Remedies[0], "ip_local_reserved_ports=9352,59870-59999") {
		t.Errorf("got %+v", f)
	}
	obs.Settings = []Setting{
		{Name: rangeSetting, Ranges: []ports.Range{span(32768, 40000)}},
		{File: "/etc/sysctl.conf", Line: 1, Name: reservedSetting, Wrong: "an item is empty"},
	}
	found = checked(t, site(t), obs, Ask{})
	if f := found[len(found)-1]; f.State != Drift || !strings.Contains(f.Note, "/etc/sysctl.conf:1: the system will not take ip_local_reserved_ports: an item is empty") {
		t.Errorf("got %+v", f)
	}
}

// F35: what the inventory says of a host is compared with it.
func TestDeclaredRange(t *testing.T) {
	t.Parallel()
	s := site(t)
	s.Inventory.Hosts = []ports.Host{{Name: "hq1", Roles: []string{"server"}, Ephemeral: span(9000, 65500)}}
	found := checked(t, s, quiet(), Ask{Host: "hq1"})
	if f := found[len(found)-1]; f.State != Drift || !strings.Contains(f.Note, "the inventory gives host hq1 the ephemeral range 9000-65500, and it has 32768-40000") {
		t.Errorf("got %+v", f)
	}
	s.Inventory.Hosts[0].Ephemeral = span(32768, 40000)
	found = checked(t, s, quiet(), Ask{Host: "hq1"})
	if f := found[len(found)-1]; f.State == Drift {
		t.Errorf("got %+v", f)
	}
}

// F51, F52: an interval that Windows keeps for itself is no missing right. One that netsh was told to keep is ours.
func TestExcludedByWindows(t *testing.T) {
	t.Parallel()
	obs := quiet()
	obs.System, obs.Settings, obs.Ephemeral = "windows", nil, []ports.Range{span(49152, 65535)}
	obs.Excluded = []Exclusion{{Range: span(9300, 9399), Protocol: ports.TCP}, {Range: span(59870, 59999), Protocol: ports.TCP, Administered: true}, {Range: span(1900, 1999), Protocol: ports.UDP}}
	obs.Reserved = []ports.Range{span(59870, 59999)}
	found := checked(t, site(t), obs, Ask{})
	f := one(t, found, "jmnet", Excluded)
	if !strings.Contains(f.Note, "9300-9399") || !strings.Contains(f.Remedies[0], "protocol=tcp startport=9352 numberofports=1") {
		t.Errorf("got %+v", f)
	}
	one(t, found, "callback", Free)
	obs.Reserved = nil
	if f := one(t, checked(t, site(t), obs, Ask{}), "callback", Ephemeral); f.Sysctl != nil || !strings.Contains(f.Remedies[0], "netsh int ipv4 add excludedportrange protocol=tcp startport=59870 numberofports=130") {
		t.Errorf("got %+v", f)
	}
}

func TestRightsAndAddresses(t *testing.T) {
	t.Parallel()
	obs := quiet()
	obs.User, obs.Privileged = 1000, false
	if f := one(t, checked(t, site(t), obs, Ask{}), "mapper", NoPermission); !strings.Contains(f.Note, "user ann may not bind ports below 1024") {
		t.Errorf("got %+v", f)
	}
	obs.Low = 80
	one(t, checked(t, site(t), obs, Ask{}), "mapper", Free)

	s := site(t)
	s.Inventory.Hosts = []ports.Host{{Name: "hq1", Roles: []string{"server"}, Bind: []string{"192.0.2.1"}}}
	obs = quiet()
	if f := one(t, checked(t, s, obs, Ask{Host: "hq1"}), "jmnet", NotHere); !strings.Contains(f.Remedies[0], "10.1.0.5") {
		t.Errorf("got %+v", f)
	}
	obs.AnyAddress = true
	one(t, checked(t, s, obs, Ask{Host: "hq1"}), "jmnet", Free)

	obs = quiet()
	obs.Labels = []Label{{Type: "jm_port_t", Protocol: ports.TCP, Ranges: []ports.Range{span(9352, 9352)}}}
	if list := about(checked(t, site(t), obs, Ask{}), "jmnet"); len(list) != 2 || list[0].State != Free || list[1].State != Labelled || list[1].Bad() {
		t.Errorf("got %+v", list)
	}
}

// What was really bound goes before what was only seen.
func TestAttempts(t *testing.T) {
	t.Parallel()
	obs := quiet()
	obs.User, obs.Privileged = 1000, false
	add := func(id string, port ports.Port, o Outcome) {
		obs.Attempts = append(obs.Attempts, Attempt{Service: id, Protocol: ports.TCP, Port: port, Outcome: o, Text: "the system says no"})
	}
	add("mapper", 111, Bound)
	add("jmnet", 9352, InUse)
	add("held", 2686, Denied)
	add("inner", 2684, NotLocal)
	add("callback", 59900, Failed)
	found := checked(t, site(t), obs, Ask{})
	one(t, found, "mapper", Free)
	one(t, found, "held", NoPermission)
	one(t, found, "inner", NotHere)
	one(t, found, "callback", Unclear)
	if f := one(t, found, "jmnet", Taken); f.Holder != nil || !strings.Contains(f.Note, "the system says no") {
		t.Errorf("got %+v", f)
	}
	// Where sockets cannot be seen, only what was bound is known to be free.
	obs = quiet()
	obs.Seen = false
	obs.Attempts = []Attempt{{Service: "jmnet", Protocol: ports.TCP, Address: netip.Addr{}, Port: 9352, Outcome: Bound}}
	found = checked(t, site(t), obs, Ask{})
	one(t, found, "jmnet", Free)
	if f := one(t, found, "mapper", Unclear); !strings.Contains(f.Remedies[0], "--bind") {
		t.Errorf("got %+v", f)
	}
}
