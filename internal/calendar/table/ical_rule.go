package table

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
)

// rule is a recurrence rule of FREQ=YEARLY (RFC 5545, 3.3.10), as far as tables of holidays use it.
type rule struct {
	start    calendar.Day
	interval int
	count    int          // 0: without end
	until    calendar.Day // with bounded
	bounded  bool
	months   []int
	days     []int // of the month, from the end where negative
	weekdays []nth
	simple   bool // on the same day of every year, without end
}

// nth is a weekday of a month: the n-th from the start, or from the end where n is negative; every one where n is 0.
type nth struct {
	n   int
	day time.Weekday
}

// readRule reads a rule; what is none of these is an error with a sentence.
func readRule(text string, start calendar.Day) (*rule, error) {
	r := &rule{start: start, interval: 1, simple: true}
	yearly := false
	for part := range strings.SplitSeq(strings.TrimSuffix(text, ";"), ";") {
		name, value, _ := strings.Cut(part, "=")
		var err error
		switch name {
		case "FREQ":
			if yearly = value == "YEARLY"; !yearly {
				return nil, fmt.Errorf("it repeats by FREQ=%s, and only YEARLY can be read", clip(value))
			}
		case "WKST": // says something only together with BYWEEKNO, which is refused
		case "INTERVAL":
			r.interval, err = number(value, 1, 1000)
		case "COUNT":
			r.count, err = number(value, 1, 10_000)
		case "UNTIL":
			r.bounded = true
			day, _, _ := strings.Cut(value, "T")
			r.until, err = wholeDay("UNTIL", day)
		case "BYMONTH":
			r.months, err = numbers(value, 1, 12)
		case "BYMONTHDAY":
			r.days, err = numbers(value, -31, 31)
		case "BYDAY":
			r.weekdays, err = weekdaysOf(value)
		default:
			return nil, fmt.Errorf("its rule has %s, which is not read: give each day as an event of its own", clip(name))
		}
		if err != nil {
			return nil, fmt.Errorf("its rule: %s: %w", name, err)
		}
	}
	switch {
	case !yearly:
		return nil, errors.New("its rule has no FREQ")
	case len(r.weekdays) > 0 && len(r.months) == 0:
		return nil, errors.New("its rule has BYDAY without BYMONTH, which is not read: give each day as an event of its own")
	}
	_, month, day := start.Date()
	if len(r.days) > 0 && len(r.months) == 0 { // the day of every month
		r.months = []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	}
	same := (len(r.months) == 0 || slices.Equal(r.months, []int{int(month)})) && (len(r.days) == 0 || slices.Equal(r.days, []int{day}))
	r.simple = same && r.interval == 1 && r.count == 0 && !r.bounded && len(r.weekdays) == 0
	return r, nil
}

func number(text string, least, most int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%q is no number from %d to %d", clip(text), least, most)
	}
	return n, nil
}

func numbers(text string, least, most int) (out []int, err error) {
	for part := range strings.SplitSeq(text, ",") {
		n, err := number(strings.TrimPrefix(part, "+"), least, most)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, fmt.Errorf("%q is no number from %d to %d but 0", part, least, most)
		}
		out = append(out, n)
	}
	return out, nil
}

func weekdaysOf(text string) (out []nth, err error) {
	form := regexp.MustCompile(`^([+-]?[1-5])?(SU|MO|TU|WE|TH|FR|SA)$`)
	for part := range strings.SplitSeq(text, ",") {
		found := form.FindStringSubmatch(part)
		if found == nil {
			return nil, fmt.Errorf("%q is no weekday of a month as MO, 3MO or -1MO", clip(part))
		}
		n, _ := strconv.Atoi(strings.TrimPrefix(found[1], "+"))
		out = append(out, nth{n, time.Weekday(strings.Index("SUMOTUWETHFRSA", found[2]) / 2)})
	}
	return out, nil
}

// within returns the first days of all repetitions of an event of this length that reach into years.
func (r *rule) within(years Years, length int) (out []calendar.Day) {
	first, _, _ := r.start.Date()
	count := 0
	for year := first; year <= years.Last; year += r.interval {
		for _, d := range r.ofYear(year) {
			if d < r.start {
				continue
			}
			if count++; r.bounded && d > r.until || r.count > 0 && count > r.count {
				return out
			}
			if years.has(d) || years.has(d+calendar.Day(length)-1) {
				out = append(out, d)
			}
		}
	}
	return out
}

// ofYear returns the days of one year that the rule means, in order.
func (r *rule) ofYear(year int) (out []calendar.Day) {
	_, month, day := r.start.Date()
	months, days := r.months, r.days
	if len(months) == 0 {
		months = []int{int(month)}
	}
	if len(days) == 0 && len(r.weekdays) == 0 {
		days = []int{day}
	}
	for _, m := range months {
		first, after := calendar.DayOf(year, time.Month(m), 1), calendar.DayOf(year, time.Month(m)+1, 1)
		for d := first; d < after; d++ {
			n, back := int(d-first)+1, int(d-after)
			if len(days) > 0 && !slices.Contains(days, n) && !slices.Contains(days, back) {
				continue
			}
			on := len(r.weekdays) == 0 || slices.ContainsFunc(r.weekdays, func(w nth) bool {
				return w.day == d.Weekday() && (w.n == 0 || w.n == (n+6)/7 || w.n == (back-6)/7)
			})
			if on {
				out = append(out, d)
			}
		}
	}
	slices.Sort(out)
	return out
}
