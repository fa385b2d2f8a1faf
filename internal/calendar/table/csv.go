package table

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/reeve-scheduler/reeve/internal/calendar"
)

// ReadCSV reads a table (RFC 4180) whose first line names the columns: date and name, in any order; others are not looked at.
// Columns are parted by commas or, where the first line has them so, by semicolons. Each date is 2026-12-24, or 12-24 for every
// year. name is what mistakes call the file; the error is fault.Mistakes, with all of them.
func ReadCSV(name string, text []byte) ([]calendar.Date, error) {
	m := &mistakes{file: name}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if !utf8.Valid(text) {
		m.add(1, 1, "the file is not UTF-8 text: save it as CSV UTF-8")
		return nil, m.err()
	}
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma, r.FieldsPerRecord, r.TrimLeadingSpace = comma(text), -1, true
	head, err := r.Read()
	if errors.Is(err, io.EOF) {
		m.add(1, 1, "the file is empty: its first line is date,name")
		return nil, m.err()
	}
	date, label := -1, -1
	for i, field := range head {
		switch strings.ToLower(strings.TrimSpace(field)) {
		case "date":
			date = i
		case "name":
			label = i
		}
	}
	if err == nil && date < 0 {
		m.add(1, 1, "the first line names the columns, and there is none called date: write date,name")
		return nil, m.err()
	}
	var out []calendar.Date
	seen := map[string]int{}
	for err == nil {
		var row []string
		if row, err = r.Read(); err != nil {
			break
		}
		entry, ok := readRow(r, m, row, date, label)
		if !ok {
			continue
		}
		line, column := r.FieldPos(date)
		if first, twice := seen[entry.Date]; twice {
			m.add(line, column, fmt.Sprintf("%s stands twice: the other one is in line %d", entry.Date, first))
			continue
		}
		seen[entry.Date] = line
		if len(seen) > mostDays {
			m.add(line, column, fmt.Sprintf("a table has at most %d days", mostDays))
			break
		}
		out = append(out, entry)
	}
	var wrong *csv.ParseError
	if errors.As(err, &wrong) {
		m.add(wrong.Line, wrong.Column, "this is not CSV: "+wrong.Err.Error())
	}
	if err := m.err(); err != nil {
		return nil, err
	}
	return tidy(out), nil
}

// readRow reads one row; false: it has no date, and that is told.
func readRow(r *csv.Reader, m *mistakes, row []string, date, label int) (calendar.Date, bool) {
	if date >= len(row) {
		line, _ := r.FieldPos(0)
		m.add(line, 1, "this line has no date")
		return calendar.Date{}, false
	}
	entry := calendar.Date{Date: strings.TrimSpace(row[date])}
	line, column := r.FieldPos(date)
	if _, _, _, err := calendar.ParseDate(entry.Date); err != nil {
		m.add(line, column, err.Error())
		return calendar.Date{}, false
	}
	if label >= 0 && label < len(row) {
		entry.Name = oneLine(row[label])
	}
	return entry, true
}

// oneLine is a text without what would break a line.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// comma is what parts the columns of the first line.
func comma(text []byte) rune {
	head, _, _ := bytes.Cut(text, []byte("\n"))
	if bytes.Count(head, []byte(";")) > bytes.Count(head, []byte(",")) {
		return ';'
	}
	return ','
}

// WriteCSV writes a table as ReadCSV reads it.
func WriteCSV(list []calendar.Date) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write([]string{"date", "name"}) // into memory
	for _, d := range list {
		_ = w.Write([]string{d.Date, d.Name})
	}
	w.Flush()
	return b.Bytes()
}
