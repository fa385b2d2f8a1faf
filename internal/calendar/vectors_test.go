package calendar

import (
	"os"
	"strings"
	"testing"
	"time"
)

// vector is what another scheduler publishes of one of its expressions: the times after After, in Zone.
type vector struct {
	expr  string
	after string
	want  string // theirs; empty: never, or refused
	// ours is what we have in its place; "same" where it is the same. Where it is not, why says so in a sentence of the manual.
	ours string
	why  string
}

const (
	sameAs  = "same"
	refused = "refused"
)

// The differences. Each sentence stands in the manual (TestDifferencesAreInTheManual).
const (
	whyGap      = "A fixed time that the clocks jump over is due once, at the first instant after the gap (`dst_gap: next-valid`); Quartz and Kubernetes lose it."
	whyLarge    = "cronie takes a jump of more than three hours for a clock that was set right, and loses what it jumps over; here it is a gap like any other."
	whyTwice    = "A fixed time that comes twice is due once, the first time (`dst_overlap: first`); Kubernetes runs twice, and Quartz the second time."
	whyPass     = "Where a time of each hour comes twice, both are due; Quartz is silent for the first of the two hours."
	whyMinutes  = "A wildcard minute does not make a line a wildcard: only its hour does (`*` or `*/n`). So `* 2 * * *` follows `dst_gap` and `dst_overlap`; cronie goes by both fields."
	whyOnce     = "Several times in one gap are one occurrence, because they resolve to one instant; cronie runs one after the other."
	whyStar     = "A field of days that begins with `*` is not restricted, `*/2` neither, as in cronie; for Kubernetes a step restricts, so that a day counts that fits one of the two fields."
	whyNever    = "A schedule that is never due is refused when it is applied; others take it and never run."
	whyMissed   = "Missed occurrences are counted one by one; Kubernetes guesses the last one from the distance of two, and finds none for `30 10,11,12 * * 1-5` at 16:30."
	whySunday   = "Days of the week are numbered as in cron: 0 and 7 are Sunday, 1 is Monday. Quartz counts from Sunday as 1: write `5L` for its `6L`, or `FRIL`."
	whyLoneL    = "`L` alone is refused as a day of the week; Quartz takes it for Saturday: write `6`."
	whyNoYears  = "There is no seventh field for years, as Quartz has it: `from` and `until` of the schedule say between which times it is due."
	whyStars    = "Both fields of days may be `*`, or both numbers (cron's way), and `?` is taken for `*`; Quartz wants one of them to be `?`."
	whyLists    = "`L` and `W` may stand in lists; Quartz up to 2.3 takes them only alone."
	whyOverflow = "A range does not run over its end, as in Quartz: `22-6` is written `22-23,0-6`. Only a range of weekdays may end on Sunday (`FRI-SUN`). cronie takes `6-1` for no day at all."
	whyOpen     = "`5/15` is 5 to the end of the field in steps of 15, as Quartz and Kubernetes have it; cronie refuses it."
	whyStep     = "A step that is longer than its field is refused, as in Quartz: it would only be the field's first value, as cronie and Kubernetes take it. `every` can have any length."
	whyRandom   = "A random value (`0~59` of cronie) is refused: `H` is spread over schedules, too, and stays the same."
	whyEvery    = "`@every` of Kubernetes is written `every:`, a field of its own; its grid begins at `from` and not when the server starts."
	whyReboot   = "`@reboot` is refused: who decides when a net is due does not start with the machine that it runs on."
	whyWeek     = "The n-th working day is of a month, a quarter or a year; that of a week, as the NthIncludedDayTrigger of Quartz 1.8 has it, is refused: write the weekday, and a shift."
	whyInZone   = "`CRON_TZ=` and `TZ=` do not stand in the expression: `zone` is a field of its own. Kubernetes refuses them, too; the library under it takes them."
	whyCronTZ   = "With `CRON_TZ` of a zone that its machine is not in, cronie looks at that zone's wall clock only: a missing time is lost, and one that comes twice runs twice."
)

// differences are the sentences in the order of the manual.
func differences() []string {
	return []string{
		whyGap, whyLarge, whyTwice, whyPass, whyMinutes, whyOnce, whyCronTZ, whyStar, whyNever, whyMissed, whySunday, whyLoneL, whyNoYears,
		whyStars, whyLists, whyOverflow, whyOpen, whyStep, whyRandom, whyEvery, whyReboot, whyWeek, whyInZone,
	}
}

