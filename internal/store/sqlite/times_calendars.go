package sqlite

import (
	"context"
	"fmt"

	"github.com/reeve-scheduler/reeve/internal/store"
)

func applyCalendar(ctx context.Context, c *conn, v store.CalendarVersion) error {
	return guarded(ctx, c, store.Conflict{Noun: "calendar", ID: v.Name},
		`INSERT INTO calendars (name, version, hash, text, applied, who) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		v.Name, v.Version, v.Hash, v.Text, v.Applied, v.By)
}

func scanCalendar(r row) store.CalendarVersion {
	return store.CalendarVersion{Name: r.str(0), Version: int(r.int(1)), Hash: r.str(2), Text: r.str(3), Applied: r.time(4), By: r.str(5)}
}

// Calendar implements store.Calendars.
func (s *Store) Calendar(ctx context.Context, name string, version int) (store.CalendarVersion, error) {
	all, err := list(ctx, s.state, scanCalendar, `SELECT name, version, hash, text, applied, who FROM calendars
		WHERE name = ?1 AND (version = ?2 OR ?2 = 0) ORDER BY version DESC LIMIT 1`, name, version)
	if err == nil && len(all) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.CalendarVersion{}, fmt.Errorf("reading calendar %s: %w", name, err)
	}
	return all[0], nil
}

// ListCalendars implements store.Calendars.
func (s *Store) ListCalendars(ctx context.Context) ([]store.CalendarVersion, error) {
	all, err := list(ctx, s.state, scanCalendar, `SELECT name, max(version), hash, text, applied, who FROM calendars GROUP BY name ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("listing calendars: %w", err)
	}
	return all, nil
}

// CalendarVersions implements store.Calendars.
func (s *Store) CalendarVersions(ctx context.Context, name string) ([]store.CalendarVersion, error) {
	all, err := list(ctx, s.state, scanCalendar, `SELECT name, version, hash, text, applied, who FROM calendars WHERE name = ? ORDER BY version DESC`, name)
	if err == nil && len(all) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("reading the versions of calendar %s: %w", name, err)
	}
	return all, nil
}
