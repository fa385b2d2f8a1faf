package console

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ruleWords says a schedule's rule as a person would. What it cannot say well it leaves as it is written: wrong words are
// worse than an expression.
func ruleWords(kind, rule string) string {
	rule = strings.TrimSpace(rule)
	words, ok := "", false
	switch kind {
	case "cron":
		words, ok = cronWords(rule)
	case "rrule":
		words, ok = recurrenceWords(rule)
	case "every":
		words, ok = everyWords(rule)
	case "dates":
		words, ok = dateWords(rule)
	}
	if !ok {
		return rule
	}
	return words
}

// everyWords says a duration: 15m, 1h30m, 90s.
func everyWords(rule string) (string, bool) {
	first, rest, _ := strings.Cut(rule, " ")
	d, err := time.ParseDuration(first)
	if err != nil || d < time.Second || d%time.Second != 0 {
		return "", false
	}
	out := "every " + durationWords(d)
	if rest != "" {
		out += " " + rest
	}
	return out, true
}

func durationWords(d time.Duration) string {
	for _, u := range []struct {
		size time.Duration
		name string
	}{{7 * 24 * time.Hour, "week"}, {24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if n := int(d / u.size); n > 0 && d%u.size == 0 {
			if n == 1 {
				return u.name
			}
			return fmt.Sprintf("%d %ss", n, u.name)
		}
	}
	return span(d)
}

func dateWords(rule string) (string, bool) {
	list := strings.FieldsFunc(rule, func(r rune) bool { return r == ',' || r == ' ' })
	switch n := len(list); {
	case n == 0:
		return "", false
	case n <= 3:
		return "on " + and(list), true
	default:
		return fmt.Sprintf("on %d dates from %s on", n, slices.Min(list)), true
	}
}

// and joins words: a, b and c.
func and(words []string) string {
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
	return strings.Join(words, "")
}

func ordinal(n int) string {
	suffix := "th"
	switch {
	case n%100 >= 11 && n%100 <= 13:
	case n%10 == 1:
		suffix = "st"
	case n%10 == 2:
		suffix = "nd"
	case n%10 == 3:
		suffix = "rd"
	}
	return strconv.Itoa(n) + suffix
}

// weekday reads a day of the week: 0 to 7, or a name of three letters or more.
func weekday(text string) (time.Weekday, bool) {
	if n, err := strconv.Atoi(text); err == nil && n >= 0 && n <= 7 {
		return time.Weekday(n % 7), true
	}
	for d := range time.Weekday(7) {
		if len(text) >= 2 && strings.HasPrefix(strings.ToLower(d.String()), strings.ToLower(text)) {
			return d, true
		}
	}
	return 0, false
}

// recurrenceWords says the plain rules of RFC 5545.
func recurrenceWords(rule string) (string, bool) {
	part := map[string]string{}
	for p := range strings.SplitSeq(strings.TrimPrefix(strings.ToUpper(rule), "RRULE:"), ";") {
		key, value, ok := strings.Cut(p, "=")
		if !ok {
			return "", false
		}
		part[key] = value
	}
	unit, ok := map[string]string{"YEARLY": "year", "MONTHLY": "month", "WEEKLY": "week", "DAILY": "day", "HOURLY": "hour", "MINUTELY": "minute", "SECONDLY": "second"}[part["FREQ"]]
	if !ok {
		return "", false
	}
	out := "every " + unit
	if n, err := strconv.Atoi(part["INTERVAL"]); err == nil && n > 1 {
		out = fmt.Sprintf("every %d %ss", n, unit)
	}
	for key := range part {
		if !slices.Contains([]string{"FREQ", "INTERVAL", "BYDAY", "BYHOUR", "BYMINUTE", "BYSECOND", "BYMONTHDAY", "COUNT", "WKST"}, key) || key == "BYSECOND" && part[key] != "0" {
			return "", false
		}
	}
	if part["BYDAY"] != "" {
		days, ok := recurrenceDays(part["BYDAY"])
		if !ok {
			return "", false
		}
		out += " on " + days
	}
	if days := part["BYMONTHDAY"]; days != "" {
		said, ok := monthDays(days)
		if !ok {
			return "", false
		}
		out += " on " + said
	}
	if part["BYHOUR"] != "" {
		times, ok := clockTimes(strings.Split(part["BYHOUR"], ","), strings.Split(orZero(part["BYMINUTE"]), ","), "")
		if !ok {
			return "", false
		}
		out += " at " + times
	} else if part["BYMINUTE"] != "" {
		return "", false
	}
	if part["COUNT"] != "" {
		out += ", " + part["COUNT"] + " times"
	}
	return out, true
}

func orZero(text string) string {
	if text == "" {
		return "0"
	}
	return text
}

// recurrenceDays says MO,TU or 2TU or -1FR.
func recurrenceDays(list string) (string, bool) {
	var out []string
	for day := range strings.SplitSeq(list, ",") {
		if len(day) < 2 {
			return "", false
		}
		d, ok := weekday(day[len(day)-2:])
		if !ok {
			return "", false
		}
		name := d.String()
		if nth := day[:len(day)-2]; nth != "" {
			n, err := strconv.Atoi(nth)
			switch {
			case err != nil || n == 0 || n < -1:
				return "", false
			case n == -1:
				name = "the last " + name
			default:
				name = "the " + ordinal(n) + " " + name
			}
		}
		out = append(out, name)
	}
	return and(out), true
}

// monthDays says 1,15 or -1.
func monthDays(list string) (string, bool) {
	var out []string
	for day := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(day)
		switch {
		case err != nil || n < -1 || n == 0 || n > 31:
			return "", false
		case n == -1:
			out = append(out, "the last day")
		default:
			out = append(out, "the "+ordinal(n))
		}
	}
	return and(out), true
}

// clockTimes says hours and minutes as times of the day, if they are few.
func clockTimes(hours, minutes []string, second string) (string, bool) {
	var out []string
	for _, h := range hours {
		for _, m := range minutes {
			hour, err1 := strconv.Atoi(h)
			minute, err2 := strconv.Atoi(m)
			if err1 != nil || err2 != nil || hour < 0 || hour > 23 || minute < 0 || minute > 59 {
				return "", false
			}
			text := fmt.Sprintf("%02d:%02d", hour, minute)
			if second != "" && second != "0" {
				n, err := strconv.Atoi(second)
				if err != nil || n < 0 || n > 59 {
					return "", false
				}
				text += fmt.Sprintf(":%02d", n)
			}
			out = append(out, text)
		}
	}
	if len(out) > 6 {
		return "", false
	}
	return and(out), true
}
