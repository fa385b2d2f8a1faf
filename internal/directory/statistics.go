package directory

import (
	"slices"
	"sync"
)

// counted is how many procedures RFC 1833 counts for each version.
const counted = procGetStat + 1

// maxAsked bounds the programs that are counted one by one: strangers choose their numbers.
const maxAsked = 64

// statistics counts what a mapper was asked, by version from 2 to 4.
type statistics struct {
	mu    sync.Mutex
	calls [rpcbVersion4 - pmapVersion + 1][counted]uint32
	found [rpcbVersion4 - pmapVersion + 1][]asked
}

// asked is how often one program was asked for.
type asked struct {
	program, version uint32
	netid            string
	success, failure uint32
}

func (s *statistics) count(version, process uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[version-pmapVersion][process]++
}

// asked counts a question for a program and whether it was registered.
func (s *statistics) asked(by, program, version uint32, netid string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := &s.found[by-pmapVersion]
	i := slices.IndexFunc(*list, func(x asked) bool { return x.program == program && x.version == version && x.netid == netid })
	if i < 0 {
		if !ok || len(*list) >= maxAsked {
			return
		}
		i = len(*list)
		*list = append(*list, asked{program: program, version: version, netid: netid})
	}
	if ok {
		(*list)[i].success++
	} else {
		(*list)[i].failure++
	}
}

// write writes rpcb_stat_byvers: for each version what was called, and which addresses were asked for. No SET or UNSET
// ever succeeded, and no call was passed on.
func (s *statistics) write(e *encoder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for v := range s.calls {
		e.uint32(s.calls[v][:]...)
		e.uint32(0, 0)
		for _, a := range s.found[v] {
			e.uint32(1, a.program, a.version, a.success, a.failure)
			e.text(a.netid)
		}
		e.uint32(0, 0)
	}
}
