package calendar_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
)

// The oracle below shares nothing with the package but the time zone database and the words of the manual. It walks along the
// time line minute by minute, writes down which wall time each minute shows, and asks for each wall time, one after the other,
// whether a line matches it. It is slow, and there is nothing in it that could be clever.

// rounds multiplies what is drawn at random: `make fault` plays a million cases.
var rounds = flag.Int("rounds", 3000, "random cases against the oracle")

// step is how far the oracle's minutes reach: a minute, and less where a zone's offset has seconds.
const step = 60

// wallMap says which instants show a wall time: of each wall minute in [first, first+len) the unix seconds, in order.
type wallMap struct {
	first int64 // wall minute
	at    [][2]int64
	many  map[int64][]int64 // the few that are shown more than twice
	jumps []jump
	whole bool // every offset is a number of whole minutes
}

// jump is where clocks were put forward: wall times in (from, to) are missing.
type jump struct {
	at       int64 // the first instant after it, unix seconds
	from, to int64 // wall seconds: the first that is missing, and the first that is there again
}

const none = int64(-1 << 62)

// walk makes the map of a zone between two instants.
func walk(loc *time.Location, since, until time.Time) *wallMap {
	begin, end := floor(since.Unix(), step)*step, until.Unix()
	m := &wallMap{first: floor(begin-26*3600, 60), many: map[int64][]int64{}, whole: true}
	m.at = make([][2]int64, (end-begin+3*26*3600)/60)
	for i := range m.at {
		m.at[i] = [2]int64{none, none}
	}
	before := none
	// Offsets are asked for once in a quarter of an hour, and by the minute where two of them differ.
	offset := func(u int64) int64 { _, o := time.Unix(u, 0).In(loc).Zone(); return int64(o) }
	for u := begin; u < end; u += 900 {
		a, b := offset(u), offset(u+899)
		for v := u; v < u+900; v += step {
			o := a
			if a != b {
				o = offset(v)
			}
			if o%60 != 0 {
				m.whole = false
			}
			wall := v + o
			if before != none && wall > before+step {
				m.jumps = append(m.jumps, jump{v, before + step, wall})
			}
			before = wall
			m.put(floor(wall, 60), v)
		}
	}
	return m
}

func floor(a, b int64) int64 { return (a - ((a%b)+b)%b) / b }

func (m *wallMap) put(minute, at int64) {
	slot := &m.at[minute-m.first]
	switch {
	case slot[0] == none:
		slot[0] = at
	case slot[1] == none:
		slot[1] = at
	default:
		if m.many[minute] == nil {
			m.many[minute] = []int64{slot[0], slot[1]}
		}
		m.many[minute] = append(m.many[minute], at)
	}
}

func (m *wallMap) instants(minute int64) []int64 {
	if all := m.many[minute]; all != nil {
		return all
	}
	slot := m.at[minute-m.first]
	switch {
	case slot[0] == none:
		return nil
	case slot[1] == none:
		return slot[:1]
	}
	return slot[:]
}

// line is a cron line as the oracle reads it: five texts.
type line struct{ minute, hour, dom, month, dow string }

func (l line) String() string {
	return strings.Join([]string{l.minute, l.hour, l.dom, l.month, l.dow}, " ")
}

// matches asks for one part after the other whether the number is meant.
func matches(field string, n, low, high int) bool {
	for part := range strings.SplitSeq(field, ",") {
		part, by, stepped := strings.Cut(part, "/")
		every := 1
		if stepped {
			every, _ = strconv.Atoi(by)
		}
		from, to := low, high
		if part != "*" {
			a, b, ranged := strings.Cut(part, "-")
			from, _ = strconv.Atoi(a)
			to = from
			if ranged {
				to, _ = strconv.Atoi(b)
			} else if stepped {
				to = high
			}
		}
		for k := from; k <= to; k += every {
			if k == n {
				return true
			}
		}
	}
	return false
}

func lastOf(y int, m time.Month) int { return time.Date(y, m+1, 0, 0, 0, 0, 0, time.UTC).Day() }

func weekday(y int, m time.Month, d int) int {
	return int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Weekday())
}

// matchesDate answers for the fields of the date, as cronie joins them.
func (l line) matchesDate(y int, m time.Month, d int) bool {
	if !matches(l.month, int(m), 1, 12) {
		return false
	}
	ofMonth, ofWeek := l.ofMonth(y, m, d), l.ofWeek(y, m, d)
	if l.dom[0] == '*' || l.dow[0] == '*' {
		return ofMonth && ofWeek
	}
	return ofMonth || ofWeek
}

