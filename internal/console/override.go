package console

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// overrideRow is what a person changed of the agenda, as pages show it.
type overrideRow struct {
	api.Override
	Style string
	Says  string // what it does, but for its times
	Drop  bool   // it may be taken back
}

func overrideRows(list []api.Override, may func(access.Permission, string) bool) []overrideRow {
	out := make([]overrideRow, 0, len(list))
	for i := range list {
		o := overrideRow{Override: list[i], Style: "other"}
		switch o.State {
		case "active":
			o.Style = "ready"
		case "used":
			o.Style = "succeeded"
		case "stale":
			o.Style = "warning"
		case "expired", "dropped":
			o.Style = "skipped"
		}
		switch {
		case o.Kind == "add":
			o.Says = "adds one"
		case o.Kind == "move":
			o.Says = "moves"
		case o.Kind == "skip":
			o.Says = "skips"
		case o.Kind == "hold" && o.Nominal == nil:
			o.Says = "holds all"
		case o.Kind == "hold":
			o.Says = "holds"
		}
		o.Drop = (o.State == "active" || o.State == "stale") && may(access.Control, folderOf(o.Net))
		out = append(out, o)
	}
	return out
}

// override makes what a form of the agenda, or of an occurrence, asks.
func override(kind string) func(*console, http.ResponseWriter, *http.Request) error {
	return func(c *console, w http.ResponseWriter, r *http.Request) error {
		order := api.CreateOverride{Kind: kind, Net: strings.TrimSpace(r.PostFormValue("net")), Schedule: strings.TrimSpace(r.PostFormValue("schedule")), Reason: strings.TrimSpace(r.PostFormValue("reason"))}
		in, err := c.knownZone(r.PostFormValue("zone"))
		if err != nil {
			return err
		}
		for field, to := range map[string]**time.Time{"nominal": &order.Nominal, "from": &order.From, "to": &order.To, "expires": &order.Expires} {
			at, err := in.read(strings.TrimSpace(r.PostFormValue(field)), r.PostFormValue("pass"))
			if err != nil {
				return err
			}
			if !at.IsZero() {
				*to = &at
			}
		}
		if order.Params, err = paramsOf(r.PostFormValue("params")); err != nil {
			return err
		}
		if err := complete(&order); err != nil {
			return err
		}
		if _, err := c.service.CreateOverride(r.Context(), order); err != nil {
			return err
		}
		return back(w, r, localPath(r.PostFormValue("next")), map[string]string{"add": "added", "move": "moved", "skip": "skipped", "hold": "heldback"}[kind])
	}
}

// complete says what a form left out.
func complete(o *api.CreateOverride) error {
	missing := ""
	switch {
	case o.Net == "":
		missing = "the net"
	case o.Schedule == "" && o.Kind != "add":
		missing = "the schedule"
	case o.Nominal == nil && (o.Kind != "hold" || o.From == nil):
		missing = "the time"
	case o.Kind == "move" && o.To == nil:
		missing = "the new time"
	case o.Reason == "":
		missing = "the reason"
	}
	if missing != "" {
		return fault.Newf(fault.Invalid, "%s is missing", missing)
	}
	return nil
}

// paramsOf reads lines of NAME=VALUE.
func paramsOf(text string) (map[string]string, error) {
	var out map[string]string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			return nil, fault.New(fault.Invalid, fmt.Sprintf("%q is no param", shorten(line, 60)), "write each on a line of its own, as day=2026-12-24")
		}
		if out == nil {
			out = map[string]string{}
		}
		out[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	return out, nil
}

func (c *console) dropOverride(w http.ResponseWriter, r *http.Request) error {
	if _, err := c.service.DropOverride(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	return back(w, r, localPath(cmp.Or(r.PostFormValue("next"), "/agenda")), "dropped")
}
