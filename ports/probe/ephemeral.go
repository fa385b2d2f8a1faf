package probe

import (
	"fmt"
	"slices"

	"github.com/reeve-scheduler/reeve/ports"
)

// inEphemeral returns of each row the numbers that the system may give to an outgoing connection.
func (c *check) inEphemeral(ephemeral, reserved []ports.Range) [][]ports.Range {
	all := make([][]ports.Range, len(c.rows))
	for i, row := range c.rows {
		all[i] = without(intersect([]ports.Range{row.Range()}, ephemeral), reserved)
	}
	return all
}

// inRange reports that a row lies in the ephemeral range, with the line that takes it out.
func (c *check) inRange(i int, row Row, holder *Holder) {
	exposed := c.exposed[i]
	if len(exposed) == 0 {
		return
	}
	severity := ports.Error
	if c.ask.Tolerate {
		severity = ports.Warning
	}
	f := row.finding(Ephemeral, severity, fmt.Sprintf("the system takes ports for outgoing connections from %s: any program may have %s as its source when Reeve needs it",
		FormatRanges(c.ephemeral), FormatRanges(exposed)))
	f.Holder = holder
	f.Remedies = c.reserve(row, &f)
	c.found = append(c.found, f)
}

// reserve says how the system is told to leave the numbers out.
func (c *check) reserve(row Row, f *Finding) []string {
	switch c.obs.System {
	case "windows":
		r := row.Range()
		return []string{
			fmt.Sprintf("netsh int ipv4 add excludedportrange protocol=%s startport=%d numberofports=%d", row.Protocol, r.First, int(r.Last)-int(r.First)+1),
			c.another(row),
		}
	case "linux":
		line := c.sysctl()
		f.Sysctl = &line
		return []string{
			"sysctl -w " + line,
			"and for the next start: write that line to a file of /etc/sysctl.d (`reeve ports render sysctl` makes it)",
			"or " + c.another(row),
		}
	}
	return []string{c.another(row)}
}

// sysctl is one line that keeps all rows out of the ephemeral range. The kernel replaces its list by what is written
// (F66), so the line holds what is there already, too.
func (c *check) sysctl() string {
	all := append([]ports.Range{}, c.obs.Reserved...)
	for _, exposed := range c.exposed {
		all = append(all, exposed...)
	}
	return settingPrefix + reservedSetting + "=" + FormatRanges(union(all))
}

// drift reports where what holds now is not what the system's files say: after the next start a row would lie in the
// ephemeral range that does not now (F35). A file that the kernel would not take is reported too.
func (c *check) drift() {
	if c.obs.System != "linux" {
		return
	}
	for _, s := range c.obs.Settings {
		if s.Wrong != "" {
			c.warn(Drift, fmt.Sprintf("%s:%d: the system will not take %s: %s", s.File, s.Line, s.Name, s.Wrong),
				"write numbers and intervals between commas, without blanks")
		}
	}
	c.declared()
	ephemeral, reserved := []ports.Range{ports.LinuxEphemeral()}, []ports.Range(nil)
	from := "no file of sysctl.d sets them"
	if s, ok := lasting(c.obs.Settings, rangeSetting); ok {
		ephemeral, from = s.Ranges, fmt.Sprintf("%s:%d", s.File, s.Line)
	}
	if s, ok := lasting(c.obs.Settings, reservedSetting); ok {
		reserved, from = s.Ranges, fmt.Sprintf("%s:%d", s.File, s.Line)
	}
	var lost []ports.Range
	for i, later := range c.inEphemeral(ephemeral, reserved) {
		lost = append(lost, without(later, union(c.exposed[i]))...)
	}
	if len(lost) == 0 || len(c.ask.Ephemeral) > 0 {
		return
	}
	c.warn(Drift, fmt.Sprintf("after the next start %s will lie in the ephemeral range %s (%s)", FormatRanges(union(lost)), FormatRanges(ephemeral), from),
		"write the line to a file of /etc/sysctl.d: "+settingPrefix+reservedSetting+"="+FormatRanges(union(append(append([]ports.Range{}, c.obs.Reserved...), lost...))))
}

// declared reports an inventory that says another ephemeral range of the host than it has: the plan was checked
// against a range that is not this one.
func (c *check) declared() {
	for _, h := range c.site.Inventory.Hosts {
		if h.Name == c.ask.Host && h.Ephemeral != (ports.Range{}) && len(c.obs.Ephemeral) > 0 && !slices.Equal(c.obs.Ephemeral, []ports.Range{h.Ephemeral}) {
			c.warn(Drift, fmt.Sprintf("the inventory gives host %s the ephemeral range %s, and it has %s", h.Name, formatRange(h.Ephemeral), FormatRanges(c.obs.Ephemeral)),
				"correct the inventory (ephemeral: "+FormatRanges(c.obs.Ephemeral)+"), or the host's setting")
		}
	}
}

// warn adds a finding about the host as a whole.
func (c *check) warn(state State, note string, remedies ...string) {
	c.found = append(c.found, Finding{State: state, Severity: ports.Warning, Address: "*", Remedies: remedies, Note: note})
}
