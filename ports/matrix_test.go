package ports_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
)

// TestMatrixOfACS (F84, PP106, PP113) finds what the formula of the instances meets: MySQL and remote desktop in instance 3, iSCSI and the global
// catalog in 2, a proxy in 1, a version control server in 6, and the blocks of SAP.
func TestMatrixOfACS(t *testing.T) {
	t.Parallel()
	plan, err := builtin.Load("acs")
	if err != nil {
		t.Fatal(err)
	}
	m := ports.NewMatrix(plan, ports.Inventory{}, nil, []int{0}, nil)
	meets := func(instance int, port, with string) bool {
		return slices.ContainsFunc(m.Collisions, func(c ports.Collision) bool {
			return c.Instance == instance && !c.Fixed && c.Ports == port && strings.HasPrefix(c.With, with)
		})
	}
	for _, c := range []struct {
		instance   int
		port, with string
	}{
		{3, "3306", "mysql"},
		{3, "3389", "ms-wbt-server"},
		{2, "3260", "iscsi"},
		{2, "3268", "globalcatLDAP"},
		{2, "3269", "globalcatLDAPssl"},
		{1, "3128", "squid"},
		{6, "3690", "svn"},
		{2, "3200", "SAP dispatcher"},
		{3, "3300", "SAP gateway"},
		{6, "3600", "SAP message server"},
	} {
		if !meets(c.instance, c.port, c.with) {
			t.Errorf("instance %d: %s does not meet %s", c.instance, c.port, c.with)
		}
	}
	if m.Proposal == nil || *m.Proposal != 4 {
		t.Errorf("the next clean instance: got %v, want 4", m.Proposal)
	}
	manager := slices.IndexFunc(m.Rows, func(r ports.MatrixRow) bool { return r.Service == "manager" })
	if got, want := m.Rows[manager].Ports, []string{"3000", "3100", "3200", "3300", "3400", "3500", "3600", "3700", "3800", "3900"}; !slices.Equal(got, want) {
		t.Errorf("manager: got %v, want %v", got, want)
	}
	daemon := slices.IndexFunc(m.Rows, func(r ports.MatrixRow) bool { return r.Service == "container-daemon" })
	if !m.Rows[daemon].Fixed || m.Rows[manager].Fixed {
		t.Errorf("the daemons are the same in every instance, the services are not: %+v, %+v", m.Rows[daemon], m.Rows[manager])
	}
}

// twoInstances is a plan whose instances are one number apart, with two rows one number apart: neighbours meet.
func twoInstances() ports.Plan {
	tcp := []ports.Protocol{ports.TCP}
	return ports.Plan{
		Name: "near", Instance: "n", Vars: []ports.Var{{Name: "n", Max: 4}}, Roles: []ports.Role{{ID: "server", Title: "the server"}, {ID: "agent"}},
		Services: []ports.Service{
			{ID: "one", Port: "41000 + n", Protocols: tcp, Binds: true, RunsOn: []string{"server"}, Flows: []ports.Flow{{From: "agent", To: "server", Purpose: "a"}}},
			{ID: "two", Port: "41001 + n", Protocols: tcp, Binds: true, RunsOn: []string{"server"}, Flows: []ports.Flow{{From: "agent", To: "server", Purpose: "b"}, {From: "server", To: "agent", Purpose: "c"}}},
			{ID: "fixed", Port: "3306", Protocols: tcp, Binds: true, RunsOn: []string{"server"}},
			{ID: "off", Port: "41900", Protocols: tcp, Binds: true, Status: ports.Inactive, Flows: []ports.Flow{{From: "agent", To: "server", Purpose: "never"}}},
		},
	}
}

// TestMatrixProposal: instances in use and other plans are avoided; what no instance can avoid counts for none.
func TestMatrixProposal(t *testing.T) {
	t.Parallel()
	other := ports.Compiled{Plan: "other", Claims: []ports.Claim{{Service: "x", Protocol: ports.TCP, Port: 41003, Last: 41004, Binds: true, Status: ports.Works}}}
	for _, tt := range []struct {
		name       string
		shown      []int
		used       []int
		beside     []ports.Compiled
		proposal   string
		collisions string // of each instance
	}{
		{"alone", nil, nil, nil, "0", "0 0 0 0 0"},
		{"0 is in use", nil, []int{0}, nil, "2", "0 1 0 0 0"},
		{"1 and 4 are in use", nil, []int{1, 4}, nil, "none, least 0", "1 0 1 1 0"},
		{"another plan", nil, []int{0}, []ports.Compiled{other}, "none, least 1", "0 1 1 2 1"},
		{"all in use", nil, []int{0, 1, 2, 3, 4}, nil, "none", "1 2 2 2 1"},
		{"some shown", []int{3, 1, 77}, nil, nil, "3", "0 0"},
	} {
		m := ports.NewMatrix(twoInstances(), ports.Inventory{}, tt.shown, tt.used, tt.beside)
		got := "none"
		if m.Proposal != nil {
			got = fmt.Sprint(*m.Proposal)
		} else if m.Least != nil {
			got = fmt.Sprintf("none, least %d", *m.Least)
		}
		var counts []string
		for _, c := range m.Instances {
			counts = append(counts, fmt.Sprint(c.Collisions))
		}
		if got != tt.proposal || strings.Join(counts, " ") != tt.collisions {
			t.Errorf("%s: got the proposal %s and the collisions %v, want %s and %s", tt.name, got, counts, tt.proposal, tt.collisions)
		}
		if c := m.Collisions[0]; c.With != "mysql" || !c.Fixed {
			t.Errorf("%s: the fixed row's collision is %+v", tt.name, c)
		}
	}
}

