package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/domain"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

// zoneFile is the time zone database by which the schedules in force were made, in the data folder. A program with another version
// compares the two, and keeps the older one beside it.
const zoneFile = "tzdata.zip"

// zoneBounds are how many of the schedules that a new database moves are named in the log, and how many spans one commit takes.
const (
	zoneNamed  = 100
	zoneCommit = 5000
)

// openZones puts the schedules in force under the time zone database of this program, where they were made by another, and says what
// that moves in the next months. It comes before the engine, which reads schedules as they are then.
func (s *Server) openZones(ctx context.Context, epoch int64) error {
	zones := calendar.Builtin()
	path := filepath.Join(s.cfg.Data, zoneFile)
	old, err := readZones(path)
	if err != nil {
		s.env.Log.Warn("the time zone database of before cannot be read: what the new one moves cannot be said", slog.Any("error", err))
	}
	if old != nil && old.Version() == zones.Version() {
		return nil // there may be very many schedules, and none is read twice at each start
	}
	spans, err := s.store.Spans(ctx, store.SpanQuery{Open: true})
	if err != nil {
		return fmt.Errorf("reading the schedules in force: %w", err)
	}
	change := &zoneChange{server: s, epoch: epoch, zones: zones, old: old}
	for _, span := range spans {
		if span.TZData != zones.Version() {
			change.spans = append(change.spans, span)
		}
	}
	if err := change.apply(ctx); err != nil {
		return err
	}
	return keepZones(path, old)
}

// readZones reads a database from a file; nil: there is none.
func readZones(path string) (*calendar.Zones, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil //nolint:nilnil // there is none, and that is no error
	} else if err != nil {
		return nil, err
	}
	return calendar.OpenZones(text)
}

// keepZones writes the database in use, and keeps the one before it under its version: for `reeve schedule diff --tzdata`.
func keepZones(path string, old *calendar.Zones) error {
	if old != nil {
		if err := os.Rename(path, olderZones(path, old)); err != nil {
			return folderFault("keeping the older time zone database", err)
		}
	}
	text, err := calendar.BuiltinZip()
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return folderFault("writing the time zone database", err)
	}
	return os.Rename(path+".new", path)
}

func olderZones(path string, old *calendar.Zones) string {
	version := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(old.Version()))
	return filepath.Join(filepath.Dir(path), "tzdata-"+version+".zip")
}

// zoneChange is a change of the time zone database under the schedules in force.
type zoneChange struct {
	server     *Server
	epoch      int64
	zones, old *calendar.Zones // old is nil where it is not known
	spans      []occurrence.Span

	same                  map[string]bool // zones in which nothing changes
	moved, added, removed int64
	schedules, broken     int
	uncompared            int // there are too many of them for one start
}

func (z *zoneChange) apply(ctx context.Context) error {
	if len(z.spans) == 0 {
		return nil
	}
	book, err := domain.OpenCalendars(ctx, z.server.store)
	if err != nil {
		return err
	}
	r := &domain.Rescheduling{Store: z.server.store, Zones: z.zones, Old: z.old, Calendars: book, Now: z.server.env.Now()}
	for _, span := range z.spans {
		r.Months = 0
		if z.old != nil && !z.sameZone(span.Rule.Zone, r.Now) {
			r.Months = domain.DiffMonths
		}
		changed, err := r.Again(ctx, span)
		if err != nil { // as of a zone that is gone: it stays as it was, and the server starts
			z.broken++
			z.server.env.Log.Error("a schedule cannot go on with the new time zone database", slog.String("net", span.Net), slog.String("schedule", span.Schedule), slog.Any("error", err))
			continue
		}
		z.tell(changed)
		if len(r.Writes) >= zoneCommit {
			if err := z.commit(ctx, r); err != nil {
				return err
			}
		}
	}
	if err := z.commit(ctx, r); err != nil {
		return err
	}
	return z.record(ctx)
}

func (z *zoneChange) sameZone(name string, now time.Time) bool {
	same, known := z.same[name]
	if !known {
		same = calendar.SameOffsets(z.old, z.zones, name, now.AddDate(0, -2, 0), now.AddDate(0, domain.DiffMonths+2, 0))
		if z.same == nil {
			z.same = map[string]bool{}
		}
		z.same[name] = same
	}
	return same
}

// tell counts what becomes of a schedule, and logs it.
func (z *zoneChange) tell(changed domain.Changed) {
	z.uncompared += changed.Uncompared
	for i := range changed.Diffs {
		d := &changed.Diffs[i]
		if d.Added+d.Removed+d.Moved == 0 {
			continue
		}
		z.moved, z.added, z.removed = z.moved+d.Moved, z.added+d.Added, z.removed+d.Removed
		if z.schedules++; z.schedules <= zoneNamed {
			var at time.Time
			if len(d.Examples) > 0 {
				at = first(d.Examples[0].Before, d.Examples[0].After)
			}
			z.server.env.Log.Warn("the new time zone database moves a schedule", slog.String("net", d.Net), slog.String("schedule", d.Schedule),
				slog.Int64("moved", d.Moved), slog.Int64("added", d.Added), slog.Int64("removed", d.Removed), slog.Time("first", at))
		}
	}
}

func first(times ...*time.Time) time.Time {
	for _, t := range times {
		if t != nil {
			return *t
		}
	}
	return time.Time{}
}

func (z *zoneChange) commit(ctx context.Context, r *domain.Rescheduling) error {
	if len(r.Writes) == 0 {
		return nil
	}
	if _, err := z.server.store.Commit(ctx, store.Batch{Epoch: z.epoch, Spans: r.Writes}); err != nil {
		return fault.Wrap(fault.Internal, "putting schedules under the time zone database of this program", err)
	}
	r.Writes = nil
	return nil
}

// record tells the audit trail, the log and the pages.
func (z *zoneChange) record(ctx context.Context) error {
	text := fmt.Sprintf("%d schedules are by time zone database %s now", len(z.spans)-z.broken, z.zones.Version())
	if z.old != nil {
		text += fmt.Sprintf(", which were by %s; in the next %d months %d of them change: %d occurrences move, %d are added, %d go",
			z.old.Version(), domain.DiffMonths, z.schedules, z.moved, z.added, z.removed)
	} else {
		text += "; what that moves cannot be said: the database of before is not in the data folder"
	}
	if z.uncompared > 0 {
		text += fmt.Sprintf("; %d schedules more were not compared, there are too many: see `reeve schedule diff --tzdata`", z.uncompared)
	}
	if z.broken > 0 {
		text += fmt.Sprintf("; %d schedules cannot go on with it", z.broken)
	}
	z.server.env.Log.Info("schedules are by another time zone database now", slog.String("change", text))
	if z.schedules+z.broken+z.uncompared > 0 || z.old == nil {
		z.server.zoneWarnings = append(z.server.zoneWarnings, text)
	}
	_, err := z.server.store.Commit(ctx, store.Batch{Epoch: z.epoch, Audit: []store.AuditRecord{{
		At: z.server.env.Now(), By: "reeve", From: "local", Action: "tzdata.upgrade", Object: z.zones.Version(), Detail: text,
	}}})
	if err != nil {
		return fault.Wrap(fault.Internal, "recording the time zone database", err)
	}
	return nil
}
