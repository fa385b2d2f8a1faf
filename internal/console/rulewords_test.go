package console

import "testing"

func TestRuleWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ kind, rule, want string }{
		{"cron", "30 2 * * *", "at 02:30 every day"},
		{"cron", "0 6,18 * * *", "at 06:00 and 18:00 every day"},
		{"cron", "*/15 * * * *", "every 15 minutes"},
		{"cron", "*/15 8-17 * * MON-FRI", "every 15 minutes from 08:00 to 17:59 on Monday to Friday"},
		{"cron", "* * * * *", "every minute"},
		{"cron", "*/7 * * * *", "*/7 * * * *"}, // not every 7 minutes: it begins anew each hour
		{"cron", "0 * * * *", "every hour"},
		{"cron", "5 * * * *", "every hour, 5 minutes past"},
		{"cron", "0 */6 * * *", "every 6 hours"},
		{"cron", "0 */5 * * *", "0 */5 * * *"},
		{"cron", "15 9-17 * * 1-5", "every hour from 09:15 to 17:15 on Monday to Friday"},
		{"cron", "30 2 1 * *", "at 02:30 on the 1st"},
		{"cron", "30 2 1,15 * *", "at 02:30 on the 1st and the 15th"},
		{"cron", "30 2 L * *", "at 02:30 on the last day of the month"},
		{"cron", "30 2 LW * *", "at 02:30 on the last weekday of the month"},
		{"cron", "30 2 15W * *", "at 02:30 on the weekday nearest to the 15th"},
		{"cron", "30 2 L-3 * *", "at 02:30 on the day 3 before the last of the month"},
		{"cron", "30 2 * * 5#2", "at 02:30 on the 2nd Friday of the month"},
		{"cron", "30 2 * * FRIL", "at 02:30 on the last Friday of the month"},
		{"cron", "30 2 * * 5L", "at 02:30 on the last Friday of the month"},
		{"cron", "30 2 * * 0,7", "at 02:30 on Sunday"},
		{"cron", "30 2 13 * FRI", "at 02:30 on the 13th, and on Friday"}, // cron joins both fields by or
		{"cron", "30 2 */2 * FRI", "30 2 */2 * FRI"},
		{"cron", "0 0 1 1 *", "at 00:00 on the 1st in January"},
		{"cron", "0 0 * JAN-MAR *", "at 00:00 every day in January to March"},
		{"cron", "10 30 2 * * *", "at 02:30:10 every day"},
		{"cron", "* * * * * *", "every second"},
		{"cron", "*/10 * * * * *", "every 10 seconds"},
		{"cron", "H H * * *", "at a time of its own every day"},
		{"cron", "H 3 * * *", "at a minute of its own between 03:00 and 03:59 every day"},
		{"cron", "H * * * *", "every hour, at a minute of its own"},
		{"cron", "@daily", "at 00:00 every day"},
		{"cron", "@reboot", "@reboot"},
		{"cron", "61 2 * * *", "61 2 * * *"},
		{"cron", "30 2 * * 9", "30 2 * * 9"},
		{"cron", "30 2 32 * *", "30 2 32 * *"},
		{"cron", "30 2 5-40 * *", "30 2 5-40 * *"},
		{"cron", "30 2 99W * *", "30 2 99W * *"},
		{"cron", "nonsense", "nonsense"},
		{"every", "15m", "every 15 minutes"},
		{"every", "1h30m", "every 90 minutes"},
		{"every", "24h", "every day"},
		{"every", "48h by end", "every 2 days by end"},
		{"every", "-5m", "-5m"},
		{"rrule", "FREQ=DAILY", "every day"},
		{"rrule", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;BYHOUR=6;BYMINUTE=30", "every 2 weeks on Monday and Wednesday at 06:30"},
		{"rrule", "FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=18", "every month on the last Friday at 18:00"},
		{"rrule", "FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=18;BYMINUTE=0;BYSECOND=0", "every month on the last Friday at 18:00"},
		{"rrule", "FREQ=DAILY;BYSECOND=30", "FREQ=DAILY;BYSECOND=30"},
		{"rrule", "FREQ=MONTHLY;BYDAY=2TU", "every month on the 2nd Tuesday"},
		{"rrule", "FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=5", "every month on the last day, 5 times"},
		{"rrule", "FREQ=YEARLY;BYWEEKNO=53", "FREQ=YEARLY;BYWEEKNO=53"},
		{"rrule", "FREQ=DAILY;BYSETPOS=1", "FREQ=DAILY;BYSETPOS=1"},
		{"rrule", "x", "x"},
		{"dates", "2026-12-24T06:00, 2026-12-31", "on 2026-12-24T06:00 and 2026-12-31"},
		{"dates", "2026-12-24 2026-12-25 2026-12-26 2026-12-27", "on 4 dates from 2026-12-24 on"},
		{"other", "by the moon", "by the moon"},
	} {
		if got := ruleWords(c.kind, c.rule); got != c.want {
			t.Errorf("%s %q is said as %q, want %q", c.kind, c.rule, got, c.want)
		}
	}
}

func FuzzRuleWords(f *testing.F) {
	f.Add("cron", "*/15 8-17 * * MON-FRI")
	f.Add("rrule", "FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=18")
	f.Add("every", "48h by end")
	f.Fuzz(func(t *testing.T, kind, rule string) {
		if got := ruleWords(kind, rule); got == "" && len(rule) > 0 && rule[0] > ' ' {
			t.Errorf("%s %q is said as nothing", kind, rule)
		}
	})
}