func (l line) ofMonth(y int, m time.Month, d int) bool {
	last := lastOf(y, m)
	switch {
	case l.dom == "L":
		return d == last
	case l.dom == "LW":
		k := last
		for weekday(y, m, k) == 0 || weekday(y, m, k) == 6 {
			k--
		}
		return d == k
	case strings.HasPrefix(l.dom, "L-"):
		n, _ := strconv.Atoi(l.dom[2:])
		return d == last-n
	case strings.HasSuffix(l.dom, "W"):
		n, _ := strconv.Atoi(strings.TrimSuffix(l.dom, "W"))
		if n > last {
			return false
		}
		// The nearest day of the same month that is no Saturday and no Sunday.
		for _, off := range []int{0, -1, 1, -2, 2} {
			k := n + off
			if k >= 1 && k <= last && weekday(y, m, k) != 0 && weekday(y, m, k) != 6 {
				return d == k
			}
		}
		return false
	}
	return matches(l.dom, d, 1, 31)
}

func (l line) ofWeek(y int, m time.Month, d int) bool {
	w := weekday(y, m, d)
	if a, n, ok := strings.Cut(l.dow, "#"); ok {
		day, _ := strconv.Atoi(a)
		nth, _ := strconv.Atoi(n)
		return w == day%7 && (d-1)/7 == nth-1
	}
	if strings.HasSuffix(l.dow, "L") {
		day, _ := strconv.Atoi(strings.TrimSuffix(l.dow, "L"))
		return w == day%7 && d+7 > lastOf(y, m)
	}
	return matches(l.dow, w, 0, 7) || w == 0 && matches(l.dow, 7, 0, 7)
}

// everyHour says that the line fires at each real instant whose wall time it matches.
func (l line) everyHour() bool {
	return l.hour == "*" || strings.HasPrefix(l.hour, "*/") && !strings.Contains(l.hour, ",")
}

