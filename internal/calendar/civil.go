package calendar

import "time"

// Inside this package an instant is seconds since 1970-01-01T00:00:00Z, and a wall time is what a wall clock shows, counted as
// if the clock were in UTC: wall = instant + offset. Both are int64. A stretch is half open: from lo to before hi.

const (
	daySeconds = 86400

	// horizon bounds every search: what is not due within 40 years is never due.
	horizon = 40 * 366 * daySeconds

	// earliest and latest bound what is looked at at all: the years 1 to 2199.
	earliest = -62135596800
	latest   = 7258118400
)

// clamp brings an instant between earliest and latest. Seconds are cut down: what is after t in whole seconds is after clamp(t).
func clamp(t time.Time) int64 { return min(max(t.Unix(), earliest), latest) }

func instant(n int64) time.Time { return time.Unix(n, 0).UTC() }

// civil returns year, month and day of the month of a civil day. (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".)
func civil(day int64) (year, month, dom int) {
	z := day + 719468
	era := floorDiv(z, 146097)
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	dom = int(doy-(153*mp+2)/5) + 1
	month = int(mp) + 3
	year = int(yoe + era*400)
	if month > 12 {
		month -= 12
		year++
	}
	return year, month, dom
}

// civilDay is the reverse of civil. Months from 1 to 12.
func civilDay(year, month, dom int) int64 {
	y := int64(year)
	if month <= 2 {
		y--
		month += 12
	}
	era := floorDiv(y, 400)
	yoe := y - era*400
	doy := int64((153*(month-3)+2)/5 + dom - 1)
	return era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - 719468
}

func weekday(day int64) int { return int(((day+4)%7 + 7) % 7) }

// daysIn returns the number of days of a month.
func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// wallText writes a wall time as 2026-03-08T02:30:00.
func wallText(w int64) string { return instant(w).Format("2006-01-02T15:04:05") }
