package ports_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reeve-scheduler/reeve/ports"
)

// Every connection of a site stands once for each address, in its direction, with both the number that is dialled and
// the one that the destination binds.
func TestCrossings(t *testing.T) {
	t.Parallel()
	s := compiled(t, twoWays(), twoZones())
	var got []string
	for _, c := range s.Crossings() {
		if c.Flow.Service == "main" {
			got = append(got, fmt.Sprintf("%s %s>%s %s bound %d", c.Flow.ID, c.From, c.To, c.Address(0), c.Bound))
		}
	}
	want := []string{
		"main.1/tcp desks>hq1 hq1.example.com:7000 bound 7000",
		"main.1/tcp desks>hq2 nat.example.com:17100 bound 7100",
		"main.2/tcp desks>hq1 hq1.example.com:7000 bound 7000",
		"main.2/tcp desks>hq2 nat.example.com:17100 bound 7100",
		"main.3/tcp w1>hq1 hq1.example.com:7000 bound 7000",
		"main.3/tcp w1>hq2 nat.example.com:17100 bound 7100",
		"main.3/tcp w2>hq1 hq1.example.com:7000 bound 7000",
		"main.3/tcp w2>hq2 nat.example.com:17100 bound 7100",
		"main.5/tcp hq1>hq2 nat.example.com:17100 bound 7100",
		"main.5/tcp hq2>hq1 hq1.example.com:7000 bound 7000",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Third parties and roles without a host are there too: they are listed, and cannot be dialled.
func TestCrossingsToNobody(t *testing.T) {
	t.Parallel()
	s := compiled(t, twoWays(), twoZones())
	for _, c := range s.Crossings() {
		if c.Flow.Service == "smtp" && (c.To != "" || c.Address(0) != "" || c.From != "hq1" && c.From != "hq2") {
			t.Errorf("mail: %+v", c)
		}
	}
	if !slices.ContainsFunc(s.Crossings(), func(c ports.Crossing) bool { return c.Flow.Service == "smtp" }) {
		t.Error("the flow to the mail server is not listed")
	}
	alone := compiled(t, twoWays(), ports.Inventory{})
	for _, c := range alone.Crossings() {
		if c.From != "" || c.To != "" {
			t.Errorf("without hosts: %+v", c)
		}
	}
}

// A range of a pool is one crossing for each of its intervals, and says what it covers.
func TestCrossingsOfAPool(t *testing.T) {
	t.Parallel()
	s := compiled(t, twoWays(), twoZones())
	n := 0
	for _, c := range s.Crossings() {
		if c.Flow.Service != "jobs" || c.To != "w1" {
			continue
		}
		n++
		if c.Covers(ports.TCP, c.Bound-1) || !c.Covers(ports.TCP, c.Bound) || !c.Covers(ports.TCP, c.Bound+c.Last-c.Port) || c.Covers(ports.TCP, c.Bound+c.Last-c.Port+1) || c.Covers(ports.UDP, c.Bound) {
			t.Errorf("%+v covers something else than %d to %d", c, c.Port, c.Last)
		}
	}
	if n != 2 {
		t.Errorf("%d crossings to the pool on w1, want one for each interval", n)
	}
}

// What must be closed: rows for the host itself, reserved ones, and the neighbours of open ones that no row has.
func TestShut(t *testing.T) {
	t.Parallel()
	s := compiled(t, twoWays(), twoZones())
	list := func(host string) (got []string) {
		for _, x := range s.Shut(host) {
			got = append(got, fmt.Sprintf("%d %s %s", x.Number, x.Claim.Service, x.Reason))
		}
		return got
	}
	// 7001 and 7002 are rows of their own: they are no neighbours.
	if diff := cmp.Diff([]string{"6999 main neighbour", "7001 inside same-host", "7002 kept reserved"}, list("hq1")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"7099 main neighbour", "7101 main neighbour", "7001 inside same-host", "7002 kept reserved"}, list("hq2")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"7999 jobs neighbour", "8110 jobs neighbour"}, list("w1")); diff != "" {
		t.Error(diff)
	}
}
