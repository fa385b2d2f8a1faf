package cli

import (
	"math"
	"testing"

	"github.com/reeve-scheduler/reeve/ports"
)

// FuzzPlanFlags gives anything to the flags of `reeve ports` that are more than a word: nothing ends the program, and
// what is taken is within its bounds.
func FuzzPlanFlags(f *testing.F) {
	for _, seed := range []string{"0-9", "0..3,5", "3-1", "-1", ",", "20/s", "1e400/s", "NaN/s", "0x1p-2/m", "30s", "-1s", "1h30m", "A=1", "=", "n=99", "usessl=true", "x=80", "x=65536", "x=080"} {
		f.Add(seed)
	}
	plan := ports.Plan{
		Name: "p", Instance: "n", Vars: []ports.Var{{Name: "n", Max: 9}, {Name: "usessl", Type: ports.Bool}, {Name: "free"}},
		Services: []ports.Service{{ID: "x", Port: "80", Override: ports.Override{By: ports.ByFlag}}},
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := instanceList("instances", text, plan)
		for _, i := range list {
			if err != nil || i < 0 || i > 9 {
				t.Errorf("--instances %q: got %v, %v", text, list, err)
			}
		}
		if rate, err := rateFlag(text); err == nil && !(rate > 0 && rate <= math.MaxFloat64) {
			t.Errorf("--rate %q: got %v", text, rate)
		}
		if d, err := durationFlag("hold", text); err == nil && d < 0 {
			t.Errorf("--hold %q: got %v", text, d)
		}
		s := planSource{vars: []string{text}, getenv: func(string) string { return "" }}
		m := meantPlan{plan: plan, inventory: ports.Inventory{Vars: map[string]int{}}}
		if err := s.values(&m); err == nil && (m.instance < 0 || m.instance > 9) {
			t.Errorf("--var %q: instance %d", text, m.instance)
		}
		s = planSource{sets: []string{text}, getenv: func(string) string { return text }}
		given, err := s.overrides(plan)
		for _, g := range given {
			if err != nil || g.Port == 0 {
				t.Errorf("--set %q: got %+v, %v", text, given, err)
			}
		}
		ports.Why(plan, ports.Inventory{}, 0, text)
	})
}
