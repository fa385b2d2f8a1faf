package jobfile

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
)

// drawNet draws a net that Check accepts, with every field and with texts that are hard to write.
func drawNet(t *rapid.T) jobnet.Net {
	word := rapid.StringMatching(`[a-z][a-z0-9]{0,6}`)
	text := rapid.OneOf(
		rapid.String(), rapid.StringMatching(`[ -~\n\t]{0,20}`), rapid.StringMatching(`[ \n\t#:a'"|>-]{0,12}`),
		rapid.SampledFrom([]string{
			"", "true", "null", "~", "5", "-1", "1e3", "0x1f", "010", "1_000", ".5", ".inf", "2026-01-01", "12:30", "yes", "a: b", "a #b", "- a", "[a]", "{a}", "*a",
			"&a", "!a", "%a", "@a", "`a", "|", ">", "?", "? a", ":", "a:", "'", "\"", "\\", "\u0085", "\u2028", "\ufeff", "é", "日本", "𝄞", "\r\n", "a\n", "a\n\n", "\na",
			"a\n b\n", " a\n", "a\n  \nb", "a \n", "\t", "a\tb", "---", "...", "--- a", "<<", "=", "a\n---\nb\n", "a\n...\n", "x\u200by", "x\x00y"[:1],
		}),
	).Filter(func(s string) bool { return !bytes.ContainsRune([]byte(s), 0) })
	texts := rapid.MapOfN(word, text, 0, 3)
	labels := rapid.MapOfN(rapid.StringMatching(`[a-z][a-z./-]{0,5}`), rapid.StringMatching(`[ -~é日]{1,12}`), 0, 3)
	none := func(m map[string]string) map[string]string {
		if len(m) == 0 {
			return nil
		}
		return m
	}
	plain := func(s string) string { // no reference
		return string(bytes.ReplaceAll([]byte(s), []byte("${"), []byte("$")))
	}
	env := func(prefix, label string) map[string]string {
		out := map[string]string{}
		for k, v := range texts.Draw(t, label) {
			out[prefix+k] = plain(v)
		}
		return none(out)
	}
	n := jobnet.Net{
		Name:        rapid.StringMatching(`[a-z0-9]{1,8}(/[a-z0-9][a-z0-9._-]{0,6}){0,2}`).Draw(t, "net"),
		Description: text.Draw(t, "description"), Params: none(texts.Draw(t, "params")), Env: env("E", "env"), Labels: none(labels.Draw(t, "labels")),
	}
	n.Schedules = drawSchedules(t, text)
	for i := range rapid.IntRange(1, 4).Draw(t, "jobs") {
		j := jobnet.Defaults()
		j.Name = fmt.Sprintf("j%d", i)
		for p := range i {
			if rapid.Bool().Draw(t, "after") {
				j.After = append(j.After, fmt.Sprintf("j%d", p))
			}
		}
		if len(j.After) > 0 {
			j.When = rapid.SampledFrom([]jobnet.When{jobnet.WhenSuccess, jobnet.WhenAlways}).Draw(t, "when")
		}
		if rapid.Bool().Draw(t, "command") {
			j.Command = append([]string{"/bin/x"}, rapid.SliceOfN(rapid.Map(text, plain), 0, 5).Draw(t, "arguments")...)
		} else {
			j.Script = "#!/bin/sh" + text.Draw(t, "line") + "\n" + text.Draw(t, "script")
		}
		if rapid.Bool().Draw(t, "out of a list") {
			j.Agent.Names = rapid.SliceOfNDistinct(rapid.StringMatching(`[A-Za-z0-9]{1,5}`), 1, 4, rapid.ID).Draw(t, "agents")
			j.Agent.Select = rapid.SampledFrom([]jobnet.Select{jobnet.SelectFirst, jobnet.SelectNext}).Draw(t, "select")
			j.Agent.Skip = rapid.SampledFrom([]time.Duration{0, jobnet.DefaultSkip, 90 * time.Second, time.Hour}).Draw(t, "skip")
		} else if rapid.Bool().Draw(t, "by name") {
			j.Agent.Name = rapid.StringMatching(`[A-Za-z0-9]{0,5}`).Draw(t, "agent")
		} else {
			j.Agent.Labels = none(labels.Draw(t, "agent labels"))
		}
		codes := rapid.SliceOfNDistinct(rapid.IntRange(0, 255), 3, 9, rapid.ID[int]).Draw(t, "codes")
		j.Warn = append([]int(nil), codes[2:rapid.IntRange(2, len(codes)).Draw(t, "warn")]...)
		if j.OK = codes[:rapid.IntRange(0, 2).Draw(t, "ok")]; len(j.OK) == 0 {
			j.OK = nil
			j.Warn = codes[2:3]
		}
		duration := rapid.OneOf(rapid.Int64Range(0, int64(time.Hour)), rapid.Map(rapid.Int64Range(0, 8000), func(m int64) int64 { return m * int64(time.Minute) }))
		j.Timeout, j.Grace = time.Duration(duration.Draw(t, "timeout")), time.Duration(duration.Draw(t, "grace"))
		if j.Retry.Max = rapid.IntRange(0, 3).Draw(t, "max"); j.Retry.Max > 0 {
			j.Retry.Delay = time.Duration(duration.Draw(t, "delay"))
		}
		if most := int64(24 * time.Hour); rapid.Bool().Draw(t, "estimated") {
			if j.Timeout > 0 {
				most = int64(j.Timeout)
			}
			j.Estimate = time.Duration(rapid.Int64Range(0, most).Draw(t, "estimate"))
		}
		j.Stdout = rapid.StringMatching(`([a-z]+/)?[é #:a-z]{1,5}x|`).Draw(t, "stdout")
		if j.Stdout != "" && rapid.Bool().Draw(t, "artifact") {
			j.Artifacts = []string{j.Stdout, "other"}
		}
		j.Env = env("J", "job env")
		j.RunAs = rapid.SampledFrom([]string{"", "nobody", "yes"}).Draw(t, "run_as")
		j.Limits.Output = rapid.OneOf(rapid.Int64Range(1, 1<<40), rapid.SampledFrom([]int64{1 << 20, 1e9, 1 << 30, 3 << 10})).Draw(t, "output")
		j.Needs = append([]jobnet.Destination(nil), rapid.SliceOfNDistinct(rapid.Map(rapid.StringMatching(`([a-z][a-z0-9]{0,5}(\.[a-z]{2})?|\[2001:db8::[0-9a-f]{1,3}\]):[1-9][0-9]{0,3}(/tcp|/udp)?`),
			func(s string) jobnet.Destination { return jobnet.Destination(s) }), 0, 4, func(d jobnet.Destination) string { return strings.TrimSuffix(string(d), "/tcp") }).Draw(t, "needs")...)
		j.Isolation = rapid.SampledFrom([]jobnet.Isolation{jobnet.IsolationShared, jobnet.IsolationOwn}).Draw(t, "isolation")
		j.Rerunnable = rapid.Bool().Draw(t, "rerunnable")
		j.OnLost = rapid.SampledFrom([]jobnet.OnLost{jobnet.LostKeep, jobnet.LostStop}).Draw(t, "on_lost")
		j.OnUnknown = rapid.SampledFrom([]jobnet.OnUnknown{jobnet.UnknownHold, jobnet.UnknownFail}).Draw(t, "on_unknown")
		if j.Rerunnable && rapid.Bool().Draw(t, "rerun") {
			j.OnUnknown = jobnet.UnknownRerun
		}
		j.OnLeftover = rapid.SampledFrom([]jobnet.OnLeftover{jobnet.LeftoverKill, jobnet.LeftoverWait, jobnet.LeftoverDetach}).Draw(t, "on_leftover")
		n.Jobs = append(n.Jobs, j)
	}
	return n
}

