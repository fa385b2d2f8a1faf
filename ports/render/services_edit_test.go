package render

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
)

func systemwalker(t testing.TB) Input {
	t.Helper()
	plan, err := builtin.Load("systemwalker")
	if err != nil {
		t.Fatal(err)
	}
	c, _ := ports.Compile(plan, ports.Inventory{}, 0)
	return Input{Site: ports.Site{Compiled: c}, OS: "windows"}
}

// edited edits a file in which nothing is in the way.
func edited(t rapid.TB, file []byte, in Input) []byte {
	t.Helper()
	e, err := EditServices(file, in)
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Conflicts) > 0 {
		t.Fatalf("conflicts: %v", e.Conflicts)
	}
	return e.Text
}

// TestServicesComeAndGo: whatever stands in the file, what is added can be taken back, and then the file is what it was,
// to the last byte; adding twice is adding once; lines of others are never touched. P12.
func TestServicesComeAndGo(t *testing.T) {
	t.Parallel()
	in := systemwalker(t)
	rapid.Check(t, func(rt *rapid.T) {
		end := rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(rt, "end")
		lines := rapid.SliceOf(rapid.SampledFrom([]string{
			"# comment", "", "ssh 22/tcp", "ssh\t22/udp\talias # c", "  odd", "x 99999/tcp", "y 12", "# END others", "http 80/tcp", "name 1/tcp a b c", "\tz 7/udp",
		})).Draw(rt, "lines")
		file := strings.Join(lines, end)
		if rapid.Bool().Draw(rt, "final") && file != "" {
			file += end
		}
		if rapid.Bool().Draw(rt, "bom") {
			file = "\ufeff" + file
		}
		one, all, undo := in, in, in
		all.All, undo.Undo = true, true
		text := []byte(file)
		for _, step := range rapid.SliceOfN(rapid.SampledFrom([]Input{one, all}), 1, 4).Draw(rt, "steps") {
			text = edited(rt, text, step)
			if again := edited(rt, text, step); !bytes.Equal(again, text) {
				rt.Fatalf("a second time it is\n%q\nnot\n%q", again, text)
			}
			if !bytes.HasPrefix(text, []byte(file)) {
				rt.Fatalf("the lines of others are not what they were:\n%q", text)
			}
			if strings.Contains(file, "\r\n") && strings.Count(file, "\n") == strings.Count(file, "\r\n") && bytes.Count(text, []byte("\n")) != bytes.Count(text, []byte("\r\n")) {
				rt.Fatalf("ends of lines are mixed:\n%q", text)
			}
		}
		if got := edited(rt, text, undo); string(got) != file {
			rt.Fatalf("something is left:\n%q\nbefore:\n%q", got, file)
		}
		// What others add behind the block stays when it goes.
		more := append(bytes.Clone(text), "later 5/tcp"+end...)
		if got := edited(rt, more, undo); !strings.HasSuffix(string(got), "later 5/tcp"+end) || bytes.Contains(got, []byte("reeve_")) {
			rt.Fatalf("after lines were added: %q", got)
		}
		if got := edited(rt, []byte(file), undo); string(got) != file {
			rt.Fatalf("nothing to take back, and the file is\n%q\nnot\n%q", got, file)
		}
	})
}

// TestServicesOfOthers: lines that are there already are left to those who entered them; another number for a planned
// name is a conflict, and nothing is written; another name for a planned number is told.
func TestServicesOfOthers(t *testing.T) {
	t.Parallel()
	in := systemwalker(t)
	file := "jmsrv 9367/tcp # theirs\nother 9368/tcp\n"
	e, err := EditServices([]byte(file), in)
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Present) != 1 || e.Present[0].Name != "JMSRV" || len(e.Shared) != 1 || e.Shared[0].Name != "other" || e.Shared[0].At != 2 || len(e.Added) != 8 {
		t.Errorf("got %+v", e)
	}
	if strings.Contains(string(e.Text), "\nJMSRV") {
		t.Errorf("it was entered twice:\n%s", e.Text)
	}
	file = "x 1/tcp\n\nprogram 9352/tcp MPACLMGR 17\nMpaclmgr 4014/tcp\nmpaclmgr 4015/udp\n"
	e, err = EditServices([]byte(file), in)
	if err != nil {
		t.Fatal(err)
	}
	want := []ServiceConflict{{Line: ServiceLine{Service: "mpaclmgr", Name: "mpaclmgr", Port: 4013, Protocol: "tcp", Why: "mpaclmgr Security"}, Name: "program", Port: 9352, At: 3}}
	if diff := cmp.Diff(want, e.Conflicts); diff != "" {
		t.Errorf("conflicts (-want +got):\n%s", diff)
	}
	if string(e.Text) != file {
		t.Errorf("it was written in spite of a conflict:\n%s", e.Text)
	}
}