// TestDifferencesAreInTheManual: each sentence is one line of the list in the manual, and each line of that list a sentence that a
// vector shows.
func TestDifferencesAreInTheManual(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/manual.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, found := strings.Cut(string(text), "\n**What else others mean.**")
	if !found {
		t.Fatal("the manual has no paragraph «What else others mean»")
	}
	list, _, _ = strings.Cut(list, "\n## ")
	told := map[string]bool{}
	for line := range strings.SplitSeq(list, "\n") {
		if sentence, ok := strings.CutPrefix(line, "- "); ok {
			told[sentence] = true
		}
	}
	for _, sentence := range differences() {
		if !told[sentence] {
			t.Errorf("the manual does not say: %s", sentence)
		}
		delete(told, sentence)
	}
	for sentence := range told {
		t.Errorf("no vector shows what the manual says: %s", sentence)
	}
	shown := map[string]bool{whyMissed: true, whyWeek: true} // in TestVectorsKubernetesMissed and TestVectorsQuartzIncludedDays
	for _, table := range vectors() {
		for _, v := range table.rows {
			shown[v.why] = true
		}
	}
	for _, sentence := range differences() {
		if !shown[sentence] {
			t.Errorf("no vector shows: %s", sentence)
		}
	}
	for sentence := range shown {
		if sentence != "" && !strings.Contains(strings.Join(differences(), "\n"), sentence) {
			t.Errorf("not in the list of differences: %s", sentence)
		}
	}
}

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

// vectorTable is what one file of another scheduler shows, in one zone.
type vectorTable struct {
	source, zone string
	rows         []vector
}

func vectors() []vectorTable {
	var all []vectorTable
	for _, of := range [][]vectorTable{vectorsRobfig(), vectorsKubernetes(), vectorsQuartz(), vectorsCronie()} {
		all = append(all, of...)
	}
	return all
}

func TestVectors(t *testing.T) {
	t.Parallel()
	for _, table := range vectors() {
		t.Run(table.source, func(t *testing.T) {
			t.Parallel()
			for _, v := range table.rows {
				v.check(t, table.zone)
			}
		})
	}
}

