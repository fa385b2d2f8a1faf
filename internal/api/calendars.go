package api

import (
	"context"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// ListCalendars implements Calendars.
func (c *Client) ListCalendars(ctx context.Context) ([]CalendarSummary, error) {
	return nil, fault.New(fault.Internal, "this is not built yet", "")
}

// Calendar implements Calendars.
func (c *Client) Calendar(ctx context.Context, name string, version int) (Calendar, error) {
	return Calendar{}, fault.New(fault.Internal, "this is not built yet", "")
}

// CalendarDays implements Calendars.
func (c *Client) CalendarDays(ctx context.Context, ref string, since, until string) ([]CalendarDay, error) {
	return nil, fault.New(fault.Internal, "this is not built yet", "")
}
