package render

import (
	"slices"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// jobscheduler has what must be open, and the sequence with the page's names: OP and IP are the client's outgoing and
// incoming ports, OPR the remote's outgoing one.
func (v *vendor) jobscheduler() {
	w := v.w.vendor
	var cells [][]string
	for _, r := range v.take(func(ports.Row) bool { return true }) {
		cells = append(cells, []string{r.Function, v.port(r), v.w.end(r.Source), v.w.end(r.Destination), remark(r.Purpose, r.Note, v.state(r)), r.Origin})
	}
	v.table(w.ranges, nil, []string{w.what, w.port, w.source, w.destination, w.remarks, w.number}, cells)
	v.pools(v.w, v.c)

	numbers := map[string]string{} // the numbers of a step, by its origin
	for _, r := range v.rows {
		if numbers[r.Origin] == "" {
			numbers[r.Origin] = r.Port
		}
	}
	var steps [][]string
	v.c.Notes = slices.DeleteFunc(slices.Clone(v.c.Notes), func(n ports.Statement) bool {
		who, step, ok := strings.Cut(n.Text, ": ")
		if !ok || !slices.Contains([]string{"client", "remote", "client → remote", "remote → client"}, who) {
			return false
		}
		steps = append(steps, []string{n.Origin, who, sign(step), numbers[n.Origin], step, n.Reading})
		return true
	})
	if len(steps) > 0 {
		v.table(w.sequence, nil, []string{w.number, w.who, w.from, w.port, w.step, w.reading}, steps)
	}
}

// sign is the page's name of the port that a step is about: OP, IP or OPR. Where it names two, they are joined.
func sign(step string) string {
	var found []string
	for _, word := range strings.FieldsFunc(step, func(r rune) bool { return r < 'A' || r > 'Z' }) {
		if (word == "OP" || word == "IP" || word == "OPR") && !slices.Contains(found, word) {
			found = append(found, word)
		}
	}
	return strings.Join(found, ", ")
}
