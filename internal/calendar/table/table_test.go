package table

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

func TestReadCSV(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		want []calendar.Date
	}{
		"plain":             {"date,name\n2026-12-24,Christmas Eve\n01-01,New Year\n", []calendar.Date{{Date: "01-01", Name: "New Year"}, {Date: "2026-12-24", Name: "Christmas Eve"}}},
		"of a spreadsheet":  {"\ufeffName;Date;Type\r\nFête;2026-07-14;x\r\n\r\n", []calendar.Date{{Date: "2026-07-14", Name: "Fête"}}},
		"quotes":            {"date,name\n2026-12-24,\"Eve, \"\"the\"\"\n day\"\n", []calendar.Date{{Date: "2026-12-24", Name: `Eve, "the" day`}}},
		"without names":     {"Date\n2026-12-24\n", []calendar.Date{{Date: "2026-12-24"}}},
		"a name is missing": {"date,name\n2026-12-24\n", []calendar.Date{{Date: "2026-12-24"}}},
		"no days":           {"date,name\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ReadCSV("x.csv", []byte(test.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBrokenCSV(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, want string }{
		"empty":         {"", "1:1: the file is empty"},
		"no header":     {"2026-12-24,Eve\n", "1:1: the first line names the columns"},
		"dates":         {"date,name\n24.12.2026,Eve\n2026-02-29,x\n 2026-12-24 ,ok\n2026-12-24,again\n", "2:1: \"24.12.2026\" is not a date; 3:1: \"2026-02-29\": February 2026 has 28 days; 5:1: 2026-12-24 stands twice: the other one is in line 4"},
		"second column": {"name;date\nEve;tomorrow\nEve\n", "2:5: \"tomorrow\" is not a date; 3:1: this line has no date"},
		"a quote":       {"date,name\n2026-12-24,\"Eve\n", "2:17: this is not CSV"},
		"a bare quote":  {"date,name\n2026-12-24,E\"ve\n", "2:13: this is not CSV"},
		"Latin-1":       {"date,name\n2026-12-24,No\xebl\n", "1:1: the file is not UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ReadCSV("x.csv", []byte(test.text))
			told(t, err, test.want)
		})
	}
}

// told compares mistakes with "line:column: beginning; …".
func told(t *testing.T, err error, want string) {
	t.Helper()
	var mistakes fault.Mistakes
	if !errors.As(err, &mistakes) {
		t.Fatalf("got %v, want mistakes", err)
	}
	wanted := strings.Split(want, "; ")
	for i, m := range mistakes {
		got := fmt.Sprintf("%d:%d: %s", m.Line, m.Column, m.Message)
		if i >= len(wanted) || !strings.HasPrefix(got, wanted[i]) {
			t.Errorf("mistake %d: got %q, want one of %q", i, got, want)
		}
	}
	if len(mistakes) != len(wanted) {
		t.Errorf("got %d mistakes, want %d", len(mistakes), len(wanted))
	}
}

// ics wraps events, each given as its lines.
func ics(events ...string) []byte {
	text := "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n"
	for _, e := range events {
		text += "BEGIN:VEVENT\nUID:1\n" + e + "\nEND:VEVENT\n"
	}
	return []byte(strings.ReplaceAll(text+"END:VCALENDAR\n", "\n", "\r\n"))
}