// TestRoleMatrix: flows in use, by the titles of the roles.
func TestRoleMatrix(t *testing.T) {
	t.Parallel()
	compiled, found := ports.Compile(twoInstances(), ports.Inventory{}, 2)
	if ports.HasErrors(found) {
		t.Fatal(found)
	}
	var got []string
	for _, c := range compiled.RoleMatrix() {
		for _, f := range c.Flows {
			got = append(got, c.From+" > "+c.To+" "+f.Ports+"/"+string(f.Protocol)+" "+f.ID)
		}
	}
	want := []string{"agent > the server 41002/tcp one.1/tcp", "agent > the server 41003/tcp two.1/tcp", "the server > agent 41003/tcp two.2/tcp"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestKnownPorts reads every line of the table, and looks for a claim's neighbours in it.
func TestKnownPorts(t *testing.T) {
	t.Parallel()
	table := ports.KnownPorts()
	if len(table) < 70 {
		t.Fatalf("only %d lines were read", len(table))
	}
	seen := map[string]bool{}
	for _, k := range table {
		if k.First == 0 || k.Protocol != ports.TCP && k.Protocol != ports.UDP || !slices.Contains([]ports.KnownKind{ports.Popular, ports.Registered, ports.OfFamily}, k.Kind) || k.Name == "" {
			t.Errorf("%+v is no known number", k)
		}
		if key := k.String() + "/" + string(k.Protocol); seen[key] {
			t.Errorf("%s stands twice", key)
		} else {
			seen[key] = true
		}
	}
	for claim, want := range map[*ports.Claim]string{
		{Port: 3306, Protocol: ports.TCP}:                                 "3306 mysql, 3306 SAP gateway 33NN",
		{Port: 3306, Protocol: ports.TCP, Name: "MySQL"}:                  "3306 SAP gateway 33NN",
		{Port: 3306, Protocol: ports.UDP}:                                 "",
		{Port: 3268, Last: 3269, Protocol: ports.TCP, Parity: ports.Even}: "3268 globalcatLDAP, 3268 SAP dispatcher 32NN",
		{Port: 59850, Last: 59999, Protocol: ports.TCP}:                   "59850-59999 SAP J2EE 5NN00 to 5NN99",
		{Protocol: ports.TCP}:                                             "",
	} {
		var got []string
		for _, k := range claim.Meets(table) {
			got = append(got, k.String()+" "+k.Name)
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%+v meets %q, want %q", *claim, got, want)
		}
	}
}

// TestMatrixOfManyInstances: work and answer stay bounded where every claim of a thousand instances meets every other,
// and what is not listed is counted all the same.
func TestMatrixOfManyInstances(t *testing.T) {
	t.Parallel()
	p := ports.Plan{Name: "many", Instance: "n", Vars: []ports.Var{{Name: "n", Max: 999}}, Roles: []ports.Role{{ID: "server"}}}
	for i := range 10 {
		p.Services = append(p.Services, ports.Service{
			ID: fmt.Sprintf("s%d", i), Port: ports.Formula(fmt.Sprintf("45000 + n - n + %d", i)), Cases: []ports.Case{{When: "n == 0", Port: ports.Formula(fmt.Sprint(46000 + i))}},
			Protocols: []ports.Protocol{ports.TCP}, Binds: true, RunsOn: []string{"server"},
		})
	}
	used := make([]int, 900)
	for i := range used {
		used[i] = i + 1
	}
	m := ports.NewMatrix(p, ports.Inventory{}, nil, used, nil)
	if len(m.Collisions) != 10_000 || m.Instances[950].Collisions == 0 {
		t.Errorf("%d collisions are listed, and instance 950 has %d", len(m.Collisions), m.Instances[950].Collisions)
	}
	if m.Proposal == nil || *m.Proposal != 0 {
		t.Errorf("the proposal is %v, want 0", m.Proposal)
	}
}