// vectorsRobfig are those of github.com/robfig/cron/v3, v3.0.1, which the CronJobs of Kubernetes parse and compute with. A row of
// «not at this time» is here what comes in its place.
func vectorsRobfig() []vectorTable {
	return []vectorTable{
		{"robfig/cron spec_test.go TestActivation", "America/New_York", []vector{
			{"0/15 * * * *", "2012-07-09T14:59:59", "2012-07-09T15:00:00", sameAs, ""},
			{"0/15 * * * *", "2012-07-09T15:44:59", "2012-07-09T15:45:00", sameAs, ""},
			{"0/15 * * * *", "2012-07-09T15:39:59", "2012-07-09T15:45:00", sameAs, ""},
			{"5/15 * * * *", "2012-07-09T15:04:59", "2012-07-09T15:05:00 2012-07-09T15:20:00 2012-07-09T15:35:00 2012-07-09T15:50:00", sameAs, ""},
			{"0/15 * * Jul *", "2012-07-15T14:59:59", "2012-07-15T15:00:00", sameAs, ""},
			{"0/15 * * Jun *", "2012-07-15T14:59:59", "2013-06-01T00:00:00", sameAs, ""},
			{"30 08 ? Jul Sun", "2012-07-15T08:29:59", "2012-07-15T08:30:00 2012-07-22T08:30:00", sameAs, ""},
			{"30 08 15 Jul ?", "2012-07-15T08:29:59", "2012-07-15T08:30:00 2013-07-15T08:30:00", sameAs, ""},
			{"30 08 ? Jul Sun", "2012-07-16T08:29:59", "2012-07-22T08:30:00", sameAs, ""},
			{"30 08 15 Jul ?", "2012-07-16T08:29:59", "2013-07-15T08:30:00", sameAs, ""},
			{"@hourly", "2012-07-09T14:59:59", "2012-07-09T15:00:00 2012-07-09T16:00:00", sameAs, ""},
			{"@hourly", "2012-07-09T15:03:59", "2012-07-09T16:00:00", sameAs, ""},
			{"@daily", "2012-07-09T14:59:59", "2012-07-10T00:00:00", sameAs, ""},
			{"@daily", "2012-07-08T23:59:59", "2012-07-09T00:00:00", sameAs, ""},
			{"@weekly", "2012-07-08T23:59:59", "2012-07-15T00:00:00", sameAs, ""},
			{"@weekly", "2012-07-07T23:59:59", "2012-07-08T00:00:00 2012-07-15T00:00:00", sameAs, ""},
			{"@monthly", "2012-07-07T23:59:59", "2012-08-01T00:00:00", sameAs, ""},
			{"@monthly", "2012-06-30T23:59:59", "2012-07-01T00:00:00 2012-08-01T00:00:00", sameAs, ""},
			{"* * 1,15 * Sun", "2012-07-14T23:59:59", "2012-07-15T00:00:00", sameAs, ""},
			{"* * 1,15 * Sun", "2012-06-14T23:59:59", "2012-06-15T00:00:00", sameAs, ""},
			{"* * 1,15 * Sun", "2012-07-31T23:59:59", "2012-08-01T00:00:00", sameAs, ""},
			{"* * */10 * Sun", "2012-07-14T23:59:59", "2012-07-15T00:00:00", "2012-10-21T00:00:00", whyStar},
			{"* * * * Mon", "2012-07-14T23:59:59", "2012-07-16T00:00:00", sameAs, ""},
			{"* * 1,15 * *", "2012-07-08T23:59:59", "2012-07-15T00:00:00", sameAs, ""},
			{"* * 1,15 * *", "2012-07-14T23:59:59", "2012-07-15T00:00:00", sameAs, ""},
			{"* * */2 * Sun", "2012-07-14T23:59:59", "2012-07-15T00:00:00", sameAs, ""},
		}},
		{"robfig/cron spec_test.go TestNext", "America/New_York", []vector{
			{"0 0/15 * * * *", "2012-07-09T14:45:00", "2012-07-09T15:00:00", sameAs, ""},
			{"0 0/15 * * * *", "2012-07-09T14:59:00", "2012-07-09T15:00:00", sameAs, ""},
			{"0 0/15 * * * *", "2012-07-09T14:59:59", "2012-07-09T15:00:00", sameAs, ""},
			{"0 20-35/15 * * * *", "2012-07-09T15:45:00", "2012-07-09T16:20:00", sameAs, ""},
			{"0 */15 * * * *", "2012-07-09T23:46:00", "2012-07-10T00:00:00", sameAs, ""},
			{"0 20-35/15 * * * *", "2012-07-09T23:45:00", "2012-07-10T00:20:00", sameAs, ""},
			{"15/35 20-35/15 * * * *", "2012-07-09T23:35:51", "2012-07-10T00:20:15", sameAs, ""},
			{"15/35 20-35/15 1/2 * * *", "2012-07-09T23:35:51", "2012-07-10T01:20:15", sameAs, ""},
			{"15/35 20-35/15 10-12 * * *", "2012-07-09T23:35:51", "2012-07-10T10:20:15", sameAs, ""},
			{"15/35 20-35/15 1/2 */2 * *", "2012-07-09T23:35:51", "2012-07-11T01:20:15", sameAs, ""},
			{"15/35 20-35/15 * 9-20 * *", "2012-07-09T23:35:51", "2012-07-10T00:20:15", sameAs, ""},
			{"15/35 20-35/15 * 9-20 Jul *", "2012-07-09T23:35:51", "2012-07-10T00:20:15", sameAs, ""},
			{"0 0 0 9 Apr-Oct ?", "2012-07-09T23:35:00", "2012-08-09T00:00:00", sameAs, ""},
			{"0 0 0 */5 Apr,Aug,Oct Mon", "2012-07-09T23:35:00", "2012-08-01T00:00:00", "2012-08-06T00:00:00", whyStar},
			{"0 0 0 */5 Oct Mon", "2012-07-09T23:35:00", "2012-10-01T00:00:00", sameAs, ""},
			{"0 0 0 * Feb Mon", "2012-07-09T23:35:00", "2013-02-04T00:00:00", sameAs, ""},
			{"0 0 0 * Feb Mon/2", "2012-07-09T23:35:00", "2013-02-01T00:00:00", sameAs, ""},
			{"0 * * * * *", "2012-12-31T23:59:45", "2013-01-01T00:00:00", sameAs, ""},
			{"0 0 0 29 Feb ?", "2012-07-09T23:35:00", "2016-02-29T00:00:00", sameAs, ""},
			{"0 30 2 11 Mar ?", "2012-03-11T00:00:00-0500", "2013-03-11T02:30:00-0400", "2012-03-11T03:00:00-0400 2013-03-11T02:30:00-0400", whyGap},
			{"0 0 * * * ?", "2012-03-11T00:00:00-0500", "2012-03-11T01:00:00-0500 2012-03-11T03:00:00-0400 2012-03-11T04:00:00-0400 2012-03-11T05:00:00-0400", sameAs, ""},
			{"CRON_TZ=America/New_York 0 0 * * * ?", "2012-03-11T00:00:00-0500", "2012-03-11T01:00:00-0500 2012-03-11T03:00:00-0400", refused, whyInZone},
			{"0 0 1 * * ?", "2012-03-11T00:00:00-0500", "2012-03-11T01:00:00-0500 2012-03-12T01:00:00-0400", sameAs, ""},
			{"0 0 2 * * ?", "2012-03-11T00:00:00-0500", "2012-03-12T02:00:00-0400", "2012-03-11T03:00:00-0400 2012-03-12T02:00:00-0400", whyGap},
			{"0 30 2 04 Nov ?", "2012-11-04T00:00:00-0400", "2012-11-04T02:30:00-0500", sameAs, ""},
			{"0 30 1 04 Nov ?", "2012-11-04T01:45:00-0400", "2012-11-04T01:30:00-0500", "2013-11-04T01:30:00-0500", whyTwice},
			{"0 0 * * * ?", "2012-11-04T00:00:00-0400", "2012-11-04T01:00:00-0400 2012-11-04T01:00:00-0500 2012-11-04T02:00:00-0500", sameAs, ""},
			{"0 0 1 * * ?", "2012-11-04T00:00:00-0400", "2012-11-04T01:00:00-0400 2012-11-04T01:00:00-0500 2012-11-05T01:00:00-0500", "2012-11-04T01:00:00-0400 2012-11-05T01:00:00-0500", whyTwice},
			{"0 0 2 * * ?", "2012-11-04T00:00:00-0400", "2012-11-04T02:00:00-0500 2012-11-05T02:00:00-0500", sameAs, ""},
			{"0 0 3 * * ?", "2012-11-04T00:00:00-0400", "2012-11-04T03:00:00-0500 2012-11-05T03:00:00-0500", sameAs, ""},
			{"0 0 3 3 * ?", "2012-11-04T00:00:00-0400", "2012-12-03T03:00:00-0500", sameAs, ""},
			{"0 0 0 30 Feb ?", "2012-07-09T23:35:00", "", refused, whyNever},
			{"0 0 0 31 Apr ?", "2012-07-09T23:35:00", "", refused, whyNever},
		}},
		{"robfig/cron spec_test.go TestNext, midnight is missing", "America/Sao_Paulo", []vector{
			{"0 0 9 10 * ?", "2018-10-17T05:00:00-0400", "2018-11-10T09:00:00-0200", sameAs, ""},
			{"0 0 9 22 * ?", "2018-02-14T05:00:00-0500", "2018-02-22T09:00:00-0300", sameAs, ""},
		}},
		{"robfig/cron spec_test.go TestNextWithTz", "Asia/Kolkata", []vector{
			{"14 14 * * *", "2016-01-03T13:09:03+0530", "2016-01-03T14:14:00+0530", sameAs, ""},
			{"14 14 * * ?", "2016-01-03T04:09:03+0530", "2016-01-03T14:14:00+0530", sameAs, ""},
			{"14 14 * * *", "2016-01-03T14:09:03+0530", "2016-01-03T14:14:00+0530", sameAs, ""},
			{"14 14 * * ?", "2016-01-03T14:00:00+0530", "2016-01-03T14:14:00+0530", sameAs, ""},
		}},
		{"robfig/cron spec_test.go TestErrors, TestSlash0NoHang", "UTC", []vector{
			{"xyz", "", refused, sameAs, ""},
			{"60 0 * * *", "", refused, sameAs, ""},
			{"0 60 * * *", "", refused, sameAs, ""},
			{"0 0 * * XYZ", "", refused, sameAs, ""},
			{"15/0 * * * *", "", refused, sameAs, ""},
		}},
		// Its ranges have bounds of their own; here they stand in the field that has such an end.
		{"robfig/cron parser_test.go TestRange, TestField", "UTC", []vector{
			{"0 0 * * 5", "2012-07-09T00:00:00", "2012-07-13T00:00:00 2012-07-20T00:00:00", sameAs, ""},
			{"0 0 * * 0", "2012-07-09T00:00:00", "2012-07-15T00:00:00 2012-07-22T00:00:00", sameAs, ""},
			{"5-5 0 * * *", "2012-07-09T00:00:00", "2012-07-09T00:05:00 2012-07-10T00:05:00", sameAs, ""},
			{"5-6 0 * * *", "2012-07-09T00:00:00", "2012-07-09T00:05:00 2012-07-09T00:06:00 2012-07-10T00:05:00", sameAs, ""},
			{"5-7 0 * * *", "2012-07-09T00:00:00", "2012-07-09T00:05:00 2012-07-09T00:06:00 2012-07-09T00:07:00 2012-07-10T00:05:00", sameAs, ""},
			{"5-6/2 0 * * *", "2012-07-09T00:00:00", "2012-07-09T00:05:00 2012-07-10T00:05:00", sameAs, ""},
			{"5-7/2 0 * * *", "2012-07-09T00:00:00", "2012-07-09T00:05:00 2012-07-09T00:07:00 2012-07-10T00:05:00", sameAs, ""},
			{"5-7/1 0 * * *", "2012-07-09T00:00:00", "2012-07-09T00:05:00 2012-07-09T00:06:00 2012-07-09T00:07:00 2012-07-10T00:05:00", sameAs, ""},
			{"1,5-7/2,3 0 * * *", "2012-07-09T00:00:00", "2012-07-09T00:01:00 2012-07-09T00:03:00 2012-07-09T00:05:00 2012-07-09T00:07:00 2012-07-10T00:01:00", sameAs, ""},
			{"5--5 * * * *", "", refused, sameAs, ""},
			{"0 0 1 jan-x *", "", refused, sameAs, ""},
			{"2-x * * * *", "", refused, sameAs, ""},
			{"*/-12 * * * *", "", refused, sameAs, ""},
			{"*//2 * * * *", "", refused, sameAs, ""},
			{"0 0 0 * *", "", refused, sameAs, ""},
			{"0 0 32 * *", "", refused, sameAs, ""},
			{"5-3 * * * *", "", refused, sameAs, ""},
			{"*/0 * * * *", "", refused, sameAs, ""},
		}},
		{"robfig/cron parser_test.go TestParseSchedule and its errors", "UTC", []vector{
			{"0 5 * * * *", "2012-07-09T00:05:00", "2012-07-09T01:05:00", sameAs, ""},
			{"5 * * * *", "2012-07-09T00:05:00", "2012-07-09T01:05:00", sameAs, ""},
			{"5 5 * * * *", "2012-07-09T00:05:00", "2012-07-09T00:05:05", sameAs, ""},
			{"* 5 * * * *", "2012-07-09T00:05:00", "2012-07-09T00:05:01 2012-07-09T00:05:02", sameAs, ""},
			{"CRON_TZ=UTC  5 * * * *", "2012-07-09T00:05:00", "2012-07-09T01:05:00", refused, whyInZone},
			{"TZ=Asia/Tokyo @midnight", "2012-07-09T00:05:00", "2012-07-09T15:00:00", refused, whyInZone},
			{"@midnight", "2012-07-09T00:05:00", "2012-07-10T00:00:00", sameAs, ""},
			{"@yearly", "2012-07-09T00:05:00", "2013-01-01T00:00:00", sameAs, ""},
			{"@annually", "2012-07-09T00:05:00", "2013-01-01T00:00:00", sameAs, ""},
			{"@every 5m", "2012-07-09T00:05:00", "2012-07-09T00:10:00", refused, whyEvery},
			{"* 5 j * * *", "", refused, sameAs, ""},
			{"5 j * * *", "", refused, sameAs, ""},
			{"@every Xm", "", refused, sameAs, ""},
			{"@unrecognized", "", refused, sameAs, ""},
			{"* * * *", "", refused, sameAs, ""},
			{"", "", refused, sameAs, ""},
		}},
	}
}

