package calendar

import (
	"strings"
	"testing"
	"time"
)

// vector is what another scheduler publishes of one of its expressions: the time after After, in Zone.
type vector struct {
	expr  string
	after string
	want  string // theirs; empty: never, or refused
	// ours is what we have in its place; "same" where it is the same. Where it is not, why says so in a sentence for the manual.
	ours string
	why  string
}

const (
	sameAs  = "same"
	refused = "refused"
)

// The differences. Each sentence stands in the manual.
const (
	whyGap      = "A fixed time that the clocks jump over is due once, at the first instant after the gap (dst_gap: next-valid); others lose it."
	whyTwice    = "A fixed time that comes twice is due once, the first time (dst_overlap: first); others run twice, or the second time."
	whyMinutes  = "A wildcard minute does not make a line a wildcard: only its hour does (* or */n). So `* 2 * * *` follows dst_gap and dst_overlap."
	whyOnce     = "Several times in one gap are one occurrence, because they resolve to one instant; cronie runs one after the other."
	whyNever    = "A schedule that is never due is refused when it is applied; others take it and never run."
	whySunday   = "Days of the week are numbered as in cron: 0 and 7 are Sunday, 1 is Monday. Quartz counts from Sunday as 1: write 5L for its 6L, or FRIL."
	whyNoYears  = "There is no seventh field for years: `from` and `until` of the schedule say between which times it is due."
	whyStars    = "Both fields of days may be * (cron's way); ? is taken for *, too. Quartz wants one of them to be ?."
	whyLists    = "L and W may stand in lists; Quartz takes them only alone."
	whyOverflow = "A range does not run over its end: 22-6 is written 22-23,0-6. Only a range of weekdays may end on Sunday (FRI-SUN)."
	whyOpen     = "5/15 is 5 to the end of the field in steps of 15, as Quartz and robfig have it; cronie refuses it, or takes it for 5."
	whyStep     = "A step that is longer than its field is refused: it would only be the field's first value. `every` can have any length."
	whyRandom   = "A random value (0~59) is refused: H is spread over schedules, too, and stays the same."
	whyEvery    = "@every is written `every:`, a field of its own; its grid begins at `from` and not when the server starts."
	whyReboot   = "@reboot is refused: who decides when a net is due does not start with the machine that it runs on."
	whyInZone   = "CRON_TZ= and TZ= do not stand in the expression: `zone` is a field of its own."
)

