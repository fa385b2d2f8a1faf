package console

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cronWords says a cron expression, where it is one of those that people write.
func cronWords(expr string) (string, bool) {
	switch strings.ToLower(expr) {
	case "@hourly":
		return "every hour", true
	case "@daily", "@midnight":
		return "at 00:00 every day", true
	case "@weekly":
		return "at 00:00 on Sunday", true
	case "@monthly":
		return "at 00:00 on the 1st", true
	case "@yearly", "@annually":
		return "at 00:00 on the 1st of January", true
	}
	f := strings.Fields(strings.ToUpper(expr))
	if len(f) == 5 {
		f = append([]string{"0"}, f...)
	}
	if len(f) != 6 {
		return "", false
	}
	clock, often, ok := cronClock(f[0], f[1], f[2])
	if !ok {
		return "", false
	}
	days, ok := cronDays(f[3], f[5])
	if !ok {
		return "", false
	}
	months, ok := cronMonths(f[4])
	if !ok {
		return "", false
	}
	switch {
	case days == "" && months == "" && often:
		return clock, true
	case days == "" && months == "":
		return clock + " every day", true
	case days == "":
		return clock + " every day in " + months, true
	case months == "":
		return clock + " " + days, true
	}
	return clock + " " + days + " in " + months, true
}

// cronClock says the times of a day. often: several in an hour or a day, so that "every day" need not be said.
func cronClock(second, minute, hour string) (text string, often, ok bool) {
	switch {
	case second == "*" && minute == "*" && hour == "*":
		return "every second", true, true
	case strings.HasPrefix(second, "*/") && minute == "*" && hour == "*":
		return stepWords(second, "second", 60)
	case minute == "*" && second == "0":
		return within("every minute", hour)
	case strings.HasPrefix(minute, "*/") && second == "0":
		step, _, ok := stepWords(minute, "minute", 60)
		if !ok {
			return "", false, false
		}
		return within(step, hour)
	case minute == "H" && hour == "H":
		return "at a time of its own", false, true
	case minute == "H" && hour == "*":
		return "every hour, at a minute of its own", true, true
	case minute == "H":
		if n, err := strconv.Atoi(hour); err == nil && n >= 0 && n < 24 {
			return fmt.Sprintf("at a minute of its own between %02d:00 and %02d:59", n, n), false, true
		}
		return "", false, false
	}
	if hour == "*" || strings.HasPrefix(hour, "*/") {
		return pastTheHour(second, minute, hour)
	}
	if strings.Contains(hour, "-") && second == "0" {
		n, err := strconv.Atoi(minute)
		from, to, ok := hourRange(hour)
		if err != nil || !ok || n < 0 || n > 59 {
			return "", false, false
		}
		return fmt.Sprintf("every hour from %02d:%02d to %02d:%02d", from, n, to, n), true, true
	}
	times, ok := clockTimes(strings.Split(hour, ","), strings.Split(minute, ","), second)
	return "at " + times, false, ok
}

// pastTheHour says a minute of each hour, or of each n-th.
func pastTheHour(second, minute, hour string) (text string, often, ok bool) {
	n, err := strconv.Atoi(minute)
	if err != nil || n < 0 || n > 59 || second != "0" {
		return "", false, false
	}
	text = "every hour"
	if hour != "*" {
		if text, _, ok = stepWords(hour, "hour", 24); !ok {
			return "", false, false
		}
	}
	if n > 0 {
		text += fmt.Sprintf(", %d minutes past", n)
		if n == 1 {
			text = strings.TrimSuffix(text, "1 minutes past") + "1 minute past"
		}
	}
	return text, true, true
}

// stepWords says */n, where it divides the whole evenly.
func stepWords(field, unit string, whole int) (text string, often, ok bool) {
	n, err := strconv.Atoi(strings.TrimPrefix(field, "*/"))
	if err != nil || n < 1 || whole%n != 0 || n == whole {
		return "", false, false
	}
	if n == 1 {
		return "every " + unit, true, true
	}
	return fmt.Sprintf("every %d %ss", n, unit), true, true
}

// within adds the hours in which something is.
func within(text, hour string) (string, bool, bool) {
	if hour == "*" {
		return text, true, true
	}
	if from, to, ok := hourRange(hour); ok {
		return fmt.Sprintf("%s from %02d:00 to %02d:59", text, from, to), true, true
	}
	if n, err := strconv.Atoi(hour); err == nil && n >= 0 && n < 24 {
		return fmt.Sprintf("%s from %02d:00 to %02d:59", text, n, n), true, true
	}
	return "", false, false
}

