package sqlite

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/store"
)

const (
	// partsMost is how many nets of a folder are asked for one by one; of more, a page is soon full.
	partsMost = 256
	// partsFrom is from which length on a stretch of time is too long to be walked through for the nets of a folder.
	partsFrom = 48 * time.Hour
)

// rare reports whether what is decided so stands in the index of rare occurrences.
func rare(d occurrence.Decision) bool {
	return d == occurrence.Missed || d == occurrence.Suppressed || d == occurrence.Cancelled
}

// parts splits a query that no one index answers into some that each have one; none: it need not be split.
func (s *Store) parts(ctx context.Context, q store.OccurrenceQuery) ([]store.OccurrenceQuery, error) {
	switch {
	case q.Net != "" || q.Undismissed || len(q.Decisions) == 1 && (rare(q.Decisions[0]) || q.Decisions[0] == occurrence.Pending):
		return nil, nil
	case len(q.Decisions) > 1 && !slices.Contains(q.Decisions, occurrence.Released):
		return byDecision(q), nil
	case q.Folder != "" && (q.Since.IsZero() || q.Until.IsZero() || q.Until.Sub(q.Since) > partsFrom):
		return s.byNet(ctx, q)
	}
	return nil, nil
}

func byDecision(q store.OccurrenceQuery) []store.OccurrenceQuery {
	var parts []store.OccurrenceQuery
	for _, d := range q.Decisions {
		if one := q; !slices.ContainsFunc(parts, func(p store.OccurrenceQuery) bool { return p.Decisions[0] == d }) {
			one.Decisions = []occurrence.Decision{d}
			parts = append(parts, one)
		}
	}
	return parts
}

// byNet asks for each net of a folder that has occurrences, if they are few: it skips from net to net in their index. A folder without any is
// a query for one that has none.
func (s *Store) byNet(ctx context.Context, q store.OccurrenceQuery) ([]store.OccurrenceQuery, error) {
	var nets []string
	err := s.state.read(ctx, func(c *conn) error {
		for after := q.Folder + "/"; len(nets) <= partsMost; {
			net := ""
			err := c.query(ctx, `SELECT net FROM occurrences INDEXED BY occurrences_net WHERE net > ? AND net < ? ORDER BY net LIMIT 1`, func(r row) error {
				net = r.str(0)
				return nil
			}, after, q.Folder+"0")
			if err != nil || net == "" {
				return err
			}
			nets, after = append(nets, net), net
		}
		return nil
	})
	switch {
	case err != nil || len(nets) > partsMost:
		return nil, err
	case len(nets) == 0:
		nets = []string{q.Folder + "/"} // no net is called so
	}
	parts := make([]store.OccurrenceQuery, len(nets))
	for i, net := range nets {
		parts[i] = q
		parts[i].Net, parts[i].Folder = net, ""
	}
	return parts, nil
}

// merged is the page of several queries together. What is behind the page that is known so far is not read.
func (s *Store) merged(ctx context.Context, parts []store.OccurrenceQuery) ([]occurrence.Record, error) {
	newest, limit := parts[0].Newest, parts[0].Limit
	var all []occurrence.Record
	for _, q := range parts {
		if len(all) == limit {
			switch last := all[limit-1].Due; {
			case newest && last.After(q.Since):
				q.Since = last
			case !newest && (q.Until.IsZero() || last.Before(q.Until)):
				q.Until = last.Add(time.Microsecond)
			}
		}
		page, err := s.occurrences(ctx, q)
		if err != nil {
			return nil, err
		}
		if len(page) == 0 {
			continue
		}
		all = append(all, page...)
		slices.SortFunc(all, func(a, b occurrence.Record) int {
			order := cmp.Or(a.Due.Compare(b.Due), strings.Compare(a.Net, b.Net), strings.Compare(a.Schedule, b.Schedule), a.Nominal.Compare(b.Nominal))
			if newest {
				return -order
			}
			return order
		})
		all = all[:min(len(all), limit)]
	}
	return all, nil
}