func (v *vector) check(t *testing.T, zone string) {
	t.Helper()
	want := v.ours
	if want == sameAs {
		want = v.want
	}
	if (v.ours == sameAs) != (v.why == "") {
		t.Errorf("%s: a difference has a sentence, and what is the same has none", v.expr)
	}
	s := DefaultSchedule()
	s.Name, s.Cron, s.Zone = "s", v.expr, zone
	r, problems := NewCompiler(Builtin(), nil).Compile("n", s)
	if want == refused {
		if len(problems) == 0 {
			t.Errorf("%s: it is taken, want refused", v.expr)
		}
		return
	}
	if len(problems) > 0 {
		t.Errorf("%s: %v", v.expr, problems)
		return
	}
	loc := r.Location()
	after, err := time.Parse("2006-01-02T15:04:05-0700", v.after)
	if err != nil {
		if after, err = time.ParseInLocation("2006-01-02T15:04:05", v.after, loc); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for range strings.Fields(want) {
		o, ok := r.Next(after)
		if !ok {
			break
		}
		after = o.Due
		form := "2006-01-02T15:04:05"
		if first, _, _ := strings.Cut(want, " "); len(first) > len(form) {
			form += "-0700"
		}
		got = append(got, o.Due.In(loc).Format(form))
	}
	if strings.Join(got, " ") != want {
		t.Errorf("%s after %s:\n got %v\nwant %s", v.expr, v.after, got, want)
	}
}

// TestVectorsRobfig are those of github.com/robfig/cron, spec_test.go (TestActivation and TestNext), which the CronJobs of
// Kubernetes parse and compute with.
func TestVectorsRobfig(t *testing.T) {
	t.Parallel()
	for _, v := range []vector{
		{"0 0/15 * * * *", "2012-07-09T14:45:00", "2012-07-09T15:00:00", sameAs, ""},
		{"0 0/15 * * * *", "2012-07-09T14:59:59", "2012-07-09T15:00:00", sameAs, ""},
		{"0 5/15 * * * *", "2012-07-09T15:04:00", "2012-07-09T15:05:00 2012-07-09T15:20:00 2012-07-09T15:35:00 2012-07-09T15:50:00", sameAs, ""},
		{"0 0/15 * * Jul *", "2012-07-15T14:59:59", "2012-07-15T15:00:00", sameAs, ""},
		{"0 30 08 ? Jul Sun", "2012-07-15T08:29:59", "2012-07-15T08:30:00", sameAs, ""},
		{"0 30 08 15 Jul ?", "2012-07-15T08:29:59", "2012-07-15T08:30:00", sameAs, ""},
		{"@hourly", "2012-07-09T14:59:59", "2012-07-09T15:00:00", sameAs, ""},
		{"@daily", "2012-07-08T23:59:59", "2012-07-09T00:00:00", sameAs, ""},
		{"@weekly", "2012-07-07T23:59:59", "2012-07-08T00:00:00 2012-07-15T00:00:00", sameAs, ""},
		{"@monthly", "2012-06-30T23:59:59", "2012-07-01T00:00:00 2012-08-01T00:00:00", sameAs, ""},
		{"0 * * 1,15 * Sun", "2012-07-14T23:59:59", "2012-07-15T00:00:00", sameAs, ""},
		{"0 * * 1,15 * Sun", "2012-06-14T23:59:59", "2012-06-15T00:00:00", sameAs, ""},
		{"0 * * 1,15 * Sun", "2012-07-31T23:59:59", "2012-08-01T00:00:00", sameAs, ""},
		{"0 0 0 * * Mon", "2012-07-14T23:59:59", "2012-07-16T00:00:00", sameAs, ""},
		{"0 0 0 */10 * Sun", "2012-07-14T23:59:59", "2012-10-21T00:00:00", sameAs, ""},
		{"0 * * 1,15 * *", "2012-07-14T23:59:59", "2012-07-15T00:00:00", sameAs, ""},
		{"0 * * */2 * Sun", "2012-07-14T23:59:59", "2012-07-15T00:00:00", sameAs, ""},
		{"0 20-35/15 * * * *", "2012-07-09T15:45:00", "2012-07-09T16:20:00", sameAs, ""},
		{"0 */15 * * * *", "2012-07-09T23:46:00", "2012-07-10T00:00:00", sameAs, ""},
		{"15/35 20-35/15 * * * *", "2012-07-09T23:35:51", "2012-07-10T00:20:15", sameAs, ""},
		{"15/35 20-35/15 1/2 * * *", "2012-07-09T23:35:51", "2012-07-10T01:20:15", sameAs, ""},
		{"15/35 20-35/15 10-12 * * *", "2012-07-09T23:35:51", "2012-07-10T10:20:15", sameAs, ""},
		{"15/35 20-35/15 1/2 */2 * *", "2012-07-09T23:35:51", "2012-07-11T01:20:15", sameAs, ""},
		{"15/35 20-35/15 * 9-20 * *", "2012-07-09T23:35:51", "2012-07-10T00:20:15", sameAs, ""},
		{"15/35 20-35/15 * 9-20 Jul *", "2012-07-09T23:35:51", "2012-07-10T00:20:15", sameAs, ""},
		{"0 0 0 9 Apr-Oct ?", "2012-07-09T23:35:00", "2012-08-09T00:00:00", sameAs, ""},
		{"0 0 0 */5 Apr,Aug,Oct Mon", "2012-07-09T23:35:00", "2012-08-06T00:00:00", sameAs, ""},
		{"0 0 0 */5 Oct Mon", "2012-07-09T23:35:00", "2012-10-01T00:00:00", sameAs, ""},
		{"0 0 0 * Feb Mon", "2012-07-09T23:35:00", "2013-02-04T00:00:00", sameAs, ""},
		{"0 0 0 * Feb Mon/2", "2012-07-09T23:35:00", "2013-02-01T00:00:00", sameAs, ""},
		{"0 * * * * *", "2012-12-31T23:59:45", "2013-01-01T00:00:00", sameAs, ""},
		{"0 0 0 29 Feb ?", "2012-07-09T23:35:00", "2016-02-29T00:00:00", sameAs, ""},
		{"0 30 2 11 Mar ?", "2012-03-11T00:00:00-0500", "2013-03-11T02:30:00-0400", "2012-03-11T03:00:00-0400 2013-03-11T02:30:00-0400", whyGap},
		{"0 0 * * * ?", "2012-03-11T00:00:00-0500", "2012-03-11T01:00:00-0500 2012-03-11T03:00:00-0400 2012-03-11T04:00:00-0400 2012-03-11T05:00:00-0400", sameAs, ""},
		{"0 0 1 * * ?", "2012-03-11T00:00:00-0500", "2012-03-11T01:00:00-0500 2012-03-12T01:00:00-0400", sameAs, ""},
		{"0 0 2 * * ?", "2012-03-11T00:00:00-0500", "2012-03-12T02:00:00-0400", "2012-03-11T03:00:00-0400 2012-03-12T02:00:00-0400", whyGap},
		{"0 30 2 04 Nov ?", "2012-11-04T00:00:00-0400", "2012-11-04T02:30:00-0500", sameAs, ""},
		{"0 30 1 04 Nov ?", "2012-11-04T01:45:00-0400", "2012-11-04T01:30:00-0500", "2013-11-04T01:30:00-0500", whyTwice},
		{"0 0 * * * ?", "2012-11-04T00:00:00-0400", "2012-11-04T01:00:00-0400 2012-11-04T01:00:00-0500 2012-11-04T02:00:00-0500", sameAs, ""},
		{"0 0 1 * * ?", "2012-11-04T00:00:00-0400", "2012-11-04T01:00:00-0400 2012-11-04T01:00:00-0500 2012-11-05T01:00:00-0500", "2012-11-04T01:00:00-0400 2012-11-05T01:00:00-0500", whyTwice},
		{"0 0 2 * * ?", "2012-11-04T00:00:00-0400", "2012-11-04T02:00:00-0500 2012-11-05T02:00:00-0500", sameAs, ""},
		{"0 0 3 * * ?", "2012-11-04T00:00:00-0400", "2012-11-04T03:00:00-0500 2012-11-05T03:00:00-0500", sameAs, ""},
		{"0 0 0 30 Feb ?", "2012-07-09T23:35:00", "", refused, whyNever},
		{"0 0 0 31 Apr ?", "2012-07-09T23:35:00", "", refused, whyNever},
		{"xyz", "2012-07-09T23:35:00", refused, sameAs, ""},
		{"60 0 * * *", "2012-07-09T23:35:00", refused, sameAs, ""},
		{"0 60 * * *", "2012-07-09T23:35:00", refused, sameAs, ""},
		{"0 0 * * XYZ", "2012-07-09T23:35:00", refused, sameAs, ""},
		{"@every 5m", "2012-07-09T23:35:00", "2012-07-09T23:40:00", refused, whyEvery},
		{"TZ=UTC 5 * * * *", "2012-07-09T23:35:00", "2012-07-10T00:05:00", refused, whyInZone},
	} {
		v.check(t, "America/New_York")
	}
}

// TestVectorsKubernetes are those of kubernetes/kubernetes:pkg/controller/cronjob/utils_test.go that are about times: which the
// most recent time before now is, and which comes next.
func TestVectorsKubernetes(t *testing.T) {
	t.Parallel()
	for _, v := range []vector{
		{"0 * * * *", "2016-05-19T10:00:00", "2016-05-19T11:00:00", sameAs, ""},
		{"0 * * * ?", "2016-05-19T10:00:00", "2016-05-19T11:00:00", sameAs, ""},
		{"30 6-16/4 * * 1-5", "2016-05-20T14:31:00", "2016-05-23T06:30:00", sameAs, ""},
		{"30 10,11,12 * * 1-5", "2016-05-20T12:31:00", "2016-05-23T10:30:00", sameAs, ""},
		{"59 23 31 2 *", "2016-05-19T10:00:00", "", refused, whyNever},
		{"0 0 31 2 *", "2016-05-19T10:00:00", "", refused, whyNever},
	} {
		v.check(t, "UTC")
	}
	// "Too many missed start times (> 100)": there it is a warning and no number. Here each is counted.
	r := compiled(t, func(s *Schedule) { s.Cron = "* * * * *" })
	if got := r.Count(at(t, "2016-05-19T10:00:00Z"), at(t, "2016-05-20T10:00:00Z")); got.All != 1440 {
		t.Errorf("counted %d of a day, want 1440", got.All)
	}
}

// TestVectorsQuartz are those of quartz-scheduler/quartz: the examples of its CronTrigger tutorial
// (docs/tutorials/crontrigger.md, from memory; their years are ours) and
// quartz/src/test/java/org/quartz/CronExpressionTest.java (testLastDayOffset, testQuartz621, 640, Qtz96, Issue #58).
func TestVectorsQuartz(t *testing.T) {
	t.Parallel()
	const start = "2010-10-01T00:00:00"
	for _, v := range []vector{
		{"0 0 12 * * ?", start, "2010-10-01T12:00:00 2010-10-02T12:00:00", sameAs, ""},
		{"0 15 10 ? * *", start, "2010-10-01T10:15:00 2010-10-02T10:15:00", sameAs, ""},
		{"0 15 10 * * ?", start, "2010-10-01T10:15:00", sameAs, ""},
		{"0 15 10 * * ? *", start, "2010-10-01T10:15:00", refused, whyNoYears},
		{"0 15 10 * * ? 2005", start, "", refused, whyNoYears},
		{"0 * 14 * * ?", start, "2010-10-01T14:00:00 2010-10-01T14:01:00", sameAs, ""},
		{"0 0/5 14 * * ?", "2010-10-01T14:50:00", "2010-10-01T14:55:00 2010-10-02T14:00:00", sameAs, ""},
		{"0 0/5 14,18 * * ?", "2010-10-01T14:55:00", "2010-10-01T18:00:00", sameAs, ""},
		{"0 0-5 14 * * ?", "2010-10-01T14:04:00", "2010-10-01T14:05:00 2010-10-02T14:00:00", sameAs, ""},
		{"0 10,44 14 ? 3 WED", start, "2011-03-02T14:10:00 2011-03-02T14:44:00 2011-03-09T14:10:00", sameAs, ""},
		{"0 15 10 ? * MON-FRI", start, "2010-10-01T10:15:00 2010-10-04T10:15:00", sameAs, ""},
		{"0 15 10 15 * ?", start, "2010-10-15T10:15:00 2010-11-15T10:15:00", sameAs, ""},
		{"0 15 10 L * ?", start, "2010-10-31T10:15:00 2010-11-30T10:15:00", sameAs, ""},
		{"0 15 10 L-2 * ?", start, "2010-10-29T10:15:00 2010-11-28T10:15:00", sameAs, ""},
		{"0 15 10 L-5W * ?", start, "2010-10-26T10:15:00", sameAs, ""},
		{"0 15 10 L-1 * ?", start, "2010-10-30T10:15:00", sameAs, ""},
		{"0 15 10 L-1W * ?", start, "2010-10-29T10:15:00", sameAs, ""},
		{"0 0 0 LW * ?", start, "2010-10-29T00:00:00 2010-11-30T00:00:00", sameAs, ""},
		{"0 0 0 15W * ?", "2010-08-01T00:00:00", "2010-08-16T00:00:00 2010-09-15T00:00:00 2010-10-15T00:00:00", sameAs, ""},
		{"0 0 0 1W * ?", "2010-04-30T00:00:00", "2010-05-03T00:00:00 2010-06-01T00:00:00", sameAs, ""}, // the 1st is a Saturday: the 3rd, not the month before
		{"0 15 10 ? * 6L", start, "2010-10-29T10:15:00", "2010-10-30T10:15:00", whySunday},
		{"0 15 10 ? * FRIL", start, "2010-10-29T10:15:00 2010-11-26T10:15:00", sameAs, ""},
		{"0 15 10 ? * 6#3", start, "2010-10-15T10:15:00", "2010-10-16T10:15:00", whySunday},
		{"0 15 10 ? * FRI#3", start, "2010-10-15T10:15:00 2010-11-19T10:15:00", sameAs, ""},
		{"0 0 12 1/5 * ?", start, "2010-10-01T12:00:00 2010-10-06T12:00:00", sameAs, ""},
		{"0 11 11 11 11 ?", start, "2010-11-11T11:11:00 2011-11-11T11:11:00", sameAs, ""},
		{"0 0 14-6 ? * FRI-MON", start, "2010-10-01T00:00:00", refused, whyOverflow},
		{"0 0 4 * * *", start, refused, "2010-10-01T04:00:00", whyStars},
		{"0 43 9 1,5,29,L * ?", start, refused, "2010-10-01T09:43:00 2010-10-05T09:43:00 2010-10-29T09:43:00 2010-10-31T09:43:00", whyLists},
		{"0 43 9 ? * SAT,SUN,L", start, refused, sameAs, ""},
		{"0/5 * * 32W 1 ?", start, refused, sameAs, ""},
		{"* * * * Foo ?", start, refused, sameAs, ""},
		{"* * * * Jan-Foo ?", start, refused, sameAs, ""},
		{"0/120 0 8-18 ? * 2-6", start, refused, sameAs, ""},
		{"0 /120 8-18 ? * 2-6", start, refused, sameAs, ""},
		{"0 / 8-18 ? * 2-6", start, refused, sameAs, ""},
		{"0 0/ 8-18 ? * 2-6", start, refused, sameAs, ""},
		{"0 0 0/120 ? * 2-6", start, refused, sameAs, ""},
		{"0 0 0 0/120 * 2-6", start, refused, sameAs, ""},
	} {
		v.check(t, "Europe/Zurich")
	}
	// Daylight saving, by "Cron Expressions and DST" of its best practices (from memory): a time in the gap is not run, one that
	// comes twice is run the second time.
	for _, v := range []vector{
		{"0 30 2 * * ?", "2010-03-28T00:00:00", "2010-03-29T02:30:00", "2010-03-28T03:00:00 2010-03-29T02:30:00", whyGap},
	} {
		v.check(t, "Europe/Zurich")
	}
}

// TestVectorsCronie are what the sources of cronie do: cronie-crond/cronie:src/cron.c (the loop of main, find_jobs) and
// src/entry.c (get_range), and its man/cron.8 ("Daylight Saving Time and other time changes").
func TestVectorsCronie(t *testing.T) {
	t.Parallel()
	for _, v := range []vector{
		// DST begins: fixed-time jobs of the minutes that were jumped over run at once.
		{"30 2 * * *", "2026-03-08T00:00:00-0500", "2026-03-08T03:00:00-0400 2026-03-09T02:30:00-0400", sameAs, ""},
		{"0,30 2 * * *", "2026-03-08T00:00:00-0500", "2026-03-08T03:00:00-0400 2026-03-08T03:00:00-0400 2026-03-09T02:00:00-0400", "2026-03-08T03:00:00-0400 2026-03-09T02:00:00-0400", whyOnce},
		{"0 * * * *", "2026-03-08T00:00:00-0500", "2026-03-08T01:00:00-0500 2026-03-08T03:00:00-0400", sameAs, ""},
		{"0 */2 * * *", "2026-03-08T00:00:00-0500", "2026-03-08T04:00:00-0400", sameAs, ""},
		{"* 2 * * *", "2026-03-08T00:00:00-0500", "2026-03-09T02:00:00-0400", "2026-03-08T03:00:00-0400 2026-03-09T02:00:00-0400", whyMinutes},
		// DST ends: wildcard jobs go on, the others are not repeated.
		{"30 1 * * *", "2026-11-01T00:00:00-0400", "2026-11-01T01:30:00-0400 2026-11-02T01:30:00-0500", sameAs, ""},
		{"30 * * * *", "2026-11-01T00:45:00-0400", "2026-11-01T01:30:00-0400 2026-11-01T01:30:00-0500 2026-11-01T02:30:00-0500", sameAs, ""},
		{"* 1 * * *", "2026-11-01T01:59:00-0400", "2026-11-01T01:00:00-0500", "2026-11-02T01:00:00-0500", whyMinutes},
		// Days: "the dom/dow situation is odd" (find_jobs).
		{"0 0 13 * 5", "2026-02-01T00:00:00-0500", "2026-02-06T00:00:00-0500 2026-02-13T00:00:00-0500 2026-02-20T00:00:00-0500", sameAs, ""},
		{"0 0 13 * 5", "2026-05-10T00:00:00-0400", "2026-05-13T00:00:00-0400 2026-05-15T00:00:00-0400", sameAs, ""},
		{"0 0 */13 * 5", "2026-02-01T00:00:00-0500", "2026-02-27T00:00:00-0500", sameAs, ""},
		{"0 0 13 * *", "2026-02-01T00:00:00-0500", "2026-02-13T00:00:00-0500", sameAs, ""},
		{"0 0 13 * */5", "2026-02-01T00:00:00-0500", "2026-02-13T00:00:00-0500 2026-03-13T00:00:00-0400", sameAs, ""},
		{"0 0 * * 7", "2026-02-01T00:00:00-0500", "2026-02-08T00:00:00-0500", sameAs, ""},
		{"0 0 * * 5-7", "2026-02-01T00:00:00-0500", "2026-02-06T00:00:00-0500 2026-02-07T00:00:00-0500 2026-02-08T00:00:00-0500", sameAs, ""},
		{"0 0 * JAN,mar mon-wed", "2026-02-01T00:00:00-0500", "2026-03-02T00:00:00-0500", sameAs, ""},
		{"@annually", "2026-02-01T00:00:00-0500", "2027-01-01T00:00:00-0500", sameAs, ""},
		{"@midnight", "2026-02-01T00:00:00-0500", "2026-02-02T00:00:00-0500", sameAs, ""},
		{"5/15 * * * *", "2026-02-01T00:00:00-0500", refused, "2026-02-01T00:05:00-0500 2026-02-01T00:20:00-0500", whyOpen},
		{"0 0 * * 6-1", "2026-02-01T00:00:00-0500", refused, sameAs, ""},
		{"*/0 * * * *", "2026-02-01T00:00:00-0500", refused, sameAs, ""},
		{"*/90 * * * *", "2026-02-01T00:00:00-0500", "2026-02-01T01:00:00-0500", refused, whyStep},
		{"0~59 * * * *", "2026-02-01T00:00:00-0500", "2026-02-01T00:17:00-0500", refused, whyRandom},
		{"@reboot", "2026-02-01T00:00:00-0500", "", refused, whyReboot},
		{"0 0 31 2 *", "2026-02-01T00:00:00-0500", "", refused, whyNever},
	} {
		v.check(t, "America/New_York")
	}
}
