package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// mend puts right what the source has wrong or does not know yet.
//
// Not mended, because no table of a whole region can say it: Mariä Himmelfahrt is free in most communes of Bavaria and not in
// the others (it is left out), Fronleichnam in some of Thuringia and Saxony. Of Japan the source has the Emperor's Birthday of
// 2019 wrong, a year before these tables begin. The list of the United Kingdom is that of England and Wales.
func mend(code string, rows []row) []row {
	m := table{rows}
	switch code {
	case "au":
		m.australia()
	case "bg":
		m.bulgaria()
	case "br": // Lei 14.759 of 2023
		m.yearly(2024, "11-20", "Dia Nacional de Zumbi e da Consciência Negra")
		m.without("Carnaval", "Corpus Christi") // ponto facultativo
	case "ca": // the list of the Canada Labour Code, without what only provinces have, or the state for its own
		m.without("Easter Monday", "Civic/Provincial Day")
	case "ch":
		m.switzerland()
	case "de":
		m.add("2020-05-08", "Tag der Befreiung", "BE")
		m.add("2025-05-08", "Tag der Befreiung", "BE")
		m.add("2028-06-17", "75. Jahrestag des Volksaufstands in der DDR", "BE")
		m.region(2023, "03-08", "MV") // Frauentag
		m.feast("Ostermontag", -1, "Ostersonntag", "BB")
		m.feast("Pfingstmontag", -1, "Pfingstsonntag", "BB")
	case "dk":
		m.feast("Anden påskedag", -1, "Påskedag", "")
		m.feast("Anden Pinsedag", -1, "Pinsedag", "")
		m.without("Grundlovsdag") // by agreements, and for a part of the day
	case "gb":
		m.add("2022-09-19", "State Funeral of Queen Elizabeth II", "")
	case "gr": // the source calls New Year's Day Xristougenna
		m.rename("01-01", "Πρωτοχρονιά")
		m.feast("Δευτέρα του Πάσχα", -1, "Κυριακή του Πάσχα", "")
		m.feast("Δευτέρα του Πάσχα", 48, "Πεντηκοστή", "")
	case "it": // Legge 151 of 2025
		m.yearly(2026, "10-04", "San Francesco d'Assisi")
		m.feast("Pasquetta", -1, "Pasqua", "")
	case "jp": // Mountain Day was moved for the Olympic Games
		m.drop("2020-08-11")
		m.add("2020-08-10", "Mountain Day", "")
		m.drop("2021-08-11")
		m.add("2021-08-08", "Mountain Day", "")
		m.add("2021-08-09", "Mountain Day (observed)", "")
	case "lt":
		m.feast("Antroji šv. Velykų diena", -1, "Šv. Velykos", "")
		for year := first; year <= last; year++ {
			m.put(sunday(year, time.May, 1), "Motinos diena", "")
			m.put(sunday(year, time.June, 1), "Tėvo diena", "")
		}
	case "lv": // decided the evening before
		m.add("2023-05-29", "Bronza pasaules čempionātā hokejā", "")
	case "nl":
		m.feast("Tweede Paasdag", -1, "Eerste Paasdag", "")
		m.feast("Tweede Pinksterdag", -1, "Eerste Pinksterdag", "")
		m.without("Goede Vrijdag")
		for year := first; year <= last; year++ { // Bevrijdingsdag is free for all every five years
			if year%5 != 0 {
				m.drop(fmt.Sprintf("%d-05-05", year))
			}
		}
	case "no":
		m.feast("Andre påskedag", -1, "Første påskedag", "")
		m.feast("Andre pinsedag", -1, "Første pinsedag", "")
	case "nz":
		m.king()
		m.matariki()
		m.add("2022-09-26", "Queen Elizabeth II Memorial Day", "")
	case "pl": // Christmas Eve, by the law of 6 December 2024
		m.yearly(2025, "12-24", "Wigilia Bożego Narodzenia")
		m.feast("drugi dzień Wielkiej Nocy", -1, "pierwszy dzień Wielkiej Nocy", "")
		m.feast("drugi dzień Wielkiej Nocy", 48, "pierwszy dzień Zielonych Świątek", "")
	case "ro": // Legea 52 of 2023
		m.yearly(2024, "01-06", "Botezul Domnului")
		m.yearly(2024, "01-07", "Soborul Sfântului Ioan Botezătorul")
	case "se":
		m.feast("Annandag påsk", -1, "Påskdagen", "")
		m.feast("Annandag påsk", 48, "Pingstdagen", "")
	case "sk": // no free days any more: 1 September, then 17 November; in 2026, and only then, two more are worked
		for year := 2024; year <= last; year++ {
			m.drop(fmt.Sprintf("%d-09-01", year))
		}
		for year := 2025; year <= last; year++ {
			m.drop(fmt.Sprintf("%d-11-17", year))
		}
		m.drop("2026-05-08")
		m.drop("2026-09-15")
	case "za": // declared by the president
		m.add("2021-11-01", "Local Government Elections", "")
		m.add("2022-12-27", "Public Holiday", "")
		m.add("2023-12-15", "Rugby World Cup", "")
		m.add("2024-05-29", "General Elections", "")
	}
	return m.rows
}

