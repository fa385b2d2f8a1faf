package calendar

import (
	"strings"
	"testing"
	"time"
)

// vectorsQuartz are those of quartz-scheduler/quartz. Where its rows have a seventh field for one year, it is left out here.
func vectorsQuartz() []vectorTable {
	const start = "2010-10-01T00:00:00"
	return []vectorTable{
		// Also documentation/quartz-2.x/tutorials/crontrigger.md of quartz-scheduler/quartz-scheduler.org-site.
		{"quartz CronTrigger Tutorial, Examples", "Europe/Zurich", []vector{
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
			{"0 15 10 ? * 6L", start, "2010-10-29T10:15:00", "2010-10-30T10:15:00", whySunday},
			{"0 15 10 ? * 6L 2002-2005", start, "", refused, whyNoYears},
			{"0 15 10 ? * 6#3", start, "2010-10-15T10:15:00", "2010-10-16T10:15:00", whySunday},
			{"0 0 12 1/5 * ?", start, "2010-10-01T12:00:00 2010-10-06T12:00:00", sameAs, ""},
			{"0 11 11 11 11 ?", start, "2010-11-11T11:11:00 2011-11-11T11:11:00", sameAs, ""},
		}},
		{"quartz CronTrigger Tutorial, Format and special characters", "Europe/Zurich", []vector{
			{"* * * * ? *", start, refused, sameAs, ""}, // a slip of the tutorial: the ? is in the field of the month
			{"0/5 14,18,3-39,52 * ? JAN,MAR,SEP MON-FRI 2002-2010", start, "", refused, whyNoYears},
			{"0/15 * * * * ?", start, "2010-10-01T00:00:15 2010-10-01T00:00:30 2010-10-01T00:00:45", sameAs, ""},
			{"5/15 * * * * ?", start, "2010-10-01T00:00:05 2010-10-01T00:00:20 2010-10-01T00:00:35 2010-10-01T00:00:50", sameAs, ""},
			{"0 0 0 1/3 * ?", start, "2010-10-04T00:00:00 2010-10-07T00:00:00", sameAs, ""},
			{"0 0 12 ? * L", start, "2010-10-02T12:00:00", refused, whyLoneL},
			{"0 0 0 15W * ?", "2010-08-01T00:00:00", "2010-08-16T00:00:00 2010-09-15T00:00:00 2010-10-15T00:00:00", sameAs, ""}, // 15 August is a Sunday
			{"0 0 0 15W * ?", "2011-01-01T00:00:00", "2011-01-14T00:00:00", sameAs, ""},                                         // 15 January is a Saturday
			{"0 0 0 1W * ?", "2010-04-30T00:00:00", "2010-05-03T00:00:00 2010-06-01T00:00:00", sameAs, ""},                      // 1 May is a Saturday: not in the month before
			{"0 0 0 LW * ?", start, "2010-10-29T00:00:00 2010-11-30T00:00:00", sameAs, ""},
			{"0 15 10 ? * FRI#3", start, "2010-10-15T10:15:00 2010-11-19T10:15:00", sameAs, ""},
			{"0 0 0 ? * MON#1", start, "2010-10-04T00:00:00", sameAs, ""},
			{"0 0 0 ? * WED#5", start, "2010-12-29T00:00:00 2011-03-30T00:00:00", sameAs, ""}, // a month without a fifth one has none
			{"0 15 10 ? * fril", start, "2010-10-29T10:15:00 2010-11-26T10:15:00", sameAs, ""},
		}},
		{"quartz docs/tutorials/tutorial-lesson-06.md", "Europe/Zurich", []vector{
			{"0 0 12 ? * WED", start, "2010-10-06T12:00:00", sameAs, ""},
			{"0 0 12 ? * MON-WED,SAT", start, "2010-10-02T12:00:00 2010-10-04T12:00:00 2010-10-05T12:00:00 2010-10-06T12:00:00 2010-10-09T12:00:00", sameAs, ""},
			{"0 3/20 * * * ?", start, "2010-10-01T00:03:00 2010-10-01T00:23:00 2010-10-01T00:43:00 2010-10-01T01:03:00", sameAs, ""},
			{"0 */35 * * * ?", start, "2010-10-01T00:35:00 2010-10-01T01:00:00 2010-10-01T01:35:00", sameAs, ""},
			{"0 0/5 * * * ?", start, "2010-10-01T00:05:00", sameAs, ""},
			{"10 0/5 * * * ?", start, "2010-10-01T00:00:10 2010-10-01T00:05:10", sameAs, ""},
			{"0 30 10-13 ? * WED,FRI", start, "2010-10-01T10:30:00 2010-10-01T11:30:00 2010-10-01T12:30:00 2010-10-01T13:30:00 2010-10-06T10:30:00", sameAs, ""},
			{"0 0/30 8-9 5,20 * ?", start, "2010-10-05T08:00:00 2010-10-05T08:30:00 2010-10-05T09:00:00 2010-10-05T09:30:00 2010-10-20T08:00:00", sameAs, ""},
			{"0 0/2 8-17 * * ?", "2010-10-01T17:56:00", "2010-10-01T17:58:00 2010-10-02T08:00:00", sameAs, ""},
			{"0 42 10 ? * WED", start, "2010-10-06T10:42:00", sameAs, ""},
		}},
		{"quartz CronExpressionTest.java testIsSatisfiedBy", "Europe/Zurich", []vector{
			{"0 15 10 * * ?", "2005-05-31T12:00:00", "2005-06-01T10:15:00", sameAs, ""},
			{"0 15 10 * * ?", "2005-02-27T12:00:00", "2005-02-28T10:15:00 2005-03-01T10:15:00", sameAs, ""},
			{"0 15 10 12 * ?", "2005-12-01T00:00:00", "2005-12-12T10:15:00", sameAs, ""},
			{"0 15 10 * * ? 2005 *", start, refused, sameAs, ""}, // testTooManyTokens
		}},
		{"quartz CronExpressionTest.java testIsSatisfiedByLastDayOfMonth, WithOffset", "Europe/Zurich", []vector{
			{"0 15 10 L * ?", "2005-12-01T00:00:00", "2005-12-31T10:15:00", sameAs, ""},
			{"0 15 10 L * ?", "2005-09-01T00:00:00", "2005-09-30T10:15:00", sameAs, ""},
			{"0 15 10 L 2 ?", "2005-01-01T00:00:00", "2005-02-28T10:15:00", sameAs, ""},
			{"0 15 10 L 2 ?", "2004-01-01T00:00:00", "2004-02-29T10:15:00", sameAs, ""},
			{"0 15 10 L-2 * ?", "2005-12-01T00:00:00", "2005-12-29T10:15:00", sameAs, ""},
			{"0 15 10 L-1 * ?", "2005-09-01T00:00:00", "2005-09-29T10:15:00", sameAs, ""},
			{"0 15 10 L-3 2 ?", "2005-01-01T00:00:00", "2005-02-25T10:15:00", sameAs, ""},
			{"0 15 10 L-3 2 ?", "2000-01-01T00:00:00", "2000-02-26T10:15:00", sameAs, ""},
		}},
		{"quartz CronExpressionTest.java testLastDayOffset", "Europe/Zurich", []vector{
			{"0 15 10 L-2 * ?", start, "2010-10-29T10:15:00", sameAs, ""},
			{"0 15 10 L-2 * ?", "2010-02-01T00:00:00", "2010-02-26T10:15:00", sameAs, ""},
			{"0 15 10 L-2 * ?", "2010-06-01T00:00:00", "2010-06-28T10:15:00", sameAs, ""},
			{"0 15 10 L-5W * ?", "2010-09-01T00:00:00", "2010-09-24T10:15:00 2010-10-26T10:15:00", sameAs, ""},
			{"0 15 10 L-1 * ?", start, "2010-10-30T10:15:00", sameAs, ""},
			{"0 15 10 L-1W * ?", start, "2010-10-29T10:15:00", sameAs, ""},
			{"0 15 10 1,L * ?", start, "2010-10-01T10:15:00 2010-10-31T10:15:00 2010-11-01T10:15:00", sameAs, ""},
			{"0 15 10 1,L * ?", "2010-02-01T00:00:00", "2010-02-01T10:15:00 2010-02-28T10:15:00", sameAs, ""},
			{"0 15 10 L-1W,L-1 * ?", start, "2010-10-29T10:15:00 2010-10-30T10:15:00", sameAs, ""},
			{"0 15 10 L-1W,L-1 * ?", "2010-02-01T00:00:00", "2010-02-26T10:15:00 2010-02-27T10:15:00", sameAs, ""},
			{"0 15 10 2W,16 * ?", start, "2010-10-01T10:15:00 2010-10-16T10:15:00 2010-11-02T10:15:00 2010-11-16T10:15:00", sameAs, ""},
		}},
		{"quartz CronExpressionTest.java testQuartz571, 574, 621, 640, Qtz96, Qtz259", "Europe/Zurich", []vector{
			{"19 15 10 4 Apr ?", start, "2011-04-04T10:15:19", sameAs, ""},
			{"* * * * Foo ?", "", refused, sameAs, ""},
			{"* * * * Jan-Foo ?", "", refused, sameAs, ""},
			{"0 0 * * * *", start, refused, "2010-10-01T01:00:00", whyStars},
			{"0 0 * 4 * *", start, refused, "2010-10-04T00:00:00 2010-10-04T01:00:00", whyStars},
			{"0 0 * * * 4", start, refused, "2010-10-07T00:00:00 2010-10-07T01:00:00", whyStars},
			{"0 43 9 1,5,29,L * ?", start, refused, "2010-10-01T09:43:00 2010-10-05T09:43:00 2010-10-29T09:43:00 2010-10-31T09:43:00", whyLists},
			{"0 43 9 ? * SAT,SUN,L", "", refused, sameAs, ""},
			{"0 43 9 ? * 6,7,L", "", refused, sameAs, ""},
			{"0 43 9 ? * 5L", start, "2010-10-28T09:43:00", "2010-10-29T09:43:00", whySunday},
			{"0/5 * * 32W 1 ?", "", refused, sameAs, ""},
			{"0 0 0 L-2 * ?", start, "2010-10-29T00:00:00 2010-11-28T00:00:00 2010-12-29T00:00:00", sameAs, ""},
			{"0 0 0 LW * ?", start, "2010-10-29T00:00:00 2010-11-30T00:00:00 2010-12-31T00:00:00", sameAs, ""},
		}},
		{"quartz CronExpressionTest.java test…RangeIntervalAfterSlash", "Europe/Zurich", []vector{
			{"/120 0 8-18 ? * 2-6", "", refused, sameAs, ""},
			{"0/120 0 8-18 ? * 2-6", "", refused, sameAs, ""},
			{"/ 0 8-18 ? * 2-6", "", refused, sameAs, ""},
			{"0/ 0 8-18 ? * 2-6", "", refused, sameAs, ""},
			{"0 /120 8-18 ? * 2-6", "", refused, sameAs, ""},
			{"0 0/120 8-18 ? * 2-6", "", refused, sameAs, ""},
			{"0 / 8-18 ? * 2-6", "", refused, sameAs, ""},
			{"0 0/ 8-18 ? * 2-6", "", refused, sameAs, ""},
			{"0 0 /120 ? * 2-6", "", refused, sameAs, ""},
			{"0 0 0/120 ? * 2-6", "", refused, sameAs, ""},
			{"0 0 / ? * 2-6", "", refused, sameAs, ""},
			{"0 0 0/ ? * 2-6", "", refused, sameAs, ""},
			{"0 0 0 /120 * 2-6", "", refused, sameAs, ""},
			{"0 0 0 0/120 * 2-6", "", refused, sameAs, ""},
			{"0 0 0 / * 2-6", "", refused, sameAs, ""},
			{"0 0 0 0/ * 2-6", "", refused, sameAs, ""},
			{"0 0 0 ? /120 2-6", "", refused, sameAs, ""},
			{"0 0 0 ? 0/120 2-6", "", refused, sameAs, ""},
			{"0 0 0 ? / 2-6", "", refused, sameAs, ""},
			{"0 0 0 ? 0/ 2-6", "", refused, sameAs, ""},
			{"0 0 0 ? * /120", "", refused, sameAs, ""},
			{"0 0 0 ? * 0/120", "", refused, sameAs, ""},
			{"0 0 0 ? * /", "", refused, sameAs, ""},
			{"0 0 0 ? * 0/", "", refused, sameAs, ""},
		}},
		{"quartz CronExpression.java, overflowing ranges", "Europe/Zurich", []vector{
			{"0 0 22-2 * * ?", start, "2010-10-01T01:00:00 2010-10-01T02:00:00 2010-10-01T22:00:00", refused, whyOverflow},
			{"0 0 0 1 NOV-FEB ?", start, "2010-11-01T00:00:00", refused, whyOverflow},
			{"0 0 14-6 ? * FRI-MON", start, "2010-10-01T01:00:00", refused, whyOverflow},
		}},
		// Its docs/faq.adoc, "Daylight Saving Time and Triggers": at 2:15 in New York the trigger is skipped; every 15 minutes there is
		// an hour without one. Which pass of the two is left out follows from CronExpression.getTimeAfter, which sets the fields of a
		// java.util.Calendar: a wall time that comes twice is the second one for it.
		{"quartz docs/faq.adoc and CronExpression.java getTimeAfter", "America/New_York", []vector{
			{"0 15 2 * * ?", "2012-03-11T00:00:00-0500", "2012-03-12T02:15:00-0400", "2012-03-11T03:00:00-0400 2012-03-12T02:15:00-0400", whyGap},
			{"0 0 * * * ?", "2012-03-11T00:00:00-0500", "2012-03-11T01:00:00-0500 2012-03-11T03:00:00-0400", sameAs, ""},
			{"0 5 1 * * ?", "2012-11-04T00:00:00-0400", "2012-11-04T01:05:00-0500 2012-11-05T01:05:00-0500", "2012-11-04T01:05:00-0400 2012-11-05T01:05:00-0500", whyTwice},
			{"0 0/15 * * * ?", "2012-11-04T00:30:00-0400", "2012-11-04T00:45:00-0400 2012-11-04T01:00:00-0500", "2012-11-04T00:45:00-0400 2012-11-04T01:00:00-0400", whyPass},
		}},
	}
}

