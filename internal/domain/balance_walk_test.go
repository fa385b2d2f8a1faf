package domain_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
)

// walk is a random life of a server with a few schedules: outages, clocks that are set, definitions that change, people who act.
type walk struct {
	*timeSite
	*rand.Rand
	steps []string
}

func (w *walk) note(form string, args ...any) {
	w.steps = append(w.steps, w.now().Format("02T15:04:05 ")+fmt.Sprintf(form, args...))
}

func (w *walk) define() {
	schedules := []string{
		`name: one, cron: "*/7 * * * *", zone: Europe/Berlin`,
		`name: one, cron: "30 2 * * *", zone: Europe/Berlin, catchup: last`,
		`name: one, cron: "*/3 * * * *", jitter: 2m, start_within: 30m`,
		`name: one, cron: "0 */2 * * *", zone: America/New_York, overlap: skip, catchup: all`,
		`name: one, every: 90s, overlap: queue`,
		`name: one, cron: "*/10 * * * *", calendar: office, shift: before 1 within 6`,
		`name: one, cron: "20 5 * * *", calendar: office, zone: Asia/Tokyo, blackouts: [{from: "20:00", until: "22:00"}]`,
	}
	n := w.IntN(len(schedules))
	net := fmt.Sprint("ops/n", w.IntN(2))
	w.note("net %s: %s", net, schedules[n])
	w.scheduled(net, schedules[n])
}

// step does one thing. What a person may not do now is refused, and changes nothing.
func (w *walk) step() {
	switch w.IntN(10) {
	case 0:
		w.define()
	case 1:
		d := time.Duration(w.IntN(30*3600)) * time.Second
		w.note("down for %v", d)
		w.down()
		w.pass(d)
		w.up()
	case 2:
		d := time.Duration(w.IntN(7200)-3600) * time.Second
		w.note("clock set by %v", d)
		w.put(d)
	case 3:
		w.act()
	case 4:
		net := fmt.Sprint("ops/n", w.IntN(2))
		if w.IntN(2) == 0 {
			w.note("pause %s", net)
			_, _ = w.service.PauseSchedule(w.admin(), net, "one", api.Pause{Reason: "test"})
		} else {
			w.note("resume %s", net)
			_, _ = w.service.ResumeSchedule(w.admin(), net, "one")
		}
	case 5:
		at := w.now().Add(time.Duration(w.IntN(3600)) * time.Second)
		w.note("add %v", at)
		_, _ = w.service.CreateOverride(w.admin(), api.CreateOverride{Kind: "add", Net: "ops/n0", Nominal: &at, Reason: "test"})
	default:
		d := time.Duration(1+w.IntN(1800)) * time.Second
		w.note("pass %v", d)
		for end := w.now().Add(d); w.now().Before(end); {
			w.pass(min(end.Sub(w.now()), 50*time.Second))
		}
	}
}

// act does something to an occurrence that is to come, waits or was missed.
func (w *walk) act() {
	page, err := w.service.ListOccurrences(w.admin(), api.OccurrenceQuery{Planned: true, Since: w.now().Add(-3 * time.Hour), Until: w.now().Add(3 * time.Hour), Limit: 200})
	if err != nil || len(page.Occurrences) == 0 {
		return
	}
	o := page.Occurrences[w.IntN(len(page.Occurrences))]
	verb := []string{"release", "cancel", "dismiss"}[w.IntN(3)]
	_, err = w.service.ActOnOccurrence(w.admin(), api.OccurrenceAct{Net: o.Net, Schedule: o.Schedule, Nominal: o.Nominal, Verb: verb})
	w.note("%s %s %s %v: %v", verb, o.Net, o.Schedule, o.Nominal, err)
	if w.IntN(2) == 0 {
		to := o.Due.Add(time.Duration(w.IntN(7200)) * time.Second)
		kind := []string{"move", "skip", "hold"}[w.IntN(3)]
		change := api.CreateOverride{Kind: kind, Net: o.Net, Schedule: o.Schedule, Nominal: &o.Nominal, Reason: "test"}
		if kind == "move" {
			change.To = &to
		}
		_, err = w.service.CreateOverride(w.admin(), change)
		w.note("%s %s %s %v: %v", kind, o.Net, o.Schedule, o.Nominal, err)
	}
}

// TestConservationOverALife holds the equation of R9 over random lives of a whole server but its agents: after each step, for the business days
// around it.
func TestConservationOverALife(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			w := &walk{timeSite: openTimes(t), Rand: rand.New(rand.NewPCG(seed, 20261121))}
			w.apply("calendar: office\nweek: [mon, tue, wed, thu, fri]\nfree: [2026-03-26]\n")
			w.define()
			for range 40 {
				w.step()
				for back := range 3 {
					day := w.now().AddDate(0, 0, -back).Format(time.DateOnly)
					for _, b := range w.balance(api.BalanceQuery{Day: day}) {
						if b.Holds {
							continue
						}
						for _, line := range w.steps {
							t.Log(line)
						}
						t.Fatalf("got %+v, want a sum that holds", b)
					}
				}
			}
		})
	}
}