func TestReadICal(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		events []string
		years  Years
		want   string
	}{
		"one day":           {[]string{"SUMMARY:Eve\nDTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261225"}, Years{}, "2026-12-24 Eve"},
		"no end":            {[]string{"SUMMARY:Eve\\, the day\nDTSTART;VALUE=DATE:20261224"}, Years{}, "2026-12-24 Eve, the day"},
		"the end is itself": {[]string{"DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261224"}, Years{}, "2026-12-24 "},
		"several days":      {[]string{"SUMMARY:Xmas\nDTSTART;VALUE=DATE:20261230\nDTEND;VALUE=DATE:20270102"}, Years{}, "2026-12-30 Xmas|2026-12-31 Xmas|2027-01-01 Xmas"},
		"a duration":        {[]string{"DTSTART;VALUE=DATE:20261230\nDURATION:P2D"}, Years{}, "2026-12-30 |2026-12-31 "},
		"within years":      {[]string{"SUMMARY:Xmas\nDTSTART;VALUE=DATE:20261230\nDTEND;VALUE=DATE:20270102"}, Years{2027, 2027}, "2027-01-01 Xmas"},
		"folded":            {[]string{"SUMMARY:Christ\n mas Eve\nDTSTART;VALUE=DATE:20261224"}, Years{}, "2026-12-24 Christmas Eve"},
		"yearly":            {[]string{"SUMMARY:Eve\nDTSTART;VALUE=DATE:20201224\nRRULE:FREQ=YEARLY"}, Years{}, "12-24 Eve"},
		"yearly, in years":  {[]string{"SUMMARY:Eve\nDTSTART;VALUE=DATE:20251224\nRRULE:FREQ=YEARLY"}, Years{2024, 2027}, "2025-12-24 Eve|2026-12-24 Eve|2027-12-24 Eve"},
		"a leap day":        {[]string{"DTSTART;VALUE=DATE:20240229\nRRULE:FREQ=YEARLY;INTERVAL=1"}, Years{2024, 2031}, "2024-02-29 |2028-02-29 "},
		"count":             {[]string{"DTSTART;VALUE=DATE:20240101\nRRULE:FREQ=YEARLY;COUNT=2"}, Years{2020, 2030}, "2024-01-01 |2025-01-01 "},
		"until":             {[]string{"DTSTART;VALUE=DATE:20240101\nRRULE:FREQ=YEARLY;UNTIL=20260101T000000Z"}, Years{2025, 2030}, "2025-01-01 |2026-01-01 "},
		"every second":      {[]string{"DTSTART;VALUE=DATE:20240101\nRRULE:FREQ=YEARLY;INTERVAL=2"}, Years{2025, 2029}, "2026-01-01 |2028-01-01 "},
		"without one":       {[]string{"DTSTART;VALUE=DATE:20240101\nRRULE:FREQ=YEARLY\nEXDATE;VALUE=DATE:20250101,20260101\nRDATE;VALUE=DATE:20250102"}, Years{2024, 2027}, "2024-01-01 |2025-01-02 |2027-01-01 "},
		"a weekday":         {[]string{"SUMMARY:MLK\nDTSTART;VALUE=DATE:20240115\nRRULE:FREQ=YEARLY;BYMONTH=1;BYDAY=3MO"}, Years{2025, 2026}, "2025-01-20 MLK|2026-01-19 MLK"},
		"a last weekday":    {[]string{"DTSTART;VALUE=DATE:20240527\nRRULE:FREQ=YEARLY;BYDAY=-1MO;BYMONTH=5"}, Years{2025, 2026}, "2025-05-26 |2026-05-25 "},
		"days of a month":   {[]string{"DTSTART;VALUE=DATE:20240630\nRRULE:FREQ=YEARLY;BYMONTH=6,12;BYMONTHDAY=-1"}, Years{2025, 2025}, "2025-06-30 |2025-12-31 "},
		"every month":       {[]string{"DTSTART;VALUE=DATE:20241115\nRRULE:FREQ=YEARLY;BYMONTHDAY=15"}, Years{2024, 2024}, "2024-11-15 |2024-12-15 "},
		"the same day":      {[]string{"SUMMARY:A\nDTSTART;VALUE=DATE:20261224", "SUMMARY:B\nDTSTART;VALUE=DATE:20261224", "SUMMARY:A\nDTSTART;VALUE=DATE:20261224"}, Years{}, "2026-12-24 A / B"},
		"cancelled":         {[]string{"SUMMARY:A\nDTSTART;VALUE=DATE:20261224", "SUMMARY:B\nSTATUS:CANCELLED\nDTSTART:20261224T100000Z"}, Years{}, "2026-12-24 A"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ReadICal("x.ics", ics(test.events...), test.years)
			if err != nil {
				t.Fatal(err)
			}
			var text []string
			for _, d := range got {
				text = append(text, d.Date+" "+d.Name)
			}
			if got := strings.Join(text, "|"); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestBrokenICal(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text []byte
		want string
	}{
		"empty":          {nil, "1:1: "},
		"CSV":            {[]byte("date,name\n"), "1:1: this is not an iCalendar file"},
		"no events":      {ics(), "1:1: there is no event"},
		"a time":         {ics("SUMMARY:Ok\nDTSTART;VALUE=DATE:20260101", "SUMMARY:Lunch\nDTSTART:20261224T120000Z\nDTEND:20261224T130000Z"), `9:1: event "Lunch": its DTSTART is a time`},
		"all that is":    {ics("DTSTART;VALUE=DATE:20261324", "SUMMARY:x", "DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261223", "DTSTART;VALUE=DATE:20261224\nDURATION:PT1H", "DTSTART;VALUE=DATE:20260101\nDTEND;VALUE=DATE:20280101"), `4:1: event "": its DTSTART "20261324"; 8:1: event "x": it has no DTSTART; 12:1: event "": it ends; 17:1: event "": its DURATION; 22:1: event "": it takes 730 days`},
		"rules":          {ics("DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=WEEKLY", "DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=YEARLY;BYWEEKNO=1", "DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=YEARLY;COUNT=3", "DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=YEARLY;BYMONTH=0", "DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=YEARLY;BYDAY=MO", "DTSTART;VALUE=DATE:20260101\nRRULE:COUNT=3"), `4:1: event "": it repeats by FREQ=WEEKLY; 9:1: event "": its rule has BYWEEKNO; 14:1: event "": it repeats otherwise; 19:1: event "": its rule: BYMONTH; 24:1: event "": its rule has BYDAY without; 29:1: event "": its rule has no FREQ`},
		"one repetition": {ics("DTSTART;VALUE=DATE:20260101\nRECURRENCE-ID;VALUE=DATE:20260101"), `4:1: event "": it changes one repetition`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ReadICal("x.ics", test.text, Years{})
			told(t, err, test.want)
		})
	}
	if _, err := ReadICal("x.ics", ics("DTSTART;VALUE=DATE:20260101"), Years{2030, 2020}); err == nil {
		t.Error("years that end before they begin: want an error")
	}
}