// vectorsKubernetes are those of kubernetes/kubernetes that are about what comes next.
func vectorsKubernetes() []vectorTable {
	return []vectorTable{
		{"kubernetes pkg/controller/cronjob/utils_test.go TestNextScheduleTimeDuration", "UTC", []vector{
			{"30 6-16/4 * * 1-5", "2016-05-20T10:31:00", "2016-05-20T14:30:00", sameAs, ""},
			{"30 10,11,12 * * 1-5", "2016-05-20T16:30:00", "2016-05-23T10:30:00", sameAs, ""},
			{"0 12 * * 4", "2016-06-07T11:30:00", "2016-06-09T12:00:00", sameAs, ""},
			{"0 12 * * 5", "2016-05-19T16:00:00", "2016-05-20T12:00:00", sameAs, ""},
		}},
		{"kubernetes pkg/controller/cronjob/utils_test.go TestNextScheduleTime", "UTC", []vector{
			{"0 * * * ?", "2016-05-19T09:50:00", "2016-05-19T10:00:00 2016-05-19T11:00:00", sameAs, ""},
			{"59 23 31 2 *", "2016-05-19T10:00:10", "", refused, whyNever},
		}},
		{"kubernetes pkg/apis/batch/validation/validation_test.go TestValidateCronJob", "UTC", []vector{
			{"* * * * ?", "2016-05-19T10:00:00", "2016-05-19T10:01:00", sameAs, ""},
			{"0 * * * *", "2016-05-19T10:00:00", "2016-05-19T11:00:00", sameAs, ""},
			{"error", "", refused, sameAs, ""},
			{"", "", refused, sameAs, ""},
			{"TZ=UTC 0 * * * *", "", refused, sameAs, ""},
		}},
	}
}

