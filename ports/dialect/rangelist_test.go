package dialect

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/ports"
)

// F86, AR-19, PP102, PP103: the printed misprints. Both readings are reported with their counts, nothing is opened, and
// what is not of the grammar is refused with the two things that it can have meant.
func TestMisprints(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text  string
		opens string
		says  []string
	}{
		{"[10000|1999]", "[]", []string{"f:1:2: PP102 error: 10000|1999 can be read in two ways: two single ports, 10000 and 1999 (2 ports), or the range 10000-19999 (10000 ports)", "neither is opened"}},
		{"[20000-20100|10000|19999]", "[20000-20100]", []string{"f:1:14: PP102", "10000|19999", "(2 ports)", "10000-19999 (10000 ports)", "103 ports or 10101 ports"}},
		{`[20000-20100|20000\19999]`, "[20000-20100]", []string{`f:1:19: PP103 error: 20000\19999 is refused: "\\" is not a separator, and 19999 is below 20000; it can have meant two single ports, 20000|19999 (2 ports), or the range 10000-19999 (10000 ports)`}},
		{`clntportrange = [ 7199 | 20000\20010 ]`, "[7199]", []string{"f:1:31: PP103", "20000|20010", "20000-20010 (11 ports)"}},
		{"[30000|39999]", "[]", []string{"f:1:2: PP102", "30000-39999 (10000 ports)"}},
		{"[5000|599]", "[]", []string{"f:1:2: PP102", "5000-5999 (1000 ports)"}},
		{"[5000:5999]", "[]", []string{"f:1:6: PP103", "5000-5999"}},
		{"[5000 5999]", "[]", []string{"f:1:6: PP103", "a separator is missing"}},
		{"[5000–5999]", "[]", []string{"f:1:6: PP103", "5000-5999"}},
	} {
		r, found := ParseRangeLists("f", []byte(c.text), Ask)
		says(t, found, c.says)
		if got := FormatRangeList(r.Lines[0].Ranges()); got != c.opens {
			t.Errorf("%s opens %s, want %s", c.text, got, c.opens)
		}
		if string(r.Bytes()) != c.text {
			t.Errorf("%q comes back as %q", c.text, r.Bytes())
		}
	}
	// Once somebody has answered, the answer counts.
	for reading, want := range map[Reading]string{AsPorts: "[20000-20100|10000|1999]", AsRanges: "[20000-20100|10000-19999]"} {
		r, found := ParseRangeLists("f", []byte("[20000-20100|10000|1999]"), reading)
		says(t, found)
		if got := FormatRangeList(r.Lines[0].Ranges()); got != want {
			t.Errorf("read as %s: %s, want %s", reading, got, want)
		}
	}
}

// What is of the grammar is taken as it stands.
func TestRangeLists(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"[20000-20100]": "[20000-20100]", "7199": "[7199]", "[7099|7199]": "[7099|7199]", "[7199|20000-20100|7299]": "[7199|20000-20100|7299]",
		"  [ 20000-20100 | 7199 ]  ": "[20000-20100|7199]", "portrange=[1-65535]": "[1-65535]", "portrange [7199]": "[7199]",
	} {
		r, found := ParseRangeLists("f", []byte(text), Ask)
		says(t, found)
		if got := FormatRangeList(r.Lines[0].Ranges()); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
	for text, parts := range map[string][]string{
		"[20000-20100":     {"f:1:1: ", "does not end with ]"},
		"[20100-20000]":    {"f:1:2: ", "reversed"},
		"[0-5]":            {"f:1:2: ", "port 0"},
		"[1-65536]":        {"f:1:2: ", "above 65535"},
		"[1||2]":           {"f:1:4: ", "missing"},
		"[]":               {"f:1:2: ", "missing"},
		"[080]":            {"f:1:2: ", "leading zero"},
		"[abc]":            {"f:1:2: ", "neither a port nor a range"},
		"[１]":              {"f:1:2: ", "neither a port nor a range"},
		"[1-2-3]":          {"f:1:2: ", "no port number"},
		"word":             {"f:1:1: ", "no list and has no value"},
		"portrange = 1-2x": {"f:1:13: ", "neither a port nor a range"},
	} {
		r, found := ParseRangeLists("f", []byte(text), Ask)
		says(t, found, parts)
		if string(r.Bytes()) != text {
			t.Errorf("%q comes back as %q", text, r.Bytes())
		}
	}
}