// drawSchedules draws schedules that jobnet.Check accepts; whether their rules mean anything, only a compiler knows.
func drawSchedules(t *rapid.T, text *rapid.Generator[string]) (out []calendar.Schedule) {
	rule := rapid.OneOf(rapid.StringMatching(`[ -~]{1,20}`), rapid.SampledFrom([]string{"*/15 * * * *", "@daily", "0 0 L * *", "2026-12-24", "é"}))
	span := rapid.Map(rapid.Int64Range(0, 5000), func(n int64) time.Duration { return time.Duration(n) * 37 * time.Second })
	for i := range rapid.IntRange(0, 3).Draw(t, "schedules") {
		s := calendar.DefaultSchedule()
		s.Name = fmt.Sprintf("s%d", i)
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			s.Cron = rule.Draw(t, "cron")
		case 1:
			s.RRule = rule.Draw(t, "rrule")
		case 2:
			s.Every = time.Second + span.Draw(t, "every")
			s.EveryBy = rapid.SampledFrom([]calendar.EveryBy{calendar.EveryStart, calendar.EveryEnd}).Draw(t, "every_by")
		default:
			s.Dates = rapid.SliceOfN(rapid.SampledFrom([]string{"2026-12-24", "2026-12-24T06:00"}), 1, 3).Draw(t, "dates")
		}
		s.Zone = rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "Etc/GMT+5"}).Draw(t, "zone")
		if rapid.Bool().Draw(t, "with a calendar") {
			s.Calendar, s.Shift = rule.Draw(t, "calendar"), rapid.SampledFrom([]string{"skip", "run", "after 2 within 9"}).Draw(t, "shift")
			s.WorkingDays = rapid.SampledFrom([][]string{nil, {"1 of month"}, {"-1 of quarter", "2 of year"}}).Draw(t, "working_days")
			s.OnCollision = rapid.SampledFrom([]calendar.Collision{calendar.CollisionOne, calendar.CollisionBoth}).Draw(t, "on_collision")
		}
		s.Gap = rapid.SampledFrom([]calendar.Gap{calendar.GapNextValid, calendar.GapSkip, calendar.GapShift}).Draw(t, "gap")
		s.Fold = rapid.SampledFrom([]calendar.Fold{calendar.FoldFirst, calendar.FoldLast, calendar.FoldBoth}).Draw(t, "fold")
		s.Catchup = rapid.SampledFrom([]calendar.Catchup{calendar.CatchupNone, calendar.CatchupLast, calendar.CatchupAll}).Draw(t, "catchup")
		s.Overlap = rapid.SampledFrom([]calendar.Overlap{calendar.OverlapAllow, calendar.OverlapQueue, calendar.OverlapReplace}).Draw(t, "overlap")
		s.StartWithin, s.MustEnd, s.Jitter = span.Draw(t, "start_within"), span.Draw(t, "must_end"), span.Draw(t, "jitter")
		s.From, s.Until = rapid.SampledFrom([]string{"", "2026-01-01", "2026-01-01T06:00+02:00"}).Draw(t, "from"), text.Draw(t, "until")
		for range rapid.IntRange(0, 2).Draw(t, "blackouts") {
			s.Blackouts = append(s.Blackouts, calendar.Blackout{From: "22:00", Until: rule.Draw(t, "end"), Text: text.Draw(t, "why")})
		}
		out = append(out, s)
	}
	return out
}

