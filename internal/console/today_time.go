package console

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
)

// Bounds of what the first page says about time.
const (
	todayNext   = 8
	todayMissed = 1000
	todayRisks  = 8
	riskHours   = 6
	waitsSince  = 2 * time.Second // what falls due this moment does not wait for anything
	keptFor     = 3 * time.Second
	keptAtMost  = 100
)

// todayTime is what the first page says about time: what comes, what was missed, what is in danger, and whether the sums
// hold.
type todayTime struct {
	Next       []occurrenceRow
	Waiting    []occurrenceRow // due, and not decided: with the reason
	WaitsMore  bool
	Missed     int64
	MissedNets []string
	Risks      []riskRow
	RisksMore  int
	Broken     []brokenSum
	Unknown    []string // what could not be said
}

// riskRow is an occurrence at risk.
type riskRow struct {
	api.Risk
	Href string // of its schedule
}

// brokenSum is a schedule whose day does not add up.
type brokenSum struct {
	api.Balance
	Href string
	Sum  int64
}

// keeper keeps what the first page asked about time for a moment, for each who asks: a page that follows what happens is
// made again at every change, and a day of a hundred thousand schedules need not be summed for each of them.
type keeper struct {
	mu   sync.Mutex
	kept map[string]keptTime
}

type keptTime struct {
	until time.Time
	what  todayTime
}

// timeOfToday asks about time. What cannot be said is said to be so: the rest of the page is worth having without it.
func (c *console) timeOfToday(ctx context.Context) todayTime {
	who := api.SubjectOf(ctx)
	key := fmt.Sprintf("%q %q %q", who.Name, who.Folder, who.Permissions)
	now := c.now()
	c.keeper.mu.Lock()
	old, ok := c.keeper.kept[key]
	c.keeper.mu.Unlock()
	if ok && now.Before(old.until) && now.After(old.until.Add(-2*keptFor)) {
		return old.what
	}
	what := c.askTime(ctx, now)
	c.keeper.mu.Lock()
	defer c.keeper.mu.Unlock()
	if c.keeper.kept == nil || len(c.keeper.kept) >= keptAtMost {
		c.keeper.kept = map[string]keptTime{}
	}
	c.keeper.kept[key] = keptTime{until: now.Add(keptFor), what: what}
	return what
}

func (c *console) askTime(ctx context.Context, now time.Time) todayTime {
	var t todayTime
	for _, part := range []struct {
		name string
		ask  func() error
	}{
		{"what is due next", func() error { return c.askNext(ctx, now, &t) }},
		{"what is due and waits", func() error { return c.askWaiting(ctx, now, &t) }},
		{"what was missed", func() error { return c.askMissed(ctx, &t) }},
		{"what is at risk", func() error { return c.askRisks(ctx, &t) }},
		{"whether the sums of the day hold", func() error { return c.askBroken(ctx, &t) }},
	} {
		if err := part.ask(); err != nil && ctx.Err() == nil {
			c.log.Warn("first page", slog.String("part", part.name), slog.Any("error", err))
			t.Unknown = append(t.Unknown, part.name)
		}
	}
	return t
}

// askNext looks ahead, further while there is too little.
func (c *console) askNext(ctx context.Context, now time.Time, t *todayTime) error {
	for _, ahead := range []time.Duration{10 * time.Minute, 2 * time.Hour, 24 * time.Hour} {
		page, err := c.service.ListOccurrences(ctx, api.OccurrenceQuery{Since: now, Until: now.Add(ahead), Decisions: []string{"pending"}, Planned: true, Limit: todayNext})
		if err != nil {
			return err
		}
		t.Next = rowsOf(page.Occurrences)
		if len(t.Next) >= todayNext {
			break
		}
	}
	return nil
}

// askWaiting asks for what has fallen due and waits for something.
func (c *console) askWaiting(ctx context.Context, now time.Time, t *todayTime) error {
	page, err := c.service.ListOccurrences(ctx, api.OccurrenceQuery{Until: now.Add(-waitsSince), Decisions: []string{"pending"}, Limit: todayNext})
	if err != nil {
		return err
	}
	t.Waiting, t.WaitsMore = rowsOf(page.Occurrences), page.Next != nil
	return nil
}

func (c *console) askMissed(ctx context.Context, t *todayTime) error {
	page, err := c.service.Missed(ctx, api.OccurrenceQuery{Each: true, Limit: todayMissed}) // to gather them, all would have to be read
	if err != nil {
		return err
	}
	t.Missed = page.Count
	seen := map[string]bool{}
	for i := range page.Missed {
		if net := page.Missed[i].Net; !seen[net] {
			seen[net] = true
			t.MissedNets = append(t.MissedNets, net)
		}
	}
	return nil
}

// MissedText names the nets that missed something.
func (t todayTime) MissedText() string {
	const named = 3
	out := strings.Join(t.MissedNets[:min(len(t.MissedNets), named)], ", ")
	return out + more(len(t.MissedNets)-named)
}

func (c *console) askRisks(ctx context.Context, t *todayTime) error {
	list, err := c.service.AtRisk(ctx, riskHours)
	if err != nil {
		return err
	}
	t.RisksMore = max(len(list)-todayRisks, 0)
	for _, r := range list[:min(len(list), todayRisks)] {
		t.Risks = append(t.Risks, riskRow{Risk: r, Href: schedulePath(r.Net, r.Schedule)})
	}
	return nil
}

func (c *console) askBroken(ctx context.Context, t *todayTime) error {
	list, err := c.service.Balance(ctx, api.BalanceQuery{Broken: true})
	if err != nil {
		return err
	}
	for _, b := range list {
		t.Broken = append(t.Broken, brokenSum{Balance: b, Href: schedulePath(b.Net, b.Schedule), Sum: b.Released + b.Missed + b.Suppressed + b.Cancelled + b.Pending})
	}
	return nil
}
