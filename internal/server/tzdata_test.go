package server

import (
	"archive/zip"
	"bytes"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/internal/store/sqlite"
)

// olderDatabase is the embedded database with Berlin an hour off, as of another version.
func olderDatabase(t *testing.T) []byte {
	t.Helper()
	text, err := calendar.BuiltinZip()
	if err != nil {
		t.Fatal(err)
	}
	from, err := zip.NewReader(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	content := func(name string) []byte {
		f, err := from.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	var out bytes.Buffer
	to := zip.NewWriter(&out)
	for name, text := range map[string][]byte{
		"+VERSION": []byte("2001a\n"), "Europe/Berlin": content("Europe/London"), "Asia/Tokyo": content("Asia/Tokyo"), "UTC": content("UTC"),
	} {
		w, err := to.Create(name)
		if err == nil {
			_, err = w.Write(text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// A program with another time zone database says what that moves, puts all schedules under it, and keeps the older one.
func TestAnotherTimeZoneDatabase(t *testing.T) {
	t.Parallel()
	ctx, folder := t.Context(), t.TempDir()
	st, err := sqlite.Open(ctx, filepath.Join(folder, "store"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	var log bytes.Buffer
	s := &Server{cfg: Config{Data: folder}, store: st, env: Env{Now: func() time.Time { return now }, Log: slog.New(slog.NewTextHandler(&log, nil))}}
	batch := store.Batch{Epoch: 1}
	for _, zone := range []string{"Europe/Berlin", "Asia/Tokyo", "UTC"} {
		rule := calendar.DefaultSchedule()
		rule.Name, rule.Cron, rule.Zone = "daily", "0 6 * * *", zone
		batch.Spans = append(batch.Spans, store.SpanWrite{Span: occurrence.Span{Net: "a/" + strings.ToLower(zone), Schedule: "daily", Version: 3, Since: now.Add(-time.Hour), Rule: rule, TZData: "2001a"}})
	}
	if _, err := st.Commit(ctx, batch); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, zoneFile), olderDatabase(t), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing to do
		if err := s.openZones(ctx, 1); err != nil {
			t.Fatal(err)
		}
	}
	version := calendar.Builtin().Version()
	open, err := st.Spans(ctx, store.SpanQuery{Open: true})
	if err != nil || len(open) != 3 {
		t.Fatalf("got %+v, %v", open, err)
	}
	for _, span := range open {
		if span.TZData != version || !span.Since.Equal(now) || span.Version != 3 {
			t.Errorf("got %+v", span)
		}
	}
	if all, err := st.Spans(ctx, store.SpanQuery{}); err != nil || len(all) != 6 {
		t.Errorf("got %d spans, %v", len(all), err)
	}
	audit, err := st.ListAudit(ctx, 0, 10)
	if err != nil || len(audit) != 1 || audit[0].Action != "tzdata.upgrade" || !strings.Contains(audit[0].Detail, "by 2001a; in the next 13 months 1 of them change: 395 occurrences move, 0 are added, 0 go") {
		t.Errorf("got %+v, %v", audit, err)
	}
	if len(s.zoneWarnings) != 1 || !strings.Contains(log.String(), "a/europe/berlin") || strings.Contains(log.String(), "a/asia/tokyo") {
		t.Errorf("got %q and\n%s", s.zoneWarnings, log.String())
	}
	for name, want := range map[string]string{zoneFile: version, "tzdata-2001a.zip": "2001a"} {
		if zones, err := readZones(filepath.Join(folder, name)); err != nil || zones == nil || zones.Version() != want {
			t.Errorf("%s: got %v, %v, want version %s", name, zones, err, want)
		}
	}
}

// Where the database of before is not known, schedules go on by the new one, and it is said that nobody can say what moves.
func TestAnUnknownTimeZoneDatabase(t *testing.T) {
	t.Parallel()
	ctx, folder := t.Context(), t.TempDir()
	st, err := sqlite.Open(ctx, filepath.Join(folder, "store"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	s := &Server{cfg: Config{Data: folder}, store: st, env: Env{Now: time.Now, Log: slog.New(slog.DiscardHandler)}}
	rule := calendar.DefaultSchedule()
	rule.Name, rule.Cron = "daily", "0 6 * * *"
	gone := rule
	gone.Zone = "Mars/Olympus"
	if _, err := st.Commit(ctx, store.Batch{Epoch: 1, Spans: []store.SpanWrite{
		{Span: occurrence.Span{Net: "a/b", Schedule: "daily", Since: time.Now(), Rule: rule, TZData: "2001a"}},
		{Span: occurrence.Span{Net: "a/c", Schedule: "daily", Since: time.Now(), Rule: gone, TZData: "2001a"}},
	}}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, zoneFile), []byte("no zip"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.openZones(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if len(s.zoneWarnings) != 1 || !strings.Contains(s.zoneWarnings[0], "cannot be said") || !strings.Contains(s.zoneWarnings[0], "1 schedules cannot go on") {
		t.Errorf("got %q", s.zoneWarnings)
	}
	if zones, err := readZones(filepath.Join(folder, zoneFile)); err != nil || zones == nil {
		t.Errorf("got %v, %v", zones, err)
	}
}