// What Format writes, Parse reads back as it was, and writing it again changes nothing.
func TestFormatIsReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := drawNet(t)
		if problems := jobnet.Check(&n); problems != nil {
			t.Fatalf("the drawn net is not good: %v", problems)
		}
		text := Format(n)
		back, err := Parse("drawn.yaml", text)
		if err != nil {
			t.Fatalf("%v\nin\n%s", err, text)
		}
		if diff := cmp.Diff([]jobnet.Net{n}, back); diff != "" {
			t.Fatalf("%s\nin\n%s", diff, text)
		}
		if again := Format(back[0]); !bytes.Equal(text, again) {
			t.Fatalf("written again it differs:\n%s", Diff(text, again))
		}
	})
}

func TestFormat(t *testing.T) {
	t.Parallel()
	text := `net: a/b
description: what it is for, in one line
params:
  top: "20"
jobs:
  - name: list
    command: [dpkg-query, -W, "-f=$${Package}\n"]
  - name: shell
    command:
      - sh
      - -c
      - |
        first
          second
  - name: say
    after: [list]
    script: |
      #!/bin/sh
      echo "$top"

      exit 3
    agent: {labels: {site: south}}
    ok: []
    warn: [0, 3]
    timeout: 1h30m
    grace: 0s
    retry: {max: 2, delay: 1.5s, codes: [1]}
    env:
      LANG: C.UTF-8
    limits: {output: 1GiB}
    rerunnable: true
    on_unknown: rerun
`
	nets, err := Parse("x", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	got := string(Format(nets[0]))
	if diff := cmp.Diff(text, got); diff != "" {
		t.Error(diff)
	}
	if a, b := Hash(nets[0]), Hash(nets[0]); a != b || len(a) != 64 {
		t.Errorf("got hashes %s and %s", a, b)
	}
	other := nets[0]
	other.Description = "other"
	if Hash(other) == Hash(nets[0]) {
		t.Error("two different nets have the same hash")
	}
}

// TestFormatNumbers: every exit code that there is takes a few lines, none longer than others may be, and is read back.
func TestFormatNumbers(t *testing.T) {
	t.Parallel()
	n := jobnet.Net{Name: "a", Jobs: []jobnet.Job{jobnet.Defaults()}}
	n.Jobs[0].Name, n.Jobs[0].Command, n.Jobs[0].OK = "x", []string{"true"}, nil
	for code := range 256 {
		n.Jobs[0].OK = append(n.Jobs[0].OK, code)
	}
	text := Format(n)
	if lines := bytes.Count(text, []byte("\n")); lines > 20 {
		t.Errorf("got %d lines:\n%s", lines, text)
	}
	for line := range bytes.Lines(text) {
		if len(line) > lineWidth+1 {
			t.Errorf("too long: %s", line)
		}
	}
	back, err := Parse("x", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if diff := cmp.Diff(n.Jobs[0].OK, back[0].Jobs[0].OK); diff != "" {
		t.Error(diff)
	}
}