// TestVectorsQuartzRRule are those of quartz-scheduler/quartz, quartz/src/test/java/org/quartz/RRuleExpressionTest.java.
func TestVectorsQuartzRRule(t *testing.T) {
	t.Parallel()
	const monday = "2026-01-05T09:00:00"
	for _, v := range []struct{ rule, from, want string }{
		{"FREQ=DAILY;BYHOUR=10", monday, "2026-01-05T10:00:00 2026-01-06T10:00:00 2026-01-07T10:00:00"},
		{"FREQ=WEEKLY;BYDAY=MO,WE,FR;BYHOUR=8", monday, "2026-01-07T08:00:00 2026-01-09T08:00:00 2026-01-12T08:00:00"},
		{"FREQ=MONTHLY;BYMONTHDAY=1;BYHOUR=0", monday, "2026-02-01T00:00:00 2026-03-01T00:00:00 2026-04-01T00:00:00"},
		{"FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=22", monday, "2026-01-30T22:00:00 2026-02-27T22:00:00 2026-03-27T22:00:00"},
		{"FREQ=DAILY;COUNT=3;BYHOUR=12", monday, "2026-01-05T12:00:00 2026-01-06T12:00:00 2026-01-07T12:00:00 never"},
		{"FREQ=DAILY;BYHOUR=12;UNTIL=20260107T120000Z", monday, "2026-01-05T12:00:00 2026-01-06T12:00:00 2026-01-07T12:00:00 never"},
		{"FREQ=YEARLY;BYMONTH=7;BYMONTHDAY=4;BYHOUR=0", monday, "2026-07-04T00:00:00 2027-07-04T00:00:00"},
		{"FREQ=HOURLY;INTERVAL=6", monday, "2026-01-05T09:00:00 2026-01-05T15:00:00 2026-01-05T21:00:00 2026-01-06T03:00:00"},
		{"FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1;BYHOUR=9", "2026-01-01T00:00:00", "2026-01-01T09:00:00 2026-02-02T09:00:00 2026-03-02T09:00:00"},
		{"FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;BYHOUR=9", monday, "2026-01-05T09:00:00 2026-01-19T09:00:00 2026-02-02T09:00:00"},
		{"FREQ=SECONDLY;INTERVAL=30", monday, "2026-01-05T09:00:00 2026-01-05T09:00:30 2026-01-05T09:01:00"},
		{"FREQ=DAILY;BYHOUR=10;BYMINUTE=0;BYSECOND=0", "2026-01-06T09:00:00", "2026-01-06T10:00:00 2026-01-07T10:00:00"},
		{"FREQ=WEEKLY;BYDAY=MO,WE,FR;INTERVAL=2", monday, "2026-01-05T09:00:00 2026-01-07T09:00:00"},
		{"FREQ=MONTHLY;BYDAY=-1FR;BYSETPOS=1", monday, "2026-01-30T09:00:00"},
		{"RRULE:FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=1", monday, "2027-01-01T09:00:00"},
		{"INTERVAL=2;BYHOUR=10", monday, refused},
		{"FREQ=DAILY;COUNT=3;UNTIL=20260107T120000Z", monday, refused},
		{"FREQ=FORTNIGHTLY", monday, refused},
		{"FREQ=WEEKLY;BYWEEKNO=1", monday, refused},
		{"FREQ=WEEKLY;BYDAY=2MO", monday, refused},
		{"FREQ=DAILY;BYHOUR=24", monday, refused},
		{"FREQ=DAILY;BYMINUTE=60", monday, refused},
		{"FREQ=MONTHLY;BYMONTHDAY=0", monday, refused},
		{"FREQ=YEARLY;BYMONTH=13", monday, refused},
	} {
		s := DefaultSchedule()
		s.Name, s.RRule, s.From = "s", v.rule, v.from
		r, problems := NewCompiler(Builtin(), nil).Compile("n", s)
		if v.want == refused || len(problems) > 0 {
			if (v.want == refused) != (len(problems) > 0) {
				t.Errorf("%s: %v, want %s", v.rule, problems, v.want)
			}
			continue
		}
		after := at(t, v.from+"Z").Add(-time.Second)
		var got []string
		for range strings.Fields(v.want) {
			o, ok := r.Next(after)
			if !ok {
				got = append(got, "never")
				break
			}
			after = o.Due
			got = append(got, o.Due.UTC().Format("2006-01-02T15:04:05"))
		}
		if strings.Join(got, " ") != v.want {
			t.Errorf("%s from %s:\n got %v\nwant %s", v.rule, v.from, got, v.want)
		}
	}
}

