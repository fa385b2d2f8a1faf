package console

import (
	"cmp"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// occurrenceRow is an occurrence as lists show it, or a range of them.
type occurrenceRow struct {
	api.Occurrence
	Style string // of its badge
	Text  string // why it is as it is, or will be: in one sentence
	Shift string // why it is not due at its nominal time; empty: it is
	Why   string // address of its page
	Held  bool   // a person said that it is not simply to be released
}

func rowOf(o *api.Occurrence) occurrenceRow {
	row := occurrenceRow{Occurrence: *o, Style: decisionStyle(o.Decision), Why: whyPath(o.Net, o.Schedule, o.Nominal)}
	if o.Decision == "pending" && (deref(o.Reason) == "held_back" || deref(o.Reason) == "domain_held") {
		row.Style = "held"
	}
	row.Text = occurrenceText(o)
	if o.Moved != nil {
		row.Shift = movedText(*o.Moved)
	}
	return row
}

func rowsOf(list []api.Occurrence) []occurrenceRow {
	out := make([]occurrenceRow, len(list))
	for i := range list {
		out[i] = rowOf(&list[i])
	}
	return out
}

// annotate says what people have said of occurrences that are to come, where the rows do not say it yet.
func annotate(rows []occurrenceRow, overrides []overrideRow) {
	for i := range rows {
		row := &rows[i]
		if row.Decision != "pending" || deref(row.Reason) != "not_due" {
			continue
		}
		for k := range overrides {
			o := &overrides[k]
			of := o.Net == row.Net && o.Schedule == row.Schedule && o.State == "active" && (o.Expires == nil || row.Due.Before(*o.Expires))
			if !of || o.Nominal != nil && !o.Nominal.Equal(row.Nominal) || o.Nominal == nil && (o.From == nil || row.Due.Before(*o.From)) {
				continue
			}
			switch o.Kind {
			case "skip":
				row.Style, row.Text, row.Held = "cancelled", "to be skipped, by "+o.By+": "+o.Reason, true
			case "hold":
				row.Style, row.Text, row.Held = "held", "held by "+o.By+": "+o.Reason, true
			}
		}
	}
}

// Moves reports whether the occurrence is not due at its nominal time.
func (o occurrenceRow) Moves() bool { return !o.Due.Equal(o.Nominal) && !o.Many() }

// Many reports whether it is a range: decided together, as after an outage.
func (o occurrenceRow) Many() bool { return o.Kind == "range" }

// Missed is the address of the page where a range that was missed is dealt with; empty: there is nothing to do.
func (o occurrenceRow) Missed() string {
	if !o.Many() || o.Decision != "missed" || o.Dismissed != nil {
		return ""
	}
	return "/missed?net=" + url.QueryEscape(o.Net)
}

// decisionStyle is the style of what became of an occurrence; it is one of those that known knows.
func decisionStyle(decision string) string {
	switch decision {
	case "pending":
		return "waiting"
	case "released":
		return "dispatched"
	case "missed":
		return "failed"
	case "late":
		return "warning"
	case "suppressed":
		return "skipped"
	case "cancelled":
		return "cancelled"
	}
	return "other"
}

// occurrenceText says why an occurrence is as it is. A plain one has nothing to say.
func occurrenceText(o *api.Occurrence) string {
	text := deref(o.Detail)
	switch reason := deref(o.Reason); {
	case reason == "due", reason == "not_due" && o.By == nil && deref(o.Moved) != "override": // as it should be
		text = ""
	case text == "" && reason != "" && reason != "not_due":
		text = decidedText(reason)
	}
	var more []string
	if o.By != nil && !strings.Contains(text, *o.By) {
		more = append(more, "by "+*o.By)
	}
	if o.RecoveredBy != nil {
		more = append(more, "released later")
	}
	if o.DismissedBy != nil {
		more = append(more, "dismissed by "+*o.DismissedBy)
	}
	if text != "" {
		more = append([]string{text}, more...)
	}
	return strings.Join(more, ", ")
}

// decidedText says a reason of the closed list of package occurrence as a person would.
func decidedText(reason string) string {
	switch reason {
	case "due":
		return "at its time"
	case "catchup":
		return "caught up after an outage"
	case "waited":
		return "later: what it waited for came"
	case "by_hand":
		return "by hand"
	case "server_down":
		return "it fell due while no server could decide"
	case "clock_jump":
		return "the clock was put forward over it"
	case "start_deadline_passed":
		return "its start window closed while it waited"
	case "no_agent":
		return "its start window closed, and no agent for its first jobs was linked"
	case "catchup_limit":
		return "more were to be caught up than is allowed"
	default:
		return suppressedText(reason)
	}
}

// suppressedText is decidedText of the reasons for which nothing is released, or not yet.
func suppressedText(reason string) string {
	switch reason {
	case "calendar":
		return "its day is free"
	case "blackout":
		return "it falls into a blackout of its schedule"
	case "collision":
		return "a shift brought it to the time of an earlier one"
	case "overlap":
		return "a run of the net was open, and its schedule says skip"
	case "paused":
		return "its schedule is paused"
	case "held":
		return "the domain was held when it fell due"
	case "cancelled":
		return "cancelled by hand"
	case "definition_changed":
		return "the newer definition does not have it"
	case "not_due":
		return "it is in the future"
	case "queued":
		return "a run of the net is open: it is released when that has ended"
	case "held_back":
		return "a person holds it"
	case "domain_held":
		return "the domain starts nothing"
	case "awaits_agent":
		return "no agent for its first jobs is linked"
	case "awaits_end":
		return "the run before it has not ended"
	case "disk":
		return "the server has no room on its disk"
	}
	return strings.ReplaceAll(reason, "_", " ")
}

// movedText says by which rule an occurrence is not at its wall time.
func movedText(rule string) string {
	switch rule {
	case "dst_gap":
		return "clocks are put forward over its time"
	case "dst_overlap":
		return "clocks are put back over its time, which comes twice"
	case "shift":
		return "its day is free: shifted by its calendar"
	case "jitter":
		return "spread by its jitter"
	case "override":
		return "moved by hand"
	}
	return strings.ReplaceAll(rule, "_", " ")
}

// nominalText writes an instant for addresses and forms, as exact as it is.
func nominalText(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// whyPath leads to the page of one occurrence.
func whyPath(net, schedule string, nominal any) string {
	return "/why?" + url.Values{"net": {net}, "schedule": {schedule}, "nominal": {nominalText(timeOf(nominal))}}.Encode()
}

// schedulePath leads to the page of a schedule.
func schedulePath(net, schedule string) string {
	return "/schedules/" + strings.TrimPrefix(netPath(net), "/nets/") + "/" + url.PathEscape(schedule)
}

// whyData is why something was, or was not, released.
type whyData struct {
	Net, Schedule, At, Zone string
	Wall                    wall
	Zones                   template.HTML // to choose from
	Asked                   bool
	When                    time.Time
	One                     *occurrenceRow // the occurrence that was asked for
	Others                  []occurrenceRow
	Overrides               []overrideRow // of the one
	Why                     api.Why
	Next                    string // of forms: where they come back to
	Verbs                   verbs
}

// verbs are what can be done with an occurrence, as it is now, by who looks at it.
type verbs struct{ Release, Dismiss, Cancel, Skip, Move, Hold bool }

// Any reports whether there is anything to do.
func (v verbs) Any() bool {
	return v.Release || v.Dismiss || v.Cancel || v.Skip || v.Move || v.Hold
}

func verbsOf(o *api.Occurrence, now time.Time, may func(access.Permission, string) bool) verbs {
	run, control := may(access.Run, folderOf(o.Net)), may(access.Control, folderOf(o.Net))
	open := o.Decision == "missed" && o.RecoveredBy == nil && o.Dismissed == nil
	pending, early := o.Decision == "pending", o.Due.After(now)
	return verbs{
		Release: run && (open || pending), Dismiss: control && open, Cancel: control && pending && !early,
		Skip: control && pending && early, Move: control && pending, Hold: control && pending && deref(o.Reason) != "held_back",
	}
}

// why answers what became of what was due of a net at an instant: of one occurrence (schedule and nominal), or of a time
// that a person typed (at, a wall time of zone).
func (c *console) why(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	d := whyData{Net: q.Get("net"), Schedule: q.Get("schedule"), At: q.Get("at"), Zones: c.zoneList, Zone: cmp.Or(q.Get("zone"), c.zoneOf(r))}
	var err error
	if d.Wall, err = c.knownZone(d.Zone); err != nil {
		return err
	}
	d.Zone = d.Wall.Zone
	v := view{Title: "Why", Section: "time"}
	switch {
	case d.Net == "":
	case q.Get("nominal") != "":
		err = c.whyOne(r, &d, q.Get("nominal"))
	default:
		err = c.whyAt(r, &d, q.Get("pass"))
	}
	if err != nil {
		return err
	}
	if d.Asked {
		v.Title, v.Events = "Why "+d.Net, "/live"
	}
	d.Next = here(r)
	v.Data = d
	return c.page(w, r, "why", v)
}

// whyOne looks at one occurrence.
func (c *console) whyOne(r *http.Request, d *whyData, nominal string) error {
	at, err := time.Parse(time.RFC3339Nano, nominal)
	if err != nil {
		return fault.Newf(fault.Invalid, "%q is no time with an offset", shorten(nominal, 40))
	}
	o, err := c.service.Occurrence(r.Context(), d.Net, d.Schedule, at)
	if err != nil {
		return err
	}
	row := rowOf(&o)
	d.Wall = c.wall(o.Zone)
	may := api.SubjectOf(r.Context()).May
	d.Verbs = verbsOf(&o, c.now(), may)
	overrides, err := c.service.ListOverrides(r.Context(), d.Net, false)
	if err != nil {
		return err
	}
	overrides = slices.DeleteFunc(overrides, func(x api.Override) bool {
		return x.Schedule != o.Schedule || x.Nominal != nil && !x.Nominal.Equal(o.Nominal) || x.Nominal == nil && (x.From == nil || o.Due.Before(*x.From))
	})
	d.Overrides = overrideRows(overrides, may)
	rows := []occurrenceRow{row}
	annotate(rows, d.Overrides)
	d.One, d.Asked, d.When = &rows[0], true, o.Due
	if rows[0].Held { // it can be taken back, or changed after that
		d.Verbs.Hold, d.Verbs.Skip, d.Verbs.Move = false, false, false
	}
	d.Why, err = c.service.WhyNet(r.Context(), api.WhyQuery{Net: d.Net, At: o.Due})
	return err
}

// How many occurrences near a time are shown at most, and how many are enough not to look further.
const nearMost, nearEnough = 40, 8

// whyAt looks at a time: what was due then, and what the server says of it.
func (c *console) whyAt(r *http.Request, d *whyData, pass string) error {
	at, err := d.Wall.read(d.At, pass)
	if err != nil {
		return err
	}
	if at.IsZero() {
		at = c.now()
	}
	d.When, d.Asked = at, true
	if d.Why, err = c.service.WhyNet(r.Context(), api.WhyQuery{Net: d.Net, At: at, Minute: len(d.At) <= len("2006-01-02T15:04")}); err != nil {
		return err
	}
	for _, around := range []time.Duration{time.Minute, 10 * time.Minute, time.Hour} {
		near, err := c.service.ListOccurrences(r.Context(), api.OccurrenceQuery{
			Net: d.Net, Since: at.Add(-around), Until: at.Add(around), Planned: true, Limit: nearMost,
		})
		if err != nil {
			return err
		}
		if len(d.Others) > 0 && near.Next != nil { // lists begin with the oldest: this one might end before the time
			break
		}
		d.Others = rowsOf(near.Occurrences)
		if len(d.Others) >= nearEnough {
			break
		}
	}
	return nil
}

// actOn does what a button of an occurrence asks: release, dismiss or cancel.
func actOn(verb string) func(*console, http.ResponseWriter, *http.Request) error {
	return func(c *console, w http.ResponseWriter, r *http.Request) error {
		nominal, err := time.Parse(time.RFC3339Nano, r.PostFormValue("nominal"))
		if err != nil {
			return fault.New(fault.Invalid, "the form has no nominal time", "go back and try again")
		}
		act := api.OccurrenceAct{
			Net: r.PostFormValue("net"), Schedule: r.PostFormValue("schedule"), Nominal: nominal.UTC(), Verb: verb, Reason: strings.TrimSpace(r.PostFormValue("reason")),
		}
		o, err := c.service.ActOnOccurrence(r.Context(), act)
		if err != nil {
			return err
		}
		if run := cmp.Or(deref(o.RecoveredBy), deref(o.Run)); verb == "release" && run != "" {
			return back(w, r, runPath(run), "started")
		}
		did := map[string]string{"release": "release", "dismiss": "dismissed", "cancel": "withdrawn"}[verb]
		return back(w, r, localPath(r.PostFormValue("next")), did)
	}
}

// isCommand reports whether what is to be done is a command to type.
func isCommand(fix string) bool { return strings.HasPrefix(fix, "reeve ") }

// placedRow is a row with the zone in which its list shows times.
type placedRow struct {
	Wall wall
	Row  occurrenceRow
}

func rowIn(w wall, o occurrenceRow) placedRow { return placedRow{Wall: w, Row: o} }
