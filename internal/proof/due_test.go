package proof

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
	"github.com/reeve-scheduler/reeve/ports/probe"
)

func day() time.Time { return time.Date(2026, 5, 4, 3, 0, 0, 0, time.UTC) }

// site is a built-in plan on a server and two agents.
func site(t *testing.T, plan string) ports.Site {
	t.Helper()
	p, err := builtin.Load(plan)
	if err != nil {
		t.Fatal(err)
	}
	inv := ports.Inventory{
		Zones: []ports.Zone{{Name: "core"}, {Name: "dmz"}},
		Hosts: []ports.Host{
			{Name: "hq1", Roles: []string{"server"}, Zone: "core", Advertise: []string{"10.1.0.5"}},
			{Name: "north", Roles: []string{"agent"}, Zone: "core", Advertise: []string{"10.1.0.6"}},
			{Name: "dmz1", Roles: []string{"agent"}, Zone: "dmz", Advertise: []string{"10.2.0.5"}},
		},
	}
	c, found := ports.Compile(p, inv, 0)
	if ports.HasErrors(found) {
		t.Fatal(found)
	}
	return ports.Site{Compiled: c, Inventory: inv}
}

// What was never tried goes first, then what is most at stake for the longest time.
func TestDue(t *testing.T) {
	t.Parallel()
	s := Site{Site: site(t, "default")}
	trial := func(flow string) Trial {
		return Trial{Flow: flow, From: "north", To: "hq1", Address: "a", Expect: probe.Open}
	}
	link, peer, client, never := trial("reeve.2/tcp"), trial("reeve.4/tcp"), trial("reeve.1/tcp"), trial("new/tcp")
	client.Binds = true
	nobody := trial("smtp.1/tcp")
	nobody.Untried = "third party"
	third := trial("outgoing.1/tcp")
	known := map[Path]Known{
		link.Path(): {day().Add(-time.Hour), true}, peer.Path(): {day().Add(-2 * time.Hour), true}, client.Path(): {day().Add(-time.Hour), false}, third.Path(): {day().Add(-7 * time.Hour), true},
	}
	var got []string
	for _, d := range Due(s, []Trial{third, link, peer, nobody, client, never}, known, day(), 4) {
		got = append(got, d.Flow)
	}
	// Weights: never; client is broken and carries too (4 x 4 x 1 h); peer 4 x 2 h; third 1 x 7 h; link 4 x 1 h.
	if diff := cmp.Diff([]string{"new/tcp", "reeve.1/tcp", "reeve.4/tcp", "outgoing.1/tcp"}, got); diff != "" {
		t.Error(diff)
	}
}

// An opening is unused once it was counted for long and not used; a row that others serve is not counted.
func TestUnused(t *testing.T) {
	t.Parallel()
	s := site(t, "systemwalker")
	long, lately := day().Add(-60*24*time.Hour), day().Add(-time.Hour)
	after := day().Add(-30 * 24 * time.Hour)
	byService := func(uses ...Used) map[string]string {
		got := map[string]string{}
		for _, one := range Unused(s, uses, after) {
			if !one.Counted.IsZero() {
				got[one.Flow.Service] = "unused"
			} else if got[one.Flow.Service] == "" {
				got[one.Flow.Service] = "not counted"
			}
		}
		return got
	}
	got := byService(
		Used{Host: "hq1", Service: "jmnet", Since: long, Last: lately}, Used{Host: "hq1", Service: "jmnet", Dialled: true, Since: long, Last: lately},
		Used{Host: "hq1", Service: "jobsch", Since: long}, Used{Host: "hq1", Service: "mpahso", Since: lately},
		Used{Host: "hq1", Service: "smtp", Dialled: true, Since: long},
	)
	if got["jmnet"] != "" || got["jobsch"] != "unused" || got["mpahso"] != "" || got["smtp"] == "unused" {
		t.Errorf("got %v", got)
	}
	if _, zoned := got["nothing"]; zoned || len(got) == 0 {
		t.Errorf("got %v", got)
	}
}

// How often something must be said follows from what survived; what died in between for another reason does not count.
func TestSilence(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		alive                     []bool
		survived, died, keepAlive time.Duration
	}{
		"all":       {[]bool{true, true, true}, 4, 0, 0},
		"none":      {[]bool{false, false, false}, 0, 1, time.Second / 6},
		"limit":     {[]bool{true, true, false}, 2, 4, 2 * time.Second / 3},
		"one stray": {[]bool{true, false, true}, 4, 0, 0},
	} {
		s := Silence{}
		ends := make([]wire.ProveQuiet, len(c.alive))
		for i, alive := range c.alive {
			ends[i] = wire.ProveQuiet{Opened: true, Alive: alive}
		}
		s.read([]time.Duration{time.Second, 2 * time.Second, 4 * time.Second}, ends)
		if s.Survived != c.survived*time.Second || s.Died != c.died*time.Second || s.KeepAlive != c.keepAlive || s.Text == "" || s.Unproven != "" {
			t.Errorf("%s: %+v", name, s)
		}
	}
	s := Silence{}
	s.read([]time.Duration{time.Second}, []wire.ProveQuiet{{Text: "refused"}})
	if s.Unproven == "" || s.Text != "" {
		t.Errorf("no connection: %+v", s)
	}
}