// TestVectorsQuartzIncludedDays are those of Quartz 1.8, org.quartz.NthIncludedDayTriggerTest, testGetFireTimeAfter: the n-th day
// that a calendar includes, here working_days. Later versions have neither.
func TestVectorsQuartzIncludedDays(t *testing.T) {
	t.Parallel()
	every := &Definition{Name: "days"} // all days are working days
	for _, v := range []struct{ days, want string }{
		{"10 of year", "2006-01-10T14:35:15Z"},
		{"5 of month", "2005-06-05T14:35:15Z"},
		{"3 of week", refused}, // whyWeek
	} {
		s := DefaultSchedule()
		s.Name, s.Cron, s.Calendar, s.WorkingDays = "s", "15 35 14 * * *", "days", []string{v.days}
		r, problems := NewCompiler(Builtin(), func(name string) (*Definition, bool) { return every, name == "days" }).Compile("n", s)
		if v.want == refused {
			if len(problems) == 0 {
				t.Errorf("%s is taken, want refused", v.days)
			}
			continue
		}
		if len(problems) > 0 {
			t.Fatalf("%s: %v", v.days, problems)
		}
		if o, ok := r.Next(at(t, "2005-06-01T09:30:18Z")); !ok || !o.Due.Equal(at(t, v.want)) {
			t.Errorf("%s: got %v (%v), want %s", v.days, o.Due, ok, v.want)
		}
	}
}