// expected lists the instants of a line with since <= t < until.
func (l line) expected(m *wallMap, gap calendar.Gap, fold calendar.Fold, since, until time.Time) []int64 {
	hours, minutes := [24]bool{}, [60]bool{}
	for h := range hours {
		hours[h] = matches(l.hour, h, 0, 23)
	}
	for k := range minutes {
		minutes[k] = matches(l.minute, k, 0, 59)
	}
	var out []int64
	lowest, highest := floor(since.Unix()-50*3600, 60), floor(until.Unix()+50*3600, 60)
	lowest, highest = max(lowest, m.first), min(highest, m.first+int64(len(m.at))-1)
	day, ok := int64(-1<<40), false
	for w := lowest; w <= highest; w++ {
		if at := floor(w, 1440); at != day {
			day = at
			y, mo, d := time.Unix(day*86400, 0).UTC().Date()
			ok = l.matchesDate(y, mo, d)
		}
		if !ok {
			w = (day+1)*1440 - 1
			continue
		}
		if !hours[(w-day*1440)/60] || !minutes[(w-day*1440)%60] {
			continue
		}
		out = append(out, l.resolve(m, w, gap, fold)...)
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return slices.DeleteFunc(out, func(t int64) bool { return t < since.Unix() || t >= until.Unix() })
}

func (l line) resolve(m *wallMap, w int64, gap calendar.Gap, fold calendar.Fold) []int64 {
	there := m.instants(w)
	if l.everyHour() {
		return there
	}
	if len(there) > 0 {
		switch fold {
		case calendar.FoldFirst:
			return there[:1]
		case calendar.FoldLast:
			return there[len(there)-1:]
		case calendar.FoldBoth:
			return there
		}
	}
	for _, j := range m.jumps {
		if w*60 < j.from || w*60 >= j.to {
			continue
		}
		switch gap {
		case calendar.GapNextValid:
			return []int64{j.at}
		case calendar.GapShift:
			return []int64{j.at + w*60 - j.from}
		case calendar.GapSkip:
		}
	}
	return nil
}

func anyOf[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// randomLine draws a line; hours and minutes around those at which clocks change are more frequent than others.
func randomLine(r *rand.Rand) line {
	number := func(low, high int) string {
		a := low + r.IntN(high-low+1)
		b := a + r.IntN(high-a+1)
		switch r.IntN(7) {
		case 0:
			return "*"
		case 1:
			return fmt.Sprintf("*/%d", 1+r.IntN(max(2, (high-low)/2)))
		case 2:
			return fmt.Sprintf("%d-%d", a, b)
		case 3:
			return fmt.Sprintf("%d-%d/%d", a, b, 1+r.IntN(5))
		case 4:
			return fmt.Sprintf("%d,%d", b, a)
		}
		return strconv.Itoa(a)
	}
	l := line{minute: number(0, 59), hour: number(0, 23), dom: "*", month: "*", dow: "*"}
	if r.IntN(2) == 0 {
		l.minute = anyOf(r, "0", "30", "15", "59", "*/20", "1")
	}
	if r.IntN(2) == 0 {
		l.hour = anyOf(r, "0", "1", "2", "3", "23", "0-3", "1,2", "*", "*/2")
	}
	if r.IntN(4) == 0 {
		l.dom = anyOf(r, number(1, 28), "L", "LW", "L-3", "15W", "1W", "31W", "31", "29")
	}
	if r.IntN(5) == 0 {
		l.month = number(1, 12)
	}
	if r.IntN(4) == 0 {
		l.dow = anyOf(r, number(0, 6), "7", "5L", "0L", "1#1", "5#3", "0#5", "1-5")
	}
	return l
}

// play is one line in one zone over a stretch of time.
type play struct {
	zone         string
	m            *wallMap
	line         line
	gap          calendar.Gap
	fold         calendar.Fold
	since, until time.Time
}

// compare runs both and reports the first difference.
func (p play) compare(t *testing.T, c *calendar.Compiler) bool {
	t.Helper()
	zone, m, l, gap, fold, since, until := p.zone, p.m, p.line, p.gap, p.fold, p.since, p.until
	s := calendar.DefaultSchedule()
	s.Name, s.Cron, s.Zone, s.Gap, s.Fold = "x", l.String(), zone, gap, fold
	want := l.expected(m, gap, fold, since, until)
	rule, problems := c.Compile("a/b", s)
	if len(problems) > 0 {
		if len(want) > 0 {
			t.Errorf("%s in %s: refused (%v), and the oracle has %d occurrences", l, zone, problems, len(want))
			return false
		}
		return true // never due
	}
	var got []int64
	for o := range rule.Between(since.Add(-time.Second), until.Add(-time.Second)) {
		got = append(got, o.Nominal.Unix())
	}
	if !slices.Equal(got, want) {
		i := 0
		for i < min(len(got), len(want)) && got[i] == want[i] {
			i++
		}
		show := func(list []int64) string {
			if i >= len(list) {
				return "nothing more"
			}
			return time.Unix(list[i], 0).UTC().Format(time.RFC3339)
		}
		t.Errorf("%q in %s, dst_gap %s, dst_overlap %s, %s to %s: the rule has %d, the oracle %d; the first difference is number %d: %s, and %s",
			l, zone, gap, fold, since.Format(time.DateOnly), until.Format(time.DateOnly), len(got), len(want), i, show(got), show(want))
		return false
	}
	if n := rule.Count(since.Add(-time.Second), until.Add(-time.Second)); n.All != int64(len(want)) {
		t.Errorf("%q in %s, dst_gap %s, dst_overlap %s, %s to %s: Count says %d, there are %d", l, zone, gap, fold, since.Format(time.DateOnly), until.Format(time.DateOnly), n.All, len(want))
		return false
	}
	return true
}

// TestOracleYears: random lines over a whole year of a random zone.
func TestOracleYears(t *testing.T) {
	t.Parallel()
	zones := calendar.Builtin()
	names := zones.Names()
	hard := []string{
		"Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca", "Europe/Dublin", "America/Sao_Paulo", "America/Havana", "Africa/Cairo",
		"Pacific/Kiritimati", "America/New_York", "Europe/Berlin", "Asia/Tehran", "Antarctica/Troll", "America/Scoresbysund",
	}
	const lines = 30 // of one zone and year: walking a year is the dear part
	var wg sync.WaitGroup
	work := make(chan uint64)
	for range 2 {
		wg.Go(func() {
			c := calendar.NewCompiler(zones, nil)
			for seed := range work {
				r := rand.New(rand.NewPCG(seed, 5))
				zone := anyOf(r, names...)
				if seed%2 == 0 {
					zone = anyOf(r, hard...)
				}
				loc, ok := zones.Location(zone)
				if !ok {
					t.Errorf("there is no zone %s", zone)
					continue
				}
				year := 1970 + r.IntN(68)
				if zone == "Pacific/Apia" && r.IntN(2) == 0 {
					year = 2011
				}
				since := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
				until := since.AddDate(1, 0, 3)
				m := walk(loc, since.Add(-60*time.Hour), until.Add(60*time.Hour))
				if !m.whole {
					continue // Liberia before 1972; see TestOracleSeconds
				}
				for range lines {
					p := play{
						zone: zone, m: m, line: randomLine(r), gap: anyOf(r, calendar.GapNextValid, calendar.GapSkip, calendar.GapShift),
						fold: anyOf(r, calendar.FoldFirst, calendar.FoldLast, calendar.FoldBoth), since: since, until: until,
					}
					if !p.compare(t, c) {
						break
					}
				}
			}
		})
	}
	for seed := range uint64(*rounds/lines + 1) {
		if t.Failed() {
			break
		}
		work <- seed
	}
	close(work)
	wg.Wait()
}

// nextChange finds the next change of a zone's offset by looking twice a day, and by halving.
func nextChange(at, end time.Time) (time.Time, bool) {
	_, o := at.Zone()
	for low := at; low.Before(end); low = low.Add(12 * time.Hour) {
		high := low.Add(12 * time.Hour)
		if _, now := high.Zone(); now == o {
			continue
		}
		for high.Sub(low) > time.Second {
			mid := low.Add(high.Sub(low) / 2).Truncate(time.Second)
			if _, now := mid.Zone(); now == o {
				low = mid
			} else {
				high = mid
			}
		}
		return high, true
	}
	return end, false
}

// TestOracleTransitions: every change of every zone's clocks from 1970 to 2037, three days before and after.
func TestOracleTransitions(t *testing.T) {
	t.Parallel()
	zones := calendar.Builtin()
	lines := []line{
		{"30", "2", "*", "*", "*"},
		{"*/15", "0-3", "*", "*", "*"},
		{"5", "*", "*", "*", "*"},
		{"*/30", "*/2", "*", "*", "*"},
		{"0", "0", "*", "*", "*"},
	}
	gaps := []calendar.Gap{calendar.GapNextValid, calendar.GapSkip, calendar.GapShift}
	folds := []calendar.Fold{calendar.FoldFirst, calendar.FoldLast, calendar.FoldBoth}
	end := time.Date(2038, 1, 1, 0, 0, 0, 0, time.UTC)
	var mu sync.Mutex
	seen, changes := map[string]bool{}, 0
	work := make(chan string)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			c := calendar.NewCompiler(zones, nil)
			for zone := range work {
				loc, ok := zones.Location(zone)
				if !ok {
					t.Errorf("there is no zone %s", zone)
					continue
				}
				n := 0
				for at := time.Date(1970, 1, 5, 0, 0, 0, 0, time.UTC).In(loc); ; {
					next, ok := nextChange(at, end)
					if !ok {
						break
					}
					at = next
					_, before := next.Add(-time.Second).Zone()
					_, after := next.Zone()
					key := fmt.Sprint(next.Unix(), before, after)
					mu.Lock()
					twin := seen[key] // a link, or a zone with the same rules: the same change was played already
					seen[key] = true
					mu.Unlock()
					if twin || before == after {
						continue
					}
					since, until := next.Add(-72*time.Hour).Truncate(time.Minute), next.Add(72*time.Hour).Truncate(time.Minute)
					m := walk(loc, since.Add(-60*time.Hour), until.Add(60*time.Hour))
					if !m.whole {
						continue
					}
					for i, l := range lines {
						play{zone, m, l, gaps[(n+i)%3], folds[(n+i/2)%3], since.UTC(), until.UTC()}.compare(t, c)
					}
					n++
					if t.Failed() {
						break
					}
				}
				mu.Lock()
				changes += n
				mu.Unlock()
			}
		})
	}
	for _, zone := range zones.Names() {
		work <- zone
	}
	close(work)
	wg.Wait()
	if changes < 3000 {
		t.Errorf("%d changes of clocks were played: there must be thousands", changes)
	}
	t.Logf("%d changes of clocks in %d zones", changes, len(zones.Names()))
}