// TestRoundTrip: what is written as CSV or iCalendar is read back as it was.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var want []calendar.Date
		for _, d := range rapid.SliceOfNDistinct(rapid.IntRange(0, 60000), 1, 20, rapid.ID).Draw(t, "days") {
			name := rapid.SampledFrom([]string{"", "New Year's Day", `a "quoted", one; and\more`, "成人の日", "=1+1", strings.Repeat("longer than a line ", 9) + "end", "a:b", "A / B"}).Draw(t, "name")
			text := calendar.Day(d).String()
			if rapid.Bool().Draw(t, "yearly") {
				text = text[5:]
			}
			want = append(want, calendar.Date{Date: text, Name: name})
		}
		want = tidy(want)
		for i := range want { // what one day had twice is one entry now, and read as such
			want[i].Name = oneLine(want[i].Name)
		}
		got, err := ReadCSV("x.csv", WriteCSV(want))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("CSV: %s", diff)
		}
		text, err := WriteICal("holidays/de", want, time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC))
		if err != nil {
			t.Fatal(err)
		}
		if got, err = ReadICal("x.ics", text, Years{}); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("iCalendar: %s\n%s", diff, text)
		}
	})
}

func TestSeeds(t *testing.T) {
	t.Parallel()
	seeds, err := Seeds()
	if err != nil {
		t.Fatal(err)
	}
	countries := 0
	for _, s := range seeds {
		if !s.Region {
			countries++
		}
		if s.Years != (Years{2020, 2040}) || strings.HasSuffix(s.Name, ": "+strings.TrimPrefix(s.Code, s.Code[:min(3, len(s.Code))])) {
			t.Errorf("%s: years %v, name %q", s.Code, s.Years, s.Name)
		}
		d, err := s.Definition("", Years{})
		if err != nil {
			t.Fatal(err)
		}
		if problems := calendar.CheckDefinition(&d, func(string) (*calendar.Definition, bool) { return nil, false }); len(problems) > 0 {
			t.Errorf("%s: %v", s.Code, problems)
		}
		for year := 2020; year <= 2040; year++ {
			one, err := s.Definition("x", Years{year, year})
			if n := len(one.Free); err != nil || n < 4 || n > 30 {
				t.Errorf("%s has %d holidays in %d (%v)", s.Code, n, year, err)
			}
		}
	}
	if countries < 25 {
		t.Errorf("got %d countries, want at least 25", countries)
	}
	if _, err := FindSeed("xx"); err == nil {
		t.Error("xx: want an error")
	}
	if _, err := FindSeed("../at"); err == nil {
		t.Error("../at: want an error")
	}
	de, _ := FindSeed("de")
	if _, err := de.Definition("", Years{2010, 2020}); err == nil {
		t.Error("years that are not there: want an error")
	}
}

