package ports_test

import (
	"math"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/ports"
)

var guardValues = map[string]int{"usessl": 1, "off": 0, "ACS_INSTANCE": 3, "minus": -2, "openings.task_link": 1, "openings.centric": 0}

func TestGuard(t *testing.T) {
	t.Parallel()
	for guard, want := range map[ports.Guard]bool{
		"":                                     true,
		"  ":                                   true,
		"usessl":                               true,
		"!usessl":                              false,
		"! usessl":                             false,
		"off":                                  false,
		"!off":                                 true,
		"ACS_INSTANCE":                         true,
		"ACS_INSTANCE == 3":                    true,
		"ACS_INSTANCE != 3":                    false,
		"ACS_INSTANCE<4":                       true,
		"ACS_INSTANCE <= 2":                    false,
		"ACS_INSTANCE > 2":                     true,
		"ACS_INSTANCE >=  4":                   false,
		"minus > -3":                           true,
		"openings.task_link":                   true,
		"!openings.centric&&usessl":            true,
		"openings.centric && usessl":           false,
		"usessl && ACS_INSTANCE > 0 && off==0": true,
	} {
		got, err := guard.Eval(guardValues)
		if err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", guard, got, err, want)
		}
	}
}

func TestBadGuard(t *testing.T) {
	t.Parallel()
	for guard, says := range map[ports.Guard]string{
		"nobody":                 `no variable "nobody"`,
		"openings.nobody":        `no switch "nobody"`,
		"openings.":              "is missing",
		"&& usessl":              "is missing",
		"usessl &&":              "is missing",
		"usessl usessl":          "after the name",
		"usessl || off":          "after the name",
		"!ACS_INSTANCE == 3":     "does not go with",
		"ACS_INSTANCE == 03":     "no number",
		"ACS_INSTANCE == +3":     "no number",
		"ACS_INSTANCE == ３":      "no number",
		"ACS_INSTANCE > 1e3":     "no number",
		"ACS_INSTANCE > 9999999": "no number",
		"3 == ACS_INSTANCE":      "is missing",
		ports.Guard(strings.Repeat("usessl && ", 100) + "usessl"): "longer than",
	} {
		if _, err := guard.Eval(guardValues); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got %v, want an error saying %q", guard, err, says)
		}
	}
}

func FuzzGuard(f *testing.F) {
	for _, s := range []string{"usessl", "!openings.centric && ACS_INSTANCE >= -3", "a b", "&&", "x==", "openings.", "ACS_INSTANCE == 0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		g := ports.Guard(s)
		names := g.Names()
		values := map[string]int{}
		for _, n := range names {
			values[n] = 1
		}
		_, err := g.Eval(values)
		if checked := g.Check(func(name string) bool { _, ok := values[name]; return ok }); (checked == nil) != (err == nil) {
			t.Fatalf("%q: Check says %v, Eval %v", s, checked, err)
		}
		if err != nil {
			return
		}
		// Spaces around terms and operators mean nothing, and a conjunction holds where both sides do.
		spaced := ports.Guard(" " + strings.ReplaceAll(s, "&&", "  &&  ") + " ")
		for _, n := range []int{-1, 0, 1, 2, math.MinInt32} {
			for name := range values {
				values[name] = n
			}
			a, err1 := g.Eval(values)
			if len(spaced) > 500 {
				continue
			}
			b, err2 := spaced.Eval(values)
			if a != b || err1 != nil || err2 != nil {
				t.Fatalf("%q: %v, %v; with spaces %v, %v", s, a, err1, b, err2)
			}
		}
	})
}

func TestRange(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]ports.Range{
		"": {}, "7199": {First: 7199, Last: 7199}, "20000-20100": {First: 20000, Last: 20100}, "1-65535": {First: 1, Last: 65535},
	} {
		got, err := ports.ParseRange(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"0", "65536", "-1", "080", "１", "2-1", "1-2-3", "1-", "-", " 1", "+1", "1_0"} { // F59
		if got, err := ports.ParseRange(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}