type table struct{ rows []row }

func (m *table) add(date, name string, regions ...string) {
	m.rows = append(m.rows, row{date, name, regions})
}

func (m *table) drop(date string) {
	m.rows = slices.DeleteFunc(m.rows, func(r row) bool { return r.date == date })
}

// put adds a day that a calculation found.
func (m *table) put(day time.Time, name string, regions ...string) {
	if y := day.Year(); y >= first && y <= last {
		m.add(day.Format(time.DateOnly), name, regions...)
	}
}

// without drops what has one of these names, and the days in its place.
func (m *table) without(names ...string) {
	for _, name := range names {
		m.known(name)
	}
	m.rows = slices.DeleteFunc(m.rows, func(r row) bool { return slices.Contains(names, strings.TrimSuffix(r.name, " (observed)")) })
}

func (m *table) yearly(since int, day, name string) {
	for year := since; year <= last; year++ {
		m.add(fmt.Sprintf("%d-%s", year, day), name, "")
	}
}

// feast adds a day that is so many days after another one.
func (m *table) feast(of string, offset int, name string, regions ...string) {
	m.since(0, of, offset, name, regions...)
}

func (m *table) since(year int, of string, offset int, name string, regions ...string) {
	m.known(of)
	for _, r := range slices.Clone(m.rows) {
		if r.name == of && r.day().Year() >= year {
			m.put(r.day().AddDate(0, 0, offset), name, regions...)
		}
	}
}

// known stops the program where the source calls a day otherwise: what mends nothing would not be seen.
func (m *table) known(name string) {
	if !slices.ContainsFunc(m.rows, func(r row) bool { return r.name == name }) {
		panic(fmt.Sprintf("the source has no %q", name))
	}
}

func (r row) day() time.Time {
	t, err := time.Parse(time.DateOnly, r.date)
	if err != nil {
		panic(err)
	}
	return t
}

// sunday is the n-th Sunday of a month.
func sunday(year int, month time.Month, n int) time.Time {
	t := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
	return t.AddDate(0, 0, (7-int(t.Weekday()))%7+7*(n-1))
}

// region says that a day that some regions have is free in one more since a year.
func (m *table) region(since int, day, region string) {
	for i, r := range m.rows {
		if r.date[5:] == day && r.date[:4] >= fmt.Sprint(since) && !slices.Contains(r.regions, "") && !slices.Contains(r.regions, region) {
			m.rows[i].regions = append(slices.Clone(r.regions), region)
			slices.Sort(m.rows[i].regions)
		}
	}
}

func (m *table) rename(day, name string) {
	for i, r := range m.rows {
		if r.date[5:] == day {
			m.rows[i].name = name
		}
	}
}

// king names the sovereign's birthday as it is called since the accession of Charles III.
func (m *table) king() {
	for i, r := range m.rows {
		if r.date >= "2022-09-09" {
			m.rows[i].name = strings.ReplaceAll(r.name, "Queen's Birthday", "King's Birthday")
		}
	}
}

// matariki adds the dates of Te Kāhui o Matariki Public Holiday Act 2022, which the source does not know.
func (m *table) matariki() {
	for _, date := range []string{
		"2022-06-24", "2023-07-14", "2024-06-28", "2025-06-20", "2026-07-10", "2027-06-25", "2028-07-14", "2029-07-06", "2030-06-21", "2031-07-11",
		"2032-07-02", "2033-06-24", "2034-07-07", "2035-06-29", "2036-07-18", "2037-07-10", "2038-06-25", "2039-07-15", "2040-07-06",
	} {
		m.add(date, "Matariki", "")
	}
}

func (m *table) australia() {
	m.king()
	m.add("2022-09-22", "National Day of Mourning for Queen Elizabeth II", "")
	for i, r := range m.rows { // proclaimed a week earlier
		if r.date == "2024-09-30" && slices.Contains(r.regions, "WA") {
			m.rows[i].date = "2024-09-23"
		}
	}
	m.since(2022, "Easter Monday", -1, "Easter Sunday", "WA")
	m.since(2023, "Easter Monday", -1, "Easter Sunday", "NT")
	m.since(2024, "Easter Monday", -1, "Easter Sunday", "SA") // Public Holidays Act 2023, which also has no Monday after Anzac Day
	for i, r := range m.rows {
		if r.name == "ANZAC Day (observed)" && r.date >= "2024" {
			m.rows[i].regions = slices.DeleteFunc(slices.Clone(r.regions), func(region string) bool { return region == "SA" })
		}
	}
	m.add("2026-04-27", "Additional public holiday for Anzac Day", "NSW") // Public Holidays Amendment (Anzac Day) Order 2026
	m.add("2027-04-26", "Additional public holiday for Anzac Day", "NSW")
}