// TestVectorsKubernetesMissed are those of kubernetes/kubernetes, pkg/controller/cronjob/utils_test.go, TestMostRecentScheduleTime: the
// last time that was due from earliest (their expectedEarliestTime) until now. Whether many were missed is a word there (more than
// 100, and a warning); here each is counted.
func TestVectorsKubernetesMissed(t *testing.T) {
	t.Parallel()
	for _, v := range []struct {
		name, cron                string
		every                     time.Duration
		earliest, now, want, ours string
		missed                    int64
	}{
		{"now before next schedule", "0 * * * *", 0, "10:00:00", "10:00:30", "", sameAs, 0},
		{"now just after next schedule", "0 * * * *", 0, "10:00:00", "11:01:00", "2016-05-19T11:00:00Z", sameAs, 1},
		{"missed 5 schedules", "0 * * * *", 0, "10:00:10", "15:01:00", "2016-05-19T15:00:00Z", sameAs, 5},
		{"complex schedule", "30 6-16/4 * * 1-5", 0, "10:30:00", "34:31:00", "2016-05-20T10:30:00Z", sameAs, 3},
		{"another complex schedule", "30 10,11,12 * * 1-5", 0, "10:30:00", "40:30:00", "", "2016-05-20T12:30:00Z", 5}, // whyMissed
		{"longer diff between executions", "30 6-16/4 * * 1-5", 0, "10:30:00", "106:31:00", "2016-05-23T10:30:00Z", sameAs, 6},
		{"shorter diff between executions", "30 6-16/4 * * 1-5", 0, "10:00:00", "34:31:00", "2016-05-20T10:30:00Z", sameAs, 4},
		{"@every schedule", "", time.Hour, "10:01:00", "178:00:00", "2016-05-26T09:01:00Z", sameAs, 167},
		{"earliest is creation and last schedule", "0 * * * *", 0, "10:00:00", "10:00:30", "", sameAs, 0},
		{"earliest is last schedule", "*/5 * * * *", 0, "10:30:00", "10:31:00", "", sameAs, 0},
		{"within the starting deadline", "*/5 * * * *", 0, "10:30:00", "10:31:00", "", sameAs, 0},
		{"outside the starting deadline", "*/5 * * * *", 0, "10:31:00", "10:32:00", "", sameAs, 0},
	} {
		day := at(t, "2016-05-19T00:00:00Z")
		hours := func(text string) time.Time {
			h, rest, _ := strings.Cut(text, ":")
			d, err := time.ParseDuration(h + "h" + strings.Replace(rest, ":", "m", 1) + "s")
			if err != nil {
				t.Fatal(err)
			}
			return day.Add(d)
		}
		earliest, now := hours(v.earliest), hours(v.now)
		r := compiled(t, func(s *Schedule) {
			s.Cron, s.Every = v.cron, v.every
			if v.every > 0 {
				s.From = earliest.Format(time.RFC3339)
			}
		})
		want := v.ours
		if want == sameAs {
			want = v.want
		}
		got := ""
		for o := range r.Between(earliest, now) {
			got = o.Due.UTC().Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("%s: the last one is %q, want %q", v.name, got, want)
		}
		if n := r.Count(earliest, now); n.All != v.missed {
			t.Errorf("%s: counted %d, want %d", v.name, n.All, v.missed)
		}
	}
}

