package cli

import (
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/domain"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/jobfile"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
)

// localDiff is what a comparison without a server compares with.
type localDiff struct {
	against   []string
	tzdata    string
	calendars []string
}

func (l *localDiff) add(c *cobra.Command) {
	c.Flags().StringArrayVar(&l.against, "against", nil, "compare with the definitions of this file instead of the server's")
	c.Flags().StringVar(&l.tzdata, "tzdata", "", "compare by this older time zone database: lib/time/zoneinfo.zip of a Go distribution, or a tzdata.zip of a server")
	c.Flags().StringArrayVar(&l.calendars, "calendars", nil, "file with calendars that the schedules lean on")
	c.MarkFlagsMutuallyExclusive("against", "tzdata")
}

func (l *localDiff) given() bool { return len(l.against) > 0 || l.tzdata != "" }

// diffHere compares without a server; by says by which time zone databases, where they are compared.
func (a *app) diffHere(args []string, months int, l *localDiff) (diffs []api.ScheduleDiff, by string, err error) {
	oldZones, newZones := calendar.Builtin(), calendar.Builtin()
	if l.tzdata != "" {
		if oldZones, err = openZones(l.tzdata); err != nil {
			return nil, "", err
		}
		if strings.HasSuffix(args[0], ".zip") {
			if newZones, err = openZones(args[0]); err != nil {
				return nil, "", err
			}
			args = args[1:]
		}
		if len(args) == 0 {
			return nil, "", fault.New(fault.Invalid, "there is no file of definitions", "give one or more after the zip")
		}
		by = "tzdata " + oldZones.Version() + ", and then " + newZones.Version()
	}
	updated, err := a.definitionsOf(args, l.calendars, newZones)
	if err != nil {
		return nil, "", err
	}
	old := updated
	if l.tzdata == "" {
		if old, err = a.definitionsOf(l.against, l.calendars, oldZones); err != nil {
			return nil, "", err
		}
	}
	now := time.Now().UTC().Truncate(time.Second)
	cmp := comparing{
		old: calendar.NewCompiler(oldZones, old.Lookup(nil)), updated: calendar.NewCompiler(newZones, updated.Lookup(nil)),
		tzdata: l.tzdata != "", now: now, until: now.AddDate(0, months, 0),
	}
	return cmp.nets(old.Nets, updated.Nets), by, nil
}

func openZones(path string) (*calendar.Zones, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "reading a time zone database", err)
	}
	zones, err := calendar.OpenUnversioned(text)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "reading "+path, err)
	}
	return zones, nil
}

// definitionsOf reads files with the calendars that they lean on.
func (a *app) definitionsOf(files, calendars []string, zones *calendar.Zones) (jobfile.Documents, error) {
	checked, err := a.readDrafts(files, calendars)
	if err != nil {
		return jobfile.Documents{}, err
	}
	var all jobfile.Documents
	var mistakes fault.Mistakes
	for _, d := range checked.drafts {
		docs, err := d.Documents(checked.checks(zones))
		more, ok := mistakesOf(err)
		if err != nil && !ok {
			return all, err
		}
		mistakes = append(mistakes, more...)
		all.Nets, all.Calendars = append(all.Nets, docs.Nets...), append(all.Calendars, docs.Calendars...)
	}
	if len(mistakes) > 0 {
		return all, mistakes
	}
	return all, nil
}

// comparing compares nets by two compilers.
type comparing struct {
	old, updated *calendar.Compiler
	tzdata       bool
	now, until   time.Time
}

func (c *comparing) nets(old, updated []jobnet.Net) []api.ScheduleDiff {
	out := []api.ScheduleDiff{}
	find := func(nets []jobnet.Net, name string) *jobnet.Net {
		if i := slices.IndexFunc(nets, func(n jobnet.Net) bool { return n.Name == name }); i >= 0 {
			return &nets[i]
		}
		return &jobnet.Net{}
	}
	for i := range updated {
		n := &updated[i]
		before := find(old, n.Name)
		for k := range n.Schedules {
			s := &n.Schedules[k]
			out = append(out, c.schedule(n.Name, scheduleOf(before, s.Name), s))
		}
		for k := range before.Schedules {
			if s := &before.Schedules[k]; scheduleOf(n, s.Name) == nil {
				out = append(out, c.schedule(n.Name, s, nil))
			}
		}
	}
	for i := range old {
		if n := &old[i]; find(updated, n.Name).Name == "" {
			for k := range n.Schedules {
				out = append(out, c.schedule(n.Name, &n.Schedules[k], nil))
			}
		}
	}
	return out
}

func scheduleOf(n *jobnet.Net, name string) *calendar.Schedule {
	if i := slices.IndexFunc(n.Schedules, func(s calendar.Schedule) bool { return s.Name == name }); i >= 0 {
		return &n.Schedules[i]
	}
	return nil
}

func (c *comparing) schedule(net string, old, updated *calendar.Schedule) api.ScheduleDiff {
	rule := func(by *calendar.Compiler, s *calendar.Schedule) *calendar.Rule {
		if s == nil {
			return nil
		}
		r, problems := by.Compile(net, *s)
		if len(problems) > 0 { // a zone that the older database does not have: nothing was due by it
			return nil
		}
		return r
	}
	d := domain.CompareRules(rule(c.old, old), rule(c.updated, updated), c.now, c.until)
	d.Net, d.Cause, d.Change = net, "net", "changed"
	if c.tzdata {
		d.Cause = "tzdata"
	}
	switch {
	case old == nil:
		d.Schedule, d.Change = updated.Name, "added"
	case updated == nil:
		d.Schedule, d.Change = old.Name, "removed"
	default:
		d.Schedule = updated.Name
		if d.Added+d.Removed+d.Moved == 0 && (c.tzdata || sameSchedule(*old, *updated)) {
			d.Change = "unchanged"
		}
	}
	return d
}

// sameSchedule reports whether two schedules have the same written form.
func sameSchedule(a, b calendar.Schedule) bool {
	write := func(s calendar.Schedule) string {
		return string(jobfile.Format(jobnet.Net{Schedules: []calendar.Schedule{s}}))
	}
	return write(a) == write(b)
}
