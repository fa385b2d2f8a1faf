package ports

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// F59: each odd way to write a number is either read as people mean it, or refused.
func TestFormula(t *testing.T) {
	t.Parallel()
	vars := map[string]int{"instance": 3, "ACS_INSTANCE": 2, "offset": 50}
	for text, want := range map[string]int{
		"0": 0, "1": 1, "65535": 65535, "65536": 65536, "7373 + instance": 7376, "7373+instance": 7376,
		"3000 + ACS_INSTANCE*100 + offset": 3250, "(1+2)*3": 9, "10-2-3": 5, "2*(instance-1)": 4, "1-2": -1,
	} {
		got, err := Formula(text).Eval(vars)
		if err != nil || got != want {
			t.Errorf("%q: got %d, %v; want %d", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"": "missing", "080": "begins with 0", "１": "unexpected", "-1": "unexpected", "+1": "unexpected", "1 2": "unexpected",
		"7373 + nobody": `no variable "nobody"`, "1+": "missing", "(1": "not closed", "1)": "unexpected", "1000001": "beyond",
		"1000000*2": "beyond", "0x10": "unexpected", "1e3": "unexpected", "1.5": "unexpected", "1\t": "unexpected",
		strings.Repeat("(", 40) + "1": "nested", strings.Repeat("1+", 200) + "1": "longer",
	} {
		if got, err := Formula(text).Eval(vars); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %d, %v; want an error with %q", text, got, err, want)
		}
	}
	if Unassigned.Assigned() || Formula("").Assigned() || !Formula("1").Assigned() {
		t.Error("Assigned is wrong")
	}
	if !Formula("1 + a*b").Uses("b") || Formula("1 + a").Uses("b") || Formula("1").Uses("") {
		t.Error("Uses is wrong")
	}
}

// sum is a formula with its value, built from the outside in: the slow twin of Eval.
type sum struct {
	text  string
	value int
}

func drawSum(t *rapid.T, depth int) sum {
	kind := rapid.IntRange(0, 4).Draw(t, "kind")
	if depth == 0 || kind == 0 {
		n := rapid.IntRange(0, 5).Draw(t, "n")
		return sum{digits(n), n}
	}
	a, b := drawSum(t, depth-1), drawSum(t, depth-1)
	switch kind {
	case 1:
		return sum{"(" + a.text + " + " + b.text + ")", a.value + b.value}
	case 2:
		return sum{"(" + a.text + " - " + b.text + ")", a.value - b.value}
	case 3:
		return sum{"(" + a.text + ")*(" + b.text + ")", a.value * b.value}
	}
	return sum{"(" + a.text + ")", a.value}
}

// digits writes n with digits, without the package under test.
func digits(n int) string {
	all := ""
	for {
		all = string(rune('0'+n%10)) + all
		if n /= 10; n == 0 {
			return all
		}
	}
}

func TestFormulaTwin(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSum(t, 3) // 5 to the power of 8 stays below the bound
		got, err := Formula(s.text).Eval(nil)
		if len(s.text) > maxFormula {
			if err == nil {
				t.Errorf("a formula of %d characters is taken", len(s.text))
			}
			return
		}
		if err != nil || got != s.value {
			t.Errorf("%s: got %d, %v; want %d", s.text, got, err, s.value)
		}
	})
}

func FuzzFormula(f *testing.F) {
	for _, s := range []string{"7373 + instance", "3000 + a*100 + b", "((1))", "1--1", "999999*999999", "", "unassigned", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := Formula(s).Eval(map[string]int{"instance": 9})
		if n > maxValue || n < -maxValue || err != nil && n != 0 && len(s) > maxFormula {
			t.Errorf("%q gives %d, %v", s, n, err)
		}
		// A formula means the same in brackets.
		if err == nil && Formula(s).Assigned() && n > -maxValue && n < maxValue && len(s) < maxFormula/2 {
			m, err := Formula("1 + (" + s + ")*1 - 1").Eval(map[string]int{"instance": 9})
			if err == nil && m != n || err != nil && !strings.Contains(err.Error(), "nested") {
				t.Errorf("%q gives %d, and in brackets %d, %v", s, n, m, err)
			}
		}
	})
}

func TestServiceName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"reeve": true, "http-alt": true, "a": true, "x11": true, "123456789012345": false, "a23456789012345": true, "a234567890123456": false,
		"": false, "-a": false, "a-": false, "a--b": false, "smtp_mpaosfb": false, "80": false, "a b": false, "é": false,
	} {
		if got := validName(name); got != want {
			t.Errorf("%q: got %v", name, got)
		}
	}
}
