package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/reeve-scheduler/reeve/internal/jobfile"
)

// mostCopied is how many bytes of calendars an agent is given with its view: some forty countries' holidays of twenty years.
const mostCopied = 512 << 10

// copies are the calendars as agents have them. They are part of every agent's view.
type copies struct {
	now  atomic.Pointer[copied]
	news chan struct{} // somebody applied calendars
}

// copied are the newest versions of calendars, as many as there is room for. It is never changed.
type copied struct {
	hash string
	list []json.RawMessage
}

// changed has the agents get new copies, soon.
func (c *copies) changed() {
	select {
	case c.news <- struct{}{}:
	default: // that is on its way already
	}
}

// load reads the newest versions anew. What there is no room for is left away by its name, with a warning.
func (s *Server) loadCopies(ctx context.Context) error {
	versions, err := s.store.ListCalendars(ctx)
	if err != nil {
		return fmt.Errorf("reading the calendars that agents have: %w", err)
	}
	next, sum, size := &copied{}, sha256.New(), 0
	var left []string
	for _, v := range versions {
		def, err := jobfile.ParseCalendar([]byte(v.Text))
		if err != nil {
			return fmt.Errorf("reading version %d of calendar %s: %w", v.Version, v.Name, err)
		}
		text, err := json.Marshal(def)
		if err != nil {
			return fmt.Errorf("writing calendar %s: %w", v.Name, err)
		}
		if size += len(text); size > mostCopied {
			size -= len(text)
			left = append(left, v.Name)
			continue
		}
		next.list = append(next.list, text)
		sum.Write(text)
	}
	if len(next.list) > 0 {
		next.hash = hex.EncodeToString(sum.Sum(nil))
	}
	if len(left) > 0 {
		s.env.Log.Warn("agents have no copies of some calendars: all of them are larger than there is room for in a view", slog.Any("calendars", left), slog.Int("room", mostCopied))
	}
	s.copies.now.Store(next)
	return nil
}

// giveCopies gives the agents new copies whenever calendars were applied, until ctx ends. Several changes at once are given once.
func (s *Server) giveCopies(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.copies.news:
		}
		if err := s.loadCopies(ctx); err != nil {
			if ctx.Err() == nil {
				s.env.Log.Error("giving agents calendars", slog.Any("error", err))
			}
			continue
		}
		s.fleet.Views(ctx)
	}
}
