package forecast

import (
	"fmt"
	"strings"
	"time"
)

// noteWorld says what the forecast takes for granted of agents.
func (p *Plan) noteWorld(w *World) {
	if len(w.Agents) == 0 {
		p.notes = append(p.notes, "the domain has no agent: nothing can run")
	}
	var away, drained []string
	for i := range p.agents {
		switch a := &p.agents[i]; {
		case !a.Linked:
			away = append(away, a.Name)
		case a.Drained:
			drained = append(drained, a.Name)
		}
	}
	if len(away) > 0 {
		p.notes = append(p.notes, "taken to be away all the time: "+some(away))
	}
	if len(drained) > 0 {
		p.notes = append(p.notes, "taken to be drained all the time: "+some(drained))
	}
	if n := len(w.Runs); n > 0 {
		p.notes = append(p.notes, fmt.Sprintf("it begins with the %d runs that are open now", n))
	}
	p.notes = append(p.notes, "what people start by hand and waits for destinations are not in it")
}

// noteDurations says on what the durations rest.
func (p *Plan) noteDurations(nets int, guess time.Duration) {
	var seen, said, guessed, failing, unknown int
	for i := range p.nets[:nets] {
		if len(p.nets[i].rules) == 0 {
			continue
		}
		for k := range p.nets[i].jobs {
			s := &p.nets[i].jobs[k].spread
			if s.failed > 0 {
				failing++
			}
			if s.unknown > 0 {
				unknown++
			}
			switch s.basis {
			case FromHistory:
				seen++
			case FromEstimate:
				said++
			case FromGuess:
				guessed++
			}
		}
	}
	var parts []string
	if seen > 0 {
		parts = append(parts, fmt.Sprintf("of %d jobs from their history", seen))
	}
	if said > 0 {
		parts = append(parts, fmt.Sprintf("of %d from their estimate (80 %% to 125 %% of it)", said))
	}
	if guessed > 0 {
		parts = append(parts, fmt.Sprintf("of %d guessed as %s (half to twice as long): nothing is known of them; give them an `estimate`", guessed, guess.Round(time.Millisecond)))
	}
	if len(parts) > 0 {
		p.notes = append(p.notes, "durations: "+strings.Join(parts, "; "))
	}
	if failing > 0 {
		p.notes = append(p.notes, fmt.Sprintf("%d jobs fail as often as they did, and are tried again by their `retry`", failing))
	}
	if unknown > 0 && p.o.Replications > 1 {
		text := "; nobody has decided one yet: where `on_unknown` is hold, their runs stay open"
		if n := len(p.decided); n > 0 {
			text = fmt.Sprintf("; where `on_unknown` is hold they are decided as, and as late as, %d were before", n)
		}
		p.notes = append(p.notes, fmt.Sprintf("the ends of %d jobs are unknown as often as they were%s", unknown, text))
	}
}

func some(names []string) string {
	const most = 10
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