// AR-16 to AR-18: the settings of the management service over the plan, and back.
func TestManagementService(t *testing.T) {
	t.Parallel()
	over := compiled(t, "arcserve", 0)
	const text = "# casmgmtsvc\r\nusessl = False\r\nsslport = 8099\r\nnonsslport = 2099\r\nportrange = [21000-21010|7300]\r\nclntportrange = [7299]\r\n"
	r, found := ParseRangeLists("f", []byte(text), Ask)
	says(t, found)
	part, found := r.Part("f", over, "callback")
	says(t, found)
	_, site := applied(t, part, 0)
	if secure, plain := management(site.Compiled); secure != 8099 || plain != 2099 {
		t.Errorf("got %d, %d", secure, plain)
	}
	if cl, _ := site.Compiled.Service(managementID); cl.TLS || cl.Port != 2099 {
		t.Errorf("usessl is False, and the row is %+v", cl)
	}
	ranges := func(id string) string {
		i := slices.IndexFunc(site.Compiled.Pools, func(p ports.ResolvedPool) bool { return p.ID == id })
		return FormatRangeList(site.Compiled.Pools[i].Ranges)
	}
	if ranges("callback") != "[21000-21010|7300]" || ranges("client-callback") != "[7299]" {
		t.Errorf("got %s, %s", ranges("callback"), ranges("client-callback"))
	}
	exported := string(ExportRangeLists(site.Compiled, "callback").Bytes())
	if want := strings.TrimPrefix(text, "# casmgmtsvc\r\n"); exported != want {
		t.Errorf("exported:\n%s\nwant\n%s", exported, want)
	}
	again, _ := ParseRangeLists("f", []byte(exported), Ask)
	if back, found := again.Part("f", site.Compiled, "callback"); len(back.Plan) > 0 || len(found) > 0 {
		t.Errorf("the exported file changes the plan: %s %v", back.YAML(), lines(found))
	}
	r, _ = ParseRangeLists("f", []byte("portrange = [1]\n[2]\nother = [3]\nname = abc\n"), Ask)
	_, found = r.Part("f", over, "callback")
	says(t, found, []string{"f:2:1: ", "line 1 gives the pool callback"}, []string{"f:3:1: ", "other is not a name"}, []string{"f:4:1: ", "warning"})
	twice, _ := ParseRangeLists("f", []byte("[20000-20100|20050|20090-20110]"), Ask)
	part, found = twice.Part("f", over, "callback")
	says(t, found, []string{"f:1:1: ", "warning", "each is taken once: 20000-20100,20101-20110"})
	applied(t, part, 0)
	_, found = r.Part("f", over, "nosuch")
	if len(found) < 2 || !strings.Contains(found[0].Message, "no pool nosuch") {
		t.Errorf("got %v", lines(found))
	}
}

// What is written is read again, as long as nothing of it looks like a misprint.
func TestRangeListRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var want []ports.Range
		for range rapid.IntRange(1, 8).Draw(t, "n") {
			first := rapid.IntRange(1, 65535).Draw(t, "first")
			want = append(want, ports.Range{First: ports.Port(first), Last: ports.Port(rapid.IntRange(first, 65535).Draw(t, "last"))})
		}
		r, found := ParseRangeLists("f", []byte(FormatRangeList(want)), AsPorts)
		if len(found) > 0 || !slices.Equal(r.Lines[0].Ranges(), want) {
			t.Fatalf("got %v %v, want %v", r.Lines[0].Ranges(), lines(found), want)
		}
	})
}

func FuzzRangeLists(f *testing.F) {
	f.Add("[10000|1999]\r\n[20000-20100|20000\\19999]\nusessl = True\nsslport=7099\nclntportrange [7199]")
	f.Add("[1|2|3|4-5|\\|9000 9100|５]")
	f.Fuzz(func(t *testing.T, text string) {
		for _, reading := range []Reading{Ask, AsPorts, AsRanges} {
			r, found := ParseRangeLists("f", []byte(text), reading)
			if string(r.Bytes()) != text {
				t.Errorf("%q comes back as %q", text, r.Bytes())
			}
			for _, l := range r.Lines {
				for _, one := range l.Ranges() {
					if one.First == 0 || one.Last < one.First {
						t.Errorf("%q: %v", text, one)
					}
				}
			}
			over := ports.Compiled{Plan: "arcserve", Claims: []ports.Claim{{Service: "callback", Protocol: ports.TCP, Pool: true}, {Service: "client-callback", Protocol: ports.TCP, Pool: true}}}
			part, more := r.Part("f", over, "callback")
			readable(t, part, over)
			for _, d := range append(found, more...) {
				if d.Line < 1 || d.Column < 1 {
					t.Errorf("%q: %v", text, d)
				}
			}
		}
	})
}