// bulgaria computes the days in the place of those on weekends anew, and Labour Day, of which the source makes another day when it
// comes in the week of Easter. Labour Code, article 154: the first working day after, for all but Easter.
func (m *table) bulgaria() {
	const labour = "Ден на труда и на международната работническа солидарност"
	m.rows = slices.DeleteFunc(m.rows, func(r row) bool { return r.name == labour || strings.HasSuffix(r.name, " (observed)") })
	m.yearly(first, "05-01", labour)
	slices.SortFunc(m.rows, func(a, b row) int { return strings.Compare(a.date+a.name, b.date+b.name) })
	easter := map[string]bool{"Велики петък": true, "Велика събота": true, "Великден": true, "Велики понеделник": true}
	for i, r := range m.rows {
		if r.name == "Великден" { // it is the Monday
			m.rows[i].name = "Велики понеделник"
		}
	}
	m.feast("Велики петък", 1, "Велика събота", "")
	m.feast("Велики петък", 2, "Великден", "")
	for _, r := range slices.Clone(m.rows) {
		if day := r.day(); !easter[r.name] && (day.Weekday() == time.Saturday || day.Weekday() == time.Sunday) {
			for m.free(day) {
				day = day.AddDate(0, 0, 1)
			}
			m.put(day, r.name+" (observed)", "")
		}
	}
}

func (m *table) free(day time.Time) bool {
	return day.Weekday() == time.Saturday || day.Weekday() == time.Sunday ||
		slices.ContainsFunc(m.rows, func(r row) bool { return r.date == day.Format(time.DateOnly) })
}

// switzerland says anew which canton has what: the list of the Federal Office of Justice, as vacanza/holidays and date-holidays have
// it. Fribourg and Solothurn are taken for what most of their communes have. Half days are left out.
func (m *table) switzerland() {
	cantons := map[string]string{
		"Berchtoldstag":              "AG BE JU LU TG VD",
		"Heilige Drei Könige":        "SZ TI UR",
		"Josefstag":                  "NW SZ TI UR VS",
		"Karfreitag":                 "AG AI AR BE BL BS FR GE GL JU LU NE NW OW SG SH SO SZ TG UR VD ZG ZH",
		"Ostermontag":                "AG AI AR BE BL BS GE GL GR JU LU SG SH SZ TG TI UR VD ZH",
		"Tag der Arbeit":             "AG BL BS JU NE SH TG TI ZH",
		"Pfingstmontag":              "AG AI AR BE BL BS GE GL GR JU LU SG SH SZ TG TI UR VD ZH",
		"Fronleichnam":               "AG AI FR JU LU NE NW OW SO SZ TI UR VS ZG",
		"Mariä Himmelfahrt":          "AG AI FR JU LU NW OW SO SZ TI UR VS ZG",
		"Allerheiligen":              "AG AI FR GL JU LU NW OW SG SO SZ TI UR VS ZG",
		"Mariä Empfängnis":           "AG AI FR LU NW OW SZ TI UR VS ZG",
		"Zweiter Weihnachtsfeiertag": "AG BE BL BS GL GR LU SG SH SZ TG TI ZH",
	}
	for name := range cantons {
		m.known(name)
	}
	for i, r := range m.rows {
		if list, ok := cantons[r.name]; ok {
			m.rows[i].regions = strings.Fields(list)
		}
	}
	for year := first; year <= last; year++ {
		day := func(month time.Month, dom int) time.Time { return time.Date(year, month, dom, 0, 0, 0, 0, time.UTC) }
		m.put(day(time.March, 1), "Instauration de la République", "NE")
		m.put(day(time.June, 23), "Fest der Unabhängigkeit", "JU")
		m.put(day(time.June, 29), "Peter und Paul", "TI")
		m.put(day(time.September, 25), "Bruder Klaus", "OW")
		m.put(day(time.December, 31), "Restauration de la République", "GE")
		m.put(sunday(year, time.September, 1).AddDate(0, 0, 4), "Jeûne genevois", "GE")
		m.put(sunday(year, time.September, 3).AddDate(0, 0, 1), "Lundi du Jeûne fédéral", "VD")
		if jan := day(time.January, 2); jan.Weekday() == time.Monday {
			m.put(jan, "2 janvier", "NE")
		}
		dec := day(time.December, 26)
		switch dec.Weekday() { // the day after a Christmas on Sunday; and not three days of rest, nor two and a day between
		case time.Monday:
			m.put(dec, "Stephanstag", "AI", "AR", "NE", "UR")
		case time.Tuesday, time.Saturday:
		default:
			m.put(dec, "Stephanstag", "AI", "AR", "UR")
		}
		// Näfelser Fahrt is the first Thursday of April, but not the one before Easter.
		for _, r := range m.rows {
			if r.name == "Karfreitag" && r.day().Year() == year {
				thursday := sunday(year, time.April, 1)
				if thursday = thursday.AddDate(0, 0, 4); thursday.Day() > 7 {
					thursday = thursday.AddDate(0, 0, -7)
				}
				if thursday.Equal(r.day().AddDate(0, 0, -1)) {
					thursday = thursday.AddDate(0, 0, 7)
				}
				m.put(thursday, "Näfelser Fahrt", "GL")
				break
			}
		}
	}
}
