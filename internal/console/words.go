package console

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
)

// worst lists the states of runs and jobs as a person should meet them: trouble first.
func worst() []string {
	return []string{
		"unknown", "failed", "warning", "running", "dispatched", "held", "ready", "waiting", "cancelled", "skipped", "succeeded",
	}
}

func rank(state string) int {
	if i := slices.Index(worst(), state); i >= 0 {
		return i
	}
	return len(worst())
}

// ended reports whether a state is an end.
func ended(state string) bool {
	switch state {
	case "succeeded", "warning", "failed", "cancelled", "skipped", "unknown":
		return true
	}
	return false
}

// known returns state where it is one of the closed list, else "other": it becomes the name of a style.
func known(state string) string {
	if slices.Contains(worst(), state) {
		return state
	}
	return "other"
}

// reasonText says a reason of the closed list as a person would.
func reasonText(reason string) string {
	switch reason {
	case "predecessors":
		return "waits for its predecessors"
	case "unknown_predecessor":
		return "waits for somebody to decide a predecessor whose end is unknown"
	case "retry_delay":
		return "waits for the delay before the next try"
	case "held":
		return "the run is held"
	case "domain_held":
		return "the domain starts nothing"
	case "no_agent":
		return "no agent of the domain fits"
	case "agent_not_linked":
		return "every agent that fits is out of reach"
	case "agent_draining":
		return "every agent that fits is being drained"
	case "no_slot":
		return "every agent that fits is full"
	case "agent_disk":
		return "every agent that fits has no room on its disk"
	case "disk":
		return "no room on the disk"
	case "delivery":
		return "ordered, and not yet confirmed by the agent"
	case "ports":
		return "no port of a pool is to be had"
	case "callback_port":
		return "no port of the callback pool is free"
	case "needs":
		return "a destination that it needs does not take connections"
	default:
		return endText(reason)
	}
}

// endText is reasonText of the reasons for an end.
func endText(reason string) string {
	switch reason {
	case "exit_code":
		return "exit code"
	case "signal":
		return "ended by a signal"
	case "timeout":
		return "took longer than its time-out"
	case "cancel":
		return "cancelled"
	case "exec":
		return "could not be executed"
	case "run_as":
		return "the agent does not permit the user"
	case "when":
		return "its predecessors' ends exclude it"
	case "withdrawn":
		return "withdrawn before it started"
	case "epoch":
		return "its server is older than what the agent has seen"
	case "job_failed":
		return "a job failed"
	case "job_unknown":
		return "the end of a job is unknown"
	case "start":
		return "nobody knows whether it was executed"
	case "reboot":
		return "the host was restarted"
	case "keeper_died":
		return "the keeper ended; the exit code is lost"
	case "fenced":
		return "no word from the agent until the deadline"
	case "agent_gone":
		return "the agent was removed from the domain"
	}
	return strings.ReplaceAll(reason, "_", " ")
}

// instant is a moment as pages show it. The script turns Text into the browser's zone; without it Text is UTC.
type instant struct {
	ISO, Text, Title, Form string
}

// Zero reports whether there is nothing to show.
func (i instant) Zero() bool { return i.ISO == "" }

// moment accepts time.Time and *time.Time. form is stamp (date where it is not today, and time), clock (time), or
// age (how long ago).
func moment(now time.Time, form string, at any) instant {
	t := timeOf(at)
	if t.IsZero() {
		return instant{}
	}
	t, now = t.UTC(), now.UTC()
	out := instant{ISO: t.Format("2006-01-02T15:04:05.000Z"), Form: form, Title: t.Format("2006-01-02 15:04:05") + " UTC, " + ago(now.Sub(t))}
	switch form {
	case "age":
		out.Text = ago(now.Sub(t))
	case "for":
		out.Text = span(now.Sub(t))
	case "clock":
		out.Text = t.Format("15:04:05")
	default:
		out.Text = stampText(t, now)
	}
	return out
}

func stampText(t, now time.Time) string {
	switch {
	case t.Format(time.DateOnly) == now.Format(time.DateOnly):
		return t.Format("15:04:05") + " UTC"
	case t.Year() == now.Year():
		return t.Format("2 Jan, 15:04") + " UTC"
	}
	return t.Format("2 Jan 2006, 15:04") + " UTC"
}

func ago(d time.Duration) string {
	if d < 0 {
		return "in " + span(-d)
	}
	return span(d) + " ago"
}

// span says a duration in its two largest units. The script says it the same way.
func span(d time.Duration) string {
	d = max(d, 0)
	switch s := int64(d / time.Second); {
	case d > 0 && d < time.Second:
		return fmt.Sprintf("%dms", max(d.Milliseconds(), 1))
	case d < 10*time.Second && d%time.Second != 0:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm %02ds", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%dh %02dm", s/3600, s/60%60)
	default:
		return fmt.Sprintf("%dd %02dh", s/86400, s/3600%24)
	}
}

// size says a number of bytes.
func size(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, names := float64(n)/unit, []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	i := 0
	for value >= unit && i < len(names)-1 {
		value /= unit
		i++
	}
	return fmt.Sprintf("%.1f %s", value, names[i])
}

// pair is a key and its value, for maps in order.
type pair struct{ Key, Value string }

func pairs(m map[string]string) []pair {
	out := make([]pair, 0, len(m))
	for k, v := range m {
		out = append(out, pair{k, v})
	}
	slices.SortFunc(out, func(a, b pair) int { return cmp.Compare(a.Key, b.Key) })
	return out
}

// count is how many there are of a state.
type count struct {
	State string
	N     int
}

// counts puts numbers by state in the order of worst, without zeros.
func counts(by map[string]int) []count {
	var out []count
	for state, n := range by {
		if n > 0 {
			out = append(out, count{state, n})
		}
	}
	slices.SortFunc(out, func(a, b count) int {
		return cmp.Or(cmp.Compare(rank(a.State), rank(b.State)), cmp.Compare(a.State, b.State))
	})
	return out
}

func jobCounts(jobs []api.Job) []count {
	by := map[string]int{}
	for i := range jobs {
		by[jobs[i].State]++
	}
	return counts(by)
}

// folderOf returns the folder that permissions look at.
func folderOf(net string) string {
	if i := strings.LastIndexByte(net, '/'); i >= 0 {
		return net[:i]
	}
	return ""
}

func runPath(id string) string    { return "/runs/" + url.PathEscape(id) }
func nodePath(name string) string { return "/nodes/" + url.PathEscape(name) }
func userPath(name string) string { return "/users/" + url.PathEscape(name) }

func netPath(name string) string {
	parts := strings.Split(name, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return "/nets/" + strings.Join(parts, "/")
}

// jobPath leads to a job on its run's page.
func jobPath(run, job string) string { return runPath(run) + "?job=" + url.QueryEscape(job) }

// objectPath leads to what an act of the audit trail was about; empty: there is no page of it.
func objectPath(action, object string) string {
	noun, _, _ := strings.Cut(action, ".")
	switch {
	case object == "":
	case noun == "run" || noun == "job":
		id, _, _ := strings.Cut(object, "/")
		return runPath(id)
	case noun == "net":
		return netPath(object)
	case noun == "node" && action != "node.remove":
		return nodePath(object)
	}
	return ""
}

// deref turns what may be absent into text.
func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
