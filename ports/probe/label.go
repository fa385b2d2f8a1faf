package probe

import (
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// ParseLabels reads what `semanage port -l` prints: a type, a protocol and ports between commas, one type a line. Lines
// that are none, as the heading, are left out.
func ParseLabels(text string) []Label {
	var all []Label
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 3 || !strings.HasSuffix(f[0], "_t") {
			continue
		}
		l := Label{Type: f[0], Protocol: ports.Protocol(f[1])}
		for item := range strings.SplitSeq(strings.Join(f[2:], ""), ",") {
			first, last, interval := strings.Cut(item, "-")
			if !interval {
				last = first
			}
			if r, err := ParseInterval(first + " " + last); err == nil {
				l.Ranges = append(l.Ranges, r)
			}
		}
		if len(l.Ranges) > 0 {
			all = append(all, l)
		}
	}
	return all
}

// typeOf returns the label of a port: that of the smallest interval, as the policy has it.
func typeOf(labels []Label, protocol ports.Protocol, port ports.Port) string {
	best, size := "", 1<<17
	for _, l := range labels {
		for _, r := range l.Ranges {
			if n := int(r.Last) - int(r.First); l.Protocol == protocol && r.First <= port && port <= r.Last && n < size {
				best, size = l.Type, n
			}
		}
	}
	return best
}