// TestVectorsKubernetesZones are the zones of kubernetes/kubernetes, pkg/apis/batch/validation/validation_test.go,
// TestValidateCronJob. There an empty zone is refused, too; here it is UTC, as a schedule without a zone.
func TestVectorsKubernetesZones(t *testing.T) {
	t.Parallel()
	for zone, taken := range map[string]bool{
		"UTC": true, "Europe/Rome": true, "LOCAL": false, " Europe/Rome": false, "Europe/Rome ": false, "Europe/InvalidRome": false, " ": false,
	} {
		s := DefaultSchedule()
		s.Name, s.Cron, s.Zone = "s", "0 * * * *", zone
		if _, problems := NewCompiler(Builtin(), nil).Compile("n", s); (len(problems) == 0) != taken {
			t.Errorf("%q is taken: got %v (%v), want %v", zone, len(problems) == 0, problems, taken)
		}
	}
}

// vectorsCronie are what the sources of cronie do; it has no tests. cronie-crond/cronie: src/cron.c (the loop of main, find_jobs,
// set_time), src/entry.c (load_entry, get_range), man/cron.8 ("Daylight Saving Time and other time changes"), man/crontab.5. That
// crontab.5 says of missing times that they never match is older than the loop: cron.8 and the source agree with these rows.
func vectorsCronie() []vectorTable {
	return []vectorTable{
		{"cronie src/cron.c main, DST begins", "America/New_York", []vector{
			// fixed-time jobs of the minutes that were jumped over run at once; with * at the beginning of minute or hour they do not
			{"30 2 * * *", "2026-03-08T00:00:00-0500", "2026-03-08T03:00:00-0400 2026-03-09T02:30:00-0400", sameAs, ""},
			{"0,30 2 * * *", "2026-03-08T00:00:00-0500", "2026-03-08T03:00:00-0400 2026-03-08T03:00:00-0400 2026-03-09T02:00:00-0400", "2026-03-08T03:00:00-0400 2026-03-09T02:00:00-0400", whyOnce},
			{"0 * * * *", "2026-03-08T00:00:00-0500", "2026-03-08T01:00:00-0500 2026-03-08T03:00:00-0400", sameAs, ""},
			{"0 */2 * * *", "2026-03-08T00:00:00-0500", "2026-03-08T04:00:00-0400", sameAs, ""},
			{"* 2 * * *", "2026-03-08T00:00:00-0500", "2026-03-09T02:00:00-0400", "2026-03-08T03:00:00-0400 2026-03-09T02:00:00-0400", whyMinutes},
		}},
		{"cronie src/cron.c main, DST ends", "America/New_York", []vector{
			// wildcard jobs go on, the others are not repeated
			{"30 1 * * *", "2026-11-01T00:00:00-0400", "2026-11-01T01:30:00-0400 2026-11-02T01:30:00-0500", sameAs, ""},
			{"30 * * * *", "2026-11-01T00:45:00-0400", "2026-11-01T01:30:00-0400 2026-11-01T01:30:00-0500 2026-11-01T02:30:00-0500", sameAs, ""},
			{"* 1 * * *", "2026-11-01T01:59:00-0400", "2026-11-01T01:00:00-0500", "2026-11-02T01:00:00-0500", whyMinutes},
		}},
		{"cronie src/cron.c main, a jump of less than an hour", "Australia/Lord_Howe", []vector{
			{"10 2 * * *", "2026-10-04T00:00:00+1030", "2026-10-04T02:30:00+1100 2026-10-05T02:10:00+1100", sameAs, ""},
			{"40 1 * * *", "2026-04-05T00:00:00+1100", "2026-04-05T01:40:00+1100 2026-04-06T01:40:00+1030", sameAs, ""},
		}},
		{"cronie src/cron.c main, a jump of more than three hours", "Pacific/Apia", []vector{
			{"0 12 * * *", "2011-12-29T12:00:00-1000", "2011-12-31T12:00:00+1400", "2011-12-31T00:00:00+1400 2011-12-31T12:00:00+1400", whyLarge},
		}},
		{"cronie src/cron.c find_jobs, CRON_TZ=America/New_York on a machine in UTC", "America/New_York", []vector{
			{"30 2 * * *", "2026-03-08T00:00:00-0500", "2026-03-09T02:30:00-0400", "2026-03-08T03:00:00-0400 2026-03-09T02:30:00-0400", whyCronTZ},
			{"30 1 * * *", "2026-11-01T00:00:00-0400", "2026-11-01T01:30:00-0400 2026-11-01T01:30:00-0500", "2026-11-01T01:30:00-0400 2026-11-02T01:30:00-0500", whyCronTZ},
		}},
		{"cronie src/cron.c find_jobs, days", "America/New_York", []vector{
			{"0 0 13 * 5", "2026-02-01T00:00:00-0500", "2026-02-06T00:00:00-0500 2026-02-13T00:00:00-0500 2026-02-20T00:00:00-0500", sameAs, ""},
			{"0 0 13 * 5", "2026-05-10T00:00:00-0400", "2026-05-13T00:00:00-0400 2026-05-15T00:00:00-0400", sameAs, ""},
			{"0 0 */13 * 5", "2026-02-01T00:00:00-0500", "2026-02-27T00:00:00-0500", sameAs, ""},
			{"0 0 13 * *", "2026-02-01T00:00:00-0500", "2026-02-13T00:00:00-0500", sameAs, ""},
			{"0 0 13 * */5", "2026-02-01T00:00:00-0500", "2026-02-13T00:00:00-0500 2026-03-13T00:00:00-0400", sameAs, ""},
			{"0 0 * * 7", "2026-02-01T00:00:00-0500", "2026-02-08T00:00:00-0500", sameAs, ""},
			{"* * 1,15 * Sun", "2026-01-31T23:59:00-0500", "2026-02-01T00:00:00-0500", sameAs, ""},
			{"* * 1,15 * *", "2026-02-01T23:59:00-0500", "2026-02-15T00:00:00-0500", sameAs, ""},
		}},
		{"cronie man/crontab.5", "America/New_York", []vector{
			{"30 4 1,15 * 5", "2026-02-01T00:00:00-0500", "2026-02-01T04:30:00-0500 2026-02-06T04:30:00-0500 2026-02-13T04:30:00-0500 2026-02-15T04:30:00-0500", sameAs, ""},
			{"0 8-11 * * *", "2026-02-01T00:00:00-0500", "2026-02-01T08:00:00-0500 2026-02-01T09:00:00-0500 2026-02-01T10:00:00-0500 2026-02-01T11:00:00-0500 2026-02-02T08:00:00-0500", sameAs, ""},
			{"5 0 * * *", "2026-02-01T00:00:00-0500", "2026-02-01T00:05:00-0500", sameAs, ""},
			{"15 14 1 * *", "2026-02-01T00:00:00-0500", "2026-02-01T14:15:00-0500 2026-03-01T14:15:00-0500", sameAs, ""},
			{"0 22 * * 1-5", "2026-02-01T00:00:00-0500", "2026-02-02T22:00:00-0500", sameAs, ""},
			{"23 0-23/2 * * *", "2026-02-01T00:00:00-0500", "2026-02-01T00:23:00-0500 2026-02-01T02:23:00-0500", sameAs, ""},
			{"5 4 * * sun", "2026-02-01T00:00:00-0500", "2026-02-01T04:05:00-0500 2026-02-08T04:05:00-0500", sameAs, ""},
			{"0 0 * jan-mar mon,wed,fri", "2026-03-27T12:00:00-0400", "2026-03-30T00:00:00-0400 2027-01-01T00:00:00-0500", sameAs, ""},
			{"@yearly", "2026-02-01T00:00:00-0500", "2027-01-01T00:00:00-0500", sameAs, ""},
			{"@annually", "2026-02-01T00:00:00-0500", "2027-01-01T00:00:00-0500", sameAs, ""},
			{"@monthly", "2026-02-01T00:00:00-0500", "2026-03-01T00:00:00-0500", sameAs, ""},
			{"@weekly", "2026-02-01T00:00:00-0500", "2026-02-08T00:00:00-0500", sameAs, ""},
			{"@daily", "2026-02-01T00:00:00-0500", "2026-02-02T00:00:00-0500", sameAs, ""},
			{"@midnight", "2026-02-01T00:00:00-0500", "2026-02-02T00:00:00-0500", sameAs, ""},
			{"@hourly", "2026-02-01T00:00:00-0500", "2026-02-01T01:00:00-0500", sameAs, ""},
			{"@reboot", "2026-02-01T00:00:00-0500", "", refused, whyReboot},
			{"6~15 * * * *", "2026-02-01T00:00:00-0500", "2026-02-01T00:10:00-0500", refused, whyRandom},
			{"~ * * * *", "2026-02-01T00:00:00-0500", "2026-02-01T00:17:00-0500", refused, whyRandom},
		}},
		{"cronie src/entry.c get_range", "America/New_York", []vector{
			{"0 0 * * 5-7", "2026-02-01T00:00:00-0500", "2026-02-06T00:00:00-0500 2026-02-07T00:00:00-0500 2026-02-08T00:00:00-0500", sameAs, ""},
			{"0 0 * * fri-sun", "2026-02-01T00:00:00-0500", "2026-02-06T00:00:00-0500 2026-02-07T00:00:00-0500 2026-02-08T00:00:00-0500", sameAs, ""},
			{"0 0 * JAN,mar mon-wed", "2026-02-01T00:00:00-0500", "2026-03-02T00:00:00-0500", sameAs, ""},
			{"5/15 * * * *", "2026-02-01T00:00:00-0500", refused, "2026-02-01T00:05:00-0500 2026-02-01T00:20:00-0500", whyOpen},
			{"0 0 * * 6-1", "2026-02-01T00:00:00-0500", "", refused, whyOverflow},
			{"*/0 * * * *", "", refused, sameAs, ""},
			{"*/90 * * * *", "2026-02-01T00:00:00-0500", "2026-02-01T01:00:00-0500", refused, whyStep},
			{"60 * * * *", "", refused, sameAs, ""},
			{"* 24 * * *", "", refused, sameAs, ""},
			{"* * 0 * *", "", refused, sameAs, ""},
			{"* * * 13 *", "", refused, sameAs, ""},
			{"* * * * 8", "", refused, sameAs, ""},
			{"5- * * * *", "", refused, sameAs, ""},
			{"0 0 31 2 *", "2026-02-01T00:00:00-0500", "", refused, whyNever},
		}},
	}
}
