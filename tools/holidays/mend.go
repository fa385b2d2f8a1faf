package main

import (
	"fmt"
	"slices"
	"strings"
)

// mend puts right what the source has wrong or does not know yet.
//
// Not mended, because no table of a whole region can say it: Mariä Himmelfahrt is free in most communes of Bavaria and not in
// the others (it is left out), Fronleichnam in some of Thuringia and Saxony. Of Japan the source has the Emperor's Birthday of
// 2019 wrong, a year before these tables begin.
func mend(code string, rows []row) []row {
	m := table{rows}
	switch code {
	case "au": // the name of a holiday changed with the monarch
		m.king()
	case "br": // Lei 14.759 of 2023
		m.yearly(2024, "11-20", "Dia Nacional de Zumbi e da Consciência Negra")
	case "de":
		m.add("2020-05-08", "Tag der Befreiung", "BE")
		m.add("2025-05-08", "Tag der Befreiung", "BE")
		m.region(2023, "03-08", "MV") // Frauentag
	case "gb":
		m.add("2022-09-19", "State Funeral of Queen Elizabeth II")
	case "gr": // the source calls New Year's Day Xristougenna
		m.rename("01-01", "Πρωτοχρονιά")
	case "it": // Legge 151 of 2025
		m.yearly(2026, "10-04", "San Francesco d'Assisi")
	case "jp": // Mountain Day was moved for the Olympic Games
		m.drop("2020-08-11")
		m.add("2020-08-10", "Mountain Day")
		m.drop("2021-08-11")
		m.add("2021-08-08", "Mountain Day")
		m.add("2021-08-09", "Mountain Day (observed)")
	case "nz":
		m.king()
		m.matariki()
		m.add("2022-09-26", "Queen Elizabeth II Memorial Day")
	case "pl": // Christmas Eve, by the law of 6 December 2024
		m.yearly(2025, "12-24", "Wigilia Bożego Narodzenia")
	case "ro": // Legea 52 of 2023
		m.yearly(2024, "01-06", "Botezul Domnului")
		m.yearly(2024, "01-07", "Soborul Sfântului Ioan Botezătorul")
	case "sk": // no free days any more: 1 September, then 17 November; in 2026 two more are worked
		for year := 2024; year <= last; year++ {
			m.drop(fmt.Sprintf("%d-09-01", year))
		}
		for year := 2025; year <= last; year++ {
			m.drop(fmt.Sprintf("%d-11-17", year))
		}
		m.drop("2026-05-08")
		m.drop("2026-09-15")
	case "za": // declared by the president
		m.add("2021-11-01", "Local Government Elections")
		m.add("2022-12-27", "Public Holiday")
		m.add("2023-12-15", "Rugby World Cup")
		m.add("2024-05-29", "General Elections")
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

func (m *table) yearly(since int, day, name string) {
	for year := since; year <= last; year++ {
		m.add(fmt.Sprintf("%d-%s", year, day), name)
	}
}

// region says that a day that some regions have is free in one more since a year.
func (m *table) region(since int, day, region string) {
	for i, r := range m.rows {
		if r.date[5:] == day && r.date[:4] >= fmt.Sprint(since) && len(r.regions) > 0 && !slices.Contains(r.regions, region) {
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
		m.add(date, "Matariki")
	}
}