// TestKnownHolidays: days that a person can look up.
func TestKnownHolidays(t *testing.T) {
	t.Parallel()
	for code, want := range map[string][]string{
		"JP":     {"2024-01-08", "2024-02-12", "2024-05-06", "2024-08-12", "2024-09-22", "2024-09-23", "2024-11-04", "2026-05-06", "2026-09-21", "2026-09-22", "2026-09-23", "2021-08-09", "!2021-08-11", "!2020-12-23"},
		"US":     {"2026-01-19", "2026-05-25", "2026-06-19", "2026-07-03", "2026-07-04", "2026-11-26", "2021-12-31", "2022-06-20", "!2020-06-19", "!2026-11-27"},
		"GB":     {"2023-05-08", "2023-05-01", "2022-09-19", "2022-06-03", "2021-12-27", "2021-12-28", "2026-12-28", "!2022-05-30"},
		"DE":     {"2026-04-03", "2026-04-06", "2026-05-14", "2026-05-25", "2026-10-03", "!2026-01-06", "!2026-06-04", "!2026-11-01"},
		"DE-BY":  {"2026-01-06", "2026-06-04", "2026-11-01", "2026-10-03", "!2026-10-31"},
		"DE-BE":  {"2025-05-08", "2026-03-08", "!2026-05-08"},
		"DE-MV":  {"2023-03-08", "!2022-03-08"},
		"FR":     {"2026-05-14", "2026-07-14"},
		"GR":     {"2026-04-10", "2026-04-13"}, // Orthodox Easter
		"DK":     {"2023-05-05", "!2024-04-26"},
		"NZ":     {"2026-07-10", "2024-06-28"},
		"PL":     {"2025-12-24", "!2024-12-24"},
		"RO":     {"2024-01-06", "!2023-01-06"},
		"SK":     {"!2024-09-01", "!2025-11-17", "2023-09-01"},
		"IE":     {"2023-02-06", "2026-02-02"},
		"ECB":    {"2026-04-03", "2026-05-01", "2026-12-26"},
		"CH":     {"2026-01-01", "2026-08-01", "2026-12-25", "!2026-05-01"},
		"CH-ZH":  {"2026-05-01"},
		"AU-VIC": {"2026-11-03"},
		"BR":     {"2024-11-20", "2026-04-21"},
		"ZA":     {"2024-05-29"},
	} {
		s, err := FindSeed(code)
		if err != nil {
			t.Fatal(err)
		}
		for _, date := range want {
			day, not := strings.CutPrefix(date, "!")
			if got := slices.ContainsFunc(s.Dates, func(d calendar.Date) bool { return d.Date == day }); got == not {
				t.Errorf("%s: %s is a holiday: got %v", code, day, got)
			}
		}
	}
}

// TestEaster: the movable feasts follow Easter by the rule of Meeus, which is another algorithm than the source's.
func TestEaster(t *testing.T) {
	t.Parallel()
	de, err := FindSeed("DE")
	if err != nil {
		t.Fatal(err)
	}
	for year := 2020; year <= 2040; year++ {
		a, b, c := year%19, year/100, year%100
		d, e := b/4, b%4
		g := (8*b + 13) / 25
		h := (19*a + b - d - g + 15) % 30
		m := (a + 11*h) / 319
		r := (2*e + 2*(c/4) - c%4 - h + m + 32) % 7
		month := (h - m + r + 90) / 25
		easter := calendar.DayOf(year, time.Month(month), (h-m+r+month+19)%32)
		for name, offset := range map[string]calendar.Day{"Karfreitag": -2, "Ostermontag": 1, "Christi Himmelfahrt": 39, "Pfingstmontag": 50} {
			want := calendar.Date{Date: (easter + offset).String(), Name: name}
			if !slices.Contains(de.Dates, want) {
				t.Errorf("%v is not there", want)
			}
		}
	}
}

func FuzzTables(f *testing.F) {
	f.Add([]byte("date,name\n2026-12-24,Eve\n"))
	f.Add(ics("SUMMARY:x\nDTSTART;VALUE=DATE:20260101\nRRULE:FREQ=YEARLY;BYMONTH=1;BYDAY=3MO"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, years := range []Years{{}, {2020, 2030}} {
			if list, err := ReadICal("x.ics", text, years); err == nil && len(list) > mostDays {
				t.Errorf("got %d days", len(list))
			}
		}
		if list, err := ReadCSV("x.csv", text); err == nil && len(list) > mostDays {
			t.Errorf("got %d days", len(list))
		}
	})
}
