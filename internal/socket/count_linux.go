package socket

import (
	"os"
	"strconv"
	"strings"
)

// counts are two of the kernel's counters of this network namespace. Anybody may read them, and what one does not move
// has not happened.
type counts struct {
	unsent int // TCP segments that could not be sent again: the host's own rules dropped them
	echoes int // packets over loopback: a rule that resets sends its answer there
}

func count() counts {
	return counts{unsent: netstat("TcpExt:", "TCPRetransFail"), echoes: loopbackPackets()}
}

// since returns how far the counters have moved; -1 where one is not known.
func (c counts) since(before counts) (unsent, echoes int) {
	moved := func(now, then int) int {
		if now < 0 || then < 0 {
			return -1
		}
		return now - then
	}
	return moved(c.unsent, before.unsent), moved(c.echoes, before.echoes)
}

// netstat reads a counter: each group has a line of names and a line of values.
func netstat(group, name string) int {
	text, err := os.ReadFile("/proc/self/net/netstat")
	if err != nil {
		return -1
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] != group {
			continue
		}
		if names == nil {
			names = f
			continue
		}
		for i, have := range names {
			if have == name && i < len(f) {
				return number(f[i])
			}
		}
	}
	return -1
}

func loopbackPackets() int {
	const received = 1 // of the columns behind the name
	text, err := os.ReadFile("/proc/self/net/dev")
	if err != nil {
		return -1
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "lo:"); ok {
			if f := strings.Fields(rest); len(f) > received {
				return number(f[received])
			}
		}
	}
	return -1
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return -1
	}
	return n
}
