package probe

import (
	"strconv"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// ParseExcluded reads what `netsh int ipv4 show excludedportrange protocol=tcp` prints: lines of two numbers, with a *
// behind those that netsh itself was told (F51). The words around them depend on the system's language and are not
// looked at.
func ParseExcluded(text string, protocol ports.Protocol) []Exclusion {
	var all []Exclusion
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 2 || len(f) > 3 || len(f) == 3 && f[2] != "*" {
			continue
		}
		first, err1 := strconv.ParseUint(f[0], 10, 16)
		last, err2 := strconv.ParseUint(f[1], 10, 16)
		if err1 != nil || err2 != nil || first == 0 || last < first {
			continue
		}
		all = append(all, Exclusion{
			Range:    ports.Range{First: ports.Port(first), Last: ports.Port(last)},
			Protocol: protocol, Administered: len(f) == 3,
		})
	}
	return all
}

// ParseDynamic reads what `netsh int ipv4 show dynamicport tcp` prints: the first number, and how many there are. It is
// false if that does not stand there.
func ParseDynamic(text string) (ports.Range, bool) {
	var numbers []int
	for line := range strings.Lines(text) {
		at := strings.LastIndex(line, ":")
		if at < 0 {
			continue
		}
		if n, err := strconv.Atoi(strings.TrimSpace(line[at+1:])); err == nil {
			numbers = append(numbers, n)
		}
	}
	if len(numbers) != 2 || numbers[0] < 1 || numbers[1] < 1 || numbers[0]+numbers[1]-1 > 65535 {
		return ports.Range{}, false
	}
	return ports.Range{First: ports.Port(numbers[0]), Last: ports.Port(numbers[0] + numbers[1] - 1)}, true
}