func hourRange(hour string) (from, to int, ok bool) {
	a, b, ok := strings.Cut(hour, "-")
	from, err1 := strconv.Atoi(a)
	to, err2 := strconv.Atoi(b)
	return from, to, ok && err1 == nil && err2 == nil && from >= 0 && from < to && to < 24
}

// cronDays says the days; both fields together are joined by or, as cron does. Empty: every day.
func cronDays(dom, dow string) (string, bool) {
	anyDom, anyDow := dom == "*" || dom == "?", dow == "*" || dow == "?"
	if strings.HasPrefix(dom, "*/") || strings.HasPrefix(dow, "*/") {
		return "", false // cron joins these in a way of its own
	}
	var month, week string
	ok := true
	if !anyDom {
		month, ok = cronMonthDays(dom)
	}
	if ok && !anyDow {
		week, ok = cronWeekDays(dow)
	}
	switch {
	case !ok || month == "" && week == "":
		return "", ok
	case week == "":
		return "on " + month, true
	case month == "":
		return "on " + week, true
	}
	return "on " + month + ", and on " + week, true
}

func cronMonthDays(field string) (string, bool) {
	switch field {
	case "L":
		return "the last day of the month", true
	case "LW", "WL":
		return "the last weekday of the month", true
	}
	if day, ok := strings.CutSuffix(field, "W"); ok {
		n, err := strconv.Atoi(day)
		return "the weekday nearest to the " + ordinal(n), err == nil && n >= 1 && n <= 31
	}
	if before, ok := strings.CutPrefix(field, "L-"); ok {
		n, err := strconv.Atoi(before)
		return fmt.Sprintf("the day %d before the last of the month", n), err == nil && n >= 1 && n <= 30
	}
	if from, to, ok := strings.Cut(field, "-"); ok {
		a, err1 := strconv.Atoi(from)
		b, err2 := strconv.Atoi(to)
		return "the " + ordinal(a) + " to " + ordinal(b), err1 == nil && err2 == nil && a >= 1 && a < b && b <= 31
	}
	if strings.Contains(field, "-1") {
		return "", false
	}
	return monthDays(field)
}

func cronWeekDays(field string) (string, bool) {
	if from, to, ok := strings.Cut(field, "-"); ok {
		a, ok1 := weekday(from)
		b, ok2 := weekday(to)
		return a.String() + " to " + b.String(), ok1 && ok2
	}
	var out []string
	for day := range strings.SplitSeq(field, ",") {
		name, nth, counted := strings.Cut(day, "#")
		last := false
		if !counted && len(name) > 1 && (name[:1] >= "0" && name[:1] <= "7" || len(name) == 4) {
			name, last = strings.CutSuffix(name, "L")
		}
		d, ok := weekday(name)
		if !ok {
			return "", false
		}
		said := d.String()
		switch {
		case last:
			said = "the last " + said + " of the month"
		case counted:
			n, err := strconv.Atoi(nth)
			if err != nil || n < 1 || n > 5 {
				return "", false
			}
			said = "the " + ordinal(n) + " " + said + " of the month"
		}
		if !slices.Contains(out, said) { // Sunday is 0 and 7
			out = append(out, said)
		}
	}
	return and(out), true
}

// cronMonths says the months; empty: all.
func cronMonths(field string) (string, bool) {
	if field == "*" || field == "?" {
		return "", true
	}
	one := func(text string) (string, bool) {
		if n, err := strconv.Atoi(text); err == nil {
			return time.Month(n).String(), n >= 1 && n <= 12
		}
		for m := time.January; m <= time.December; m++ {
			if len(text) == 3 && strings.EqualFold(m.String()[:3], text) {
				return m.String(), true
			}
		}
		return "", false
	}
	if from, to, ok := strings.Cut(field, "-"); ok {
		a, ok1 := one(from)
		b, ok2 := one(to)
		return a + " to " + b, ok1 && ok2
	}
	var out []string
	for m := range strings.SplitSeq(field, ",") {
		name, ok := one(m)
		if !ok {
			return "", false
		}
		out = append(out, name)
	}
	return and(out), true
}
