package jobnet

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

func TestResolve(t *testing.T) {
	t.Parallel()
	n := net(Job{Name: "a"}, Job{Name: "b", After: []string{"a"}})
	n.Params = map[string]string{"top": "20", "dir": "/tmp"}
	n.Env = map[string]string{"TZ": "UTC", "BOTH": "net", "RUN": "${run.id}"}
	job := &n.Jobs[1]
	job.Env = map[string]string{"BOTH": "job ${params.top}", "AA": "${jobs.a.outputs.x}${jobs.a.outputs.x}"}
	job.Command = []string{"/bin/echo", "-n=${params.top}", "${jobs.a.outputs.x}", "$${x} $HOME $", "at ${run.nominal}", "$$${params.top}"}
	argv, env, err := Resolve(job, n, Values{
		Run: "r1", Nominal: time.Date(2026, 3, 1, 1, 2, 3, 4, time.FixedZone("", 3600)),
		Params:  map[string]string{"top": "a b"},
		Outputs: map[string]map[string]string{"a": {"x": "${params.dir}; rm -rf *\n"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	wantArgv := []string{"/bin/echo", "-n=a b", "${params.dir}; rm -rf *\n", "${x} $HOME $", "at 2026-03-01T00:02:03Z", "$${params.top}"}
	if diff := cmp.Diff(wantArgv, argv); diff != "" {
		t.Error(diff)
	}
	wantEnv := []string{
		"RUN=r1", "TZ=UTC", "AA=${params.dir}; rm -rf *\n${params.dir}; rm -rf *\n", "BOTH=job a b", "dir=/tmp", "top=a b",
	}
	if diff := cmp.Diff(wantEnv, env); diff != "" {
		t.Error(diff)
	}
}

func TestResolveSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	n := net(Job{Name: "a"}, Job{Name: "b", After: []string{"a"}})
	for name, c := range map[string]struct {
		text   string
		values Values
		say    string
	}{
		"output":       {"${jobs.a.outputs.x}", Values{Outputs: map[string]map[string]string{"a": {"y": ""}}}, "job a has no output x"},
		"job":          {"${jobs.a.outputs.x}", Values{}, "job a has not ended well"},
		"nominal":      {"${run.nominal}", Values{}, "no nominal time"},
		"param":        {"${params.other}", Values{}, "no parameter other"},
		"bad":          {"${other}", Values{}, "is not a reference"},
		"NUL":          {"${params.top}", Values{Params: map[string]string{"top": "\x00"}}, "NUL"},
		"long":         {"${params.top}${params.top}", Values{Params: map[string]string{"top": strings.Repeat("x", MaxValue/2+1)}}, "at most"},
		"no program":   {"", Values{}, "program to execute is empty"},
		"param itself": {"x", Values{Params: map[string]string{"top": "\x00"}}, "parameter top"},
	} {
		job := Defaults()
		job.Command = []string{c.text}
		argv, _, err := Resolve(&job, n, c.values)
		if err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: got %q, %v, want an error with %q", name, argv, err, c.say)
		} else if fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: got kind %v", name, fault.KindOf(err))
		}
	}
}

// Whatever the texts and the values are, one argument stays one argument, values are not looked at again, and
// a text without "${" stays as it is.
func FuzzResolve(f *testing.F) {
	for _, s := range []string{"${params.top}", "$${params.top}", "${jobs.a.outputs.x}", "$", "$$", "${", "}", "${}", "a${run.id}b", "${params.${params.top}}", "$$${run.id}"} {
		f.Add(s, "x y", "'; $(id) `id` ${run.id}\n")
	}
	f.Fuzz(func(t *testing.T, text, value, output string) {
		n := net(Job{Name: "a"})
		job := Defaults()
		job.Command = []string{"/bin/echo", text, "last"}
		job.Env = map[string]string{"E": text}
		argv, env, err := Resolve(&job, n, Values{
			Run: "id", Params: map[string]string{"top": value}, Nominal: time.Unix(0, 0),
			Outputs: map[string]map[string]string{"a": {"x": output}},
		})
		if err != nil {
			return
		}
		if len(argv) != 3 || argv[0] != "/bin/echo" || argv[2] != "last" || len(env) != 2 {
			t.Fatalf("got argv %q and env %q", argv, env)
		}
		// The slow obvious twin: cut at "${", one reference after the other.
		want, rest := "", text
		for {
			at := strings.Index(rest, "${")
			if at < 0 {
				want += rest
				break
			}
			if at > 0 && rest[at-1] == '$' {
				want += rest[:at-1] + "${"
				rest = rest[at+2:]
				continue
			}
			end := strings.IndexByte(rest, '}')
			for end < at {
				end += 1 + strings.IndexByte(rest[end+1:], '}')
			}
			want += rest[:at]
			switch reference := rest[at : end+1]; reference {
			case "${params.top}":
				want += value
			case "${jobs.a.outputs.x}":
				want += output
			case "${run.id}":
				want += "id"
			case "${run.nominal}":
				want += "1970-01-01T00:00:00Z"
			default:
				t.Fatalf("%q was taken for a reference", reference)
			}
			rest = rest[end+1:]
		}
		if argv[1] != want || env[0] != "E="+want {
			t.Fatalf("%q: got %q and %q, want %q", text, argv[1], env[0], want)
		}
	})
}