// TestServicesBlockIsDamaged: half a block is not guessed at.
func TestServicesBlockIsDamaged(t *testing.T) {
	t.Parallel()
	in := systemwalker(t)
	whole := string(edited(t, []byte("a 1/tcp\n"), in))
	for _, file := range []string{
		strings.Replace(whole, "# END reeve_systemwalker\n", "", 1),
		whole + whole,
		"# END reeve_systemwalker\n",
		"# END reeve_systemwalker\n" + whole,
	} {
		if _, err := EditServices([]byte(file), in); !errors.Is(err, ErrBlock) {
			t.Errorf("got %v for\n%s", err, file)
		}
	}
	if _, err := EditServices([]byte("s\x00s\x00h\x00"), in); !errors.Is(err, ErrText) {
		t.Errorf("UTF-16: got %v", err)
	}
}

// TestServicesOfPlans: blocks of several plans stand side by side, and each is taken back by itself.
func TestServicesOfPlans(t *testing.T) {
	t.Parallel()
	text := []byte("a 1/tcp\n")
	var undo []Input
	for _, name := range []string{"default", "systemwalker", "acs"} {
		in := Input{Site: compiled(t, builtinPlan(t, name), ports.Inventory{}, 0), All: true}
		text = edited(t, text, in)
		in.Undo = true
		undo = append(undo, in)
	}
	if n := bytes.Count(text, []byte("# BEGIN ")); n != 3 {
		t.Fatalf("%d blocks:\n%s", n, text)
	}
	for i, in := range undo {
		text = edited(t, text, in)
		if n := bytes.Count(text, []byte("# BEGIN ")); n != 2-i {
			t.Errorf("%d blocks after %d were taken back", n, i+1)
		}
	}
	if string(text) != "a 1/tcp\n" {
		t.Errorf("left: %q", text)
	}
}

// TestServicesOfInstances: a services file has one number for a name. Where the names of a plan say nothing of the
// instance, a second instance on the host is a conflict, and what is once for a computer is there already.
func TestServicesOfInstances(t *testing.T) {
	t.Parallel()
	plan := builtinPlan(t, "acs")
	text := edited(t, nil, Input{Site: compiled(t, plan, ports.Inventory{}, 1), All: true})
	e, err := EditServices(text, Input{Site: compiled(t, plan, ports.Inventory{}, 2), All: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Conflicts) == 0 || len(e.Present) == 0 || !bytes.Equal(e.Text, text) {
		t.Errorf("%d conflicts, %d present; written: %t", len(e.Conflicts), len(e.Present), !bytes.Equal(e.Text, text))
	}
}

// FuzzEditServices: no file makes it fail but by an error, and what was added is taken back.
func FuzzEditServices(f *testing.F) {
	in := systemwalker(f)
	f.Add([]byte("ssh 22/tcp\r\n# BEGIN reeve_systemwalker: x\r\njmnet 1/tcp\r\n# END reeve_systemwalker\r\n"))
	f.Add([]byte("mpaclmgr 4014/tcp"))
	f.Add([]byte("\ufeff\n\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		e, err := EditServices(file, in)
		if err != nil || len(e.Conflicts) > 0 {
			return
		}
		again, err := EditServices(e.Text, in)
		if err != nil || !bytes.Equal(again.Text, e.Text) {
			t.Fatalf("a second time: %v\n%q\n%q", err, e.Text, again.Text)
		}
		undo := in
		undo.Undo = true
		back, err := EditServices(e.Text, undo)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(file, []byte("# BEGIN reeve_systemwalker:")) && !bytes.Equal(back.Text, file) {
			t.Fatalf("left %q of %q", back.Text, file)
		}
	})
}
