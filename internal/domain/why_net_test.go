package domain_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/run"
)

const free = "calendar: work/days\nweek: [mon, tue, wed, thu, fri]\nfree: [{date: 2026-03-25, name: Founders}]\n"

// runsOf returns how many runs a net has.
func (s *timeSite) runsOf(net string) int {
	s.t.Helper()
	runs, err := s.service.ListRuns(s.admin(), api.RunQuery{Net: net})
	if err != nil {
		s.t.Fatal(err)
	}
	return len(runs)
}

func (s *timeSite) act(verb, schedule, nominal string) {
	s.t.Helper()
	if _, err := s.service.ActOnOccurrence(s.admin(), api.OccurrenceAct{Net: "a/b", Schedule: schedule, Nominal: instant(s.t, nominal), Verb: verb}); err != nil {
		s.t.Fatalf("%s: %v", verb, err)
	}
}

func (s *timeSite) override(o api.CreateOverride) api.Override {
	s.t.Helper()
	o.Net, o.Reason = "a/b", "ask ann"
	made, err := s.service.CreateOverride(s.admin(), o)
	if err != nil {
		s.t.Fatal(err)
	}
	return made
}

func (s *timeSite) end(id string) {
	s.t.Helper()
	if _, err := s.service.ControlRun(s.admin(), id, "cancel"); err != nil {
		s.t.Fatal(err)
	}
	s.settle()
}

// daily is due at six each day; what is added stands behind it.
func daily(more string) string { return `name: d, cron: "0 6 * * *"` + more }

// whyCase is a state, what why says of it, and how the fix that why names is applied: it then starts.
type whyCase struct {
	do     func(s *timeSite)
	at     string
	state  string
	reason string
	text   string
	fix    string
	heal   func(s *timeSite) // nil: there is nothing to heal
}

func ptrTime(t time.Time) *time.Time { return &t }

func whyCases() map[string]whyCase {
	at := func(s *timeSite, text string) *time.Time { return ptrTime(instant(s.t, text)) }
	six := "2026-03-24T06:00:00Z"
	next := func(schedule string) func(s *timeSite) { // applies another schedule, and lets it come to its time on the next day
		return func(s *timeSite) {
			s.scheduled("a/b", schedule)
			s.passTo("2026-03-25T06:00:30Z")
		}
	}
	return map[string]whyCase{
		"free day": {
			func(s *timeSite) { s.apply(free); s.scheduled("a/b", daily(", calendar: work/days")) }, "2026-03-25T06:00:00Z",
			"to be suppressed", "calendar", "2026-03-25 is free by calendar work/days (free: Founders), and shift is skip", "set shift: run in schedule d of a/b", next(daily(", calendar: work/days, shift: run")),
		},
		"free day that was": {
			func(s *timeSite) {
				s.apply(free)
				s.scheduled("a/b", daily(", calendar: work/days"))
				s.passTo("2026-03-25T07:00:00Z")
			}, "2026-03-25T06:00:00Z",
			"suppressed", "calendar", "Founders", "reeve run start a/b; for later ones: set shift: run in schedule d of a/b, then reeve net apply", func(s *timeSite) { s.start("a/b") },
		},
		"blackout": {
			func(s *timeSite) {
				s.scheduled("a/b", `name: d, cron: "0 6,18 * * *", blackouts: [{from: "22:00", until: "23:00"}, {from: "05:30", until: "06:30", text: backup}]`)
			}, "2026-03-25T06:00:00Z",
			"to be suppressed", "blackout", "it falls into the blackout from 05:30 until 06:30: backup", "take the blackout from 05:30 until 06:30 out", next(daily(`, blackouts: [{from: "22:00", until: "23:00"}]`)),
		},
		"collision": {
			func(s *timeSite) { s.apply(free); s.scheduled("a/b", daily(", calendar: work/days, shift: after")) }, "2026-03-26T06:00:00Z",
			"pending, to be suppressed", "collision", "a shift brings it to 2026-03-26T06:00:00Z, as it does with that of nominal 2026-03-25T06:00:00Z, and on_collision is one", "set on_collision: both", nil,
		},
		"paused": {
			func(s *timeSite) {
				s.scheduled("a/b", daily(""))
				if _, err := s.service.PauseSchedule(s.admin(), "a/b", "d", api.Pause{Reason: "disk change"}); err != nil {
					s.t.Fatal(err)
				}
			}, six, "to be suppressed", "paused", "it will be suppressed: the schedule is paused by admin: disk change", "reeve schedule resume a/b d",
			func(s *timeSite) {
				if _, err := s.service.ResumeSchedule(s.admin(), "a/b", "d"); err != nil {
					s.t.Fatal(err)
				}
				s.passTo("2026-03-24T06:00:30Z")
			},
		},
		"was paused": {
			func(s *timeSite) {
				s.scheduled("a/b", daily(""))
				if _, err := s.service.PauseSchedule(s.admin(), "a/b", "d", api.Pause{Reason: "disk change"}); err != nil {
					s.t.Fatal(err)
				}
				s.passTo("2026-03-24T07:00:00Z")
			}, six, "suppressed", "paused", "suppressed: the schedule was paused by admin: disk change, and is still", "reeve run start a/b; for later ones: reeve schedule resume a/b d",
			func(s *timeSite) { s.start("a/b") },
		},
		"skipped": {
			func(s *timeSite) {
				s.scheduled("a/b", daily(""))
				s.override(api.CreateOverride{Kind: "skip", Schedule: "d", Nominal: at(s, six)})
			}, six,
			"to be cancelled", "cancelled", "to be skipped: admin: ask ann", "reeve agenda drop 1", func(s *timeSite) { s.drop("1"); s.passTo("2026-03-24T06:00:30Z") },
		},
		"was skipped": {
			func(s *timeSite) {
				s.scheduled("a/b", daily(""))
				s.override(api.CreateOverride{Kind: "skip", Schedule: "d", Nominal: at(s, six)})
				s.passTo("2026-03-24T07:00:00Z")
			}, six, "cancelled", "cancelled", "skipped by admin: ask ann", "reeve run start a/b", nil,
		},
		"held, to come": {
			func(s *timeSite) {
				s.scheduled("a/b", daily(""))
				s.override(api.CreateOverride{Kind: "hold", Schedule: "d", From: at(s, "2026-03-24T05:30:00Z")})
			}, six,
			"pending", "held_back", "held by admin: ask ann", "reeve agenda drop 1", func(s *timeSite) { s.drop("1"); s.passTo("2026-03-24T06:00:30Z") },
		},
		"held": {
			func(s *timeSite) {
				s.scheduled("a/b", daily(""))
				s.override(api.CreateOverride{Kind: "hold", Schedule: "d", Nominal: at(s, six)})
				s.passTo("2026-03-24T07:00:00Z")
			}, six, "pending", "held_back", "change 1 of the agenda by admin", "reeve agenda drop 1, or reeve occurrence release a/b d 2026-03-24T06:00:00Z",
			func(s *timeSite) { s.act("release", "d", six) },
		},
		"moved": {
			func(s *timeSite) {
				s.scheduled("a/b", daily(""))
				s.override(api.CreateOverride{Kind: "move", Schedule: "d", Nominal: at(s, six), To: at(s, "2026-03-24T09:00:00Z")})
				s.passTo("2026-03-24T07:00:00Z")
			}, six, "pending", "not_due", "it is not due yet, in 2h; moved by admin: ask ann", "reeve agenda drop 1", func(s *timeSite) { s.act("release", "d", six) },
		},
		"domain held": {
			func(s *timeSite) { s.scheduled("a/b", daily("")); s.hold(); s.passTo("2026-03-24T06:01:00Z") }, six,
			"pending", "domain_held", "storm", "reeve domain release", nil,
		},
		"domain was held": {
			func(s *timeSite) {
				s.scheduled("a/b", daily(""))
				s.hold()
				s.passTo("2026-03-24T06:10:00Z")
				s.releaseDomain()
			}, six,
			"suppressed", "held", "the domain was held when it fell due", "reeve run start a/b; for later ones: set catchup: last, or all,", func(s *timeSite) { s.start("a/b") },
		},
		"overlap": {
			func(s *timeSite) {
				s.scheduled("a/b", daily(", overlap: skip"))
				s.start("a/b")
				s.passTo("2026-03-24T06:10:00Z")
			}, six,
			"suppressed", "overlap", "of the net was open, and overlap is skip; still open: run ", "reeve run start a/b; for later ones: set overlap: queue, or allow, in schedule d", func(s *timeSite) { s.start("a/b") },
		},
		"blackout that was": {
			func(s *timeSite) {
				s.scheduled("a/b", `name: d, cron: "0 6,18 * * *", blackouts: [{from: "05:30", until: "06:30"}]`)
				s.passTo("2026-03-24T07:00:00Z")
			}, six, "suppressed", "blackout", "it falls into the blackout from 05:30 until 06:30", "reeve run start a/b; for later ones: take the blackout from 05:30 until 06:30 out", func(s *timeSite) { s.start("a/b") },
		},
		"blackout that was, and does not come again": {
			func(s *timeSite) {
				s.scheduled("a/b", daily(`, blackouts: [{from: "2026-03-24", until: "2026-03-25"}]`))
				s.passTo("2026-03-24T07:00:00Z")
			}, six, "suppressed", "blackout", "it falls into the blackout from 2026-03-24 until 2026-03-25", "reeve run start a/b", func(s *timeSite) { s.start("a/b") },
		},
		"left out by from, then": {
			func(s *timeSite) {
				s.scheduled("a/b", daily(", from: 2026-04-01"))
				s.passTo("2026-03-24T07:00:00Z")
			}, six, "not due", "left_out", "schedule d leaves it out: from is 2026-04-01", "reeve run start a/b; for later ones: set another from in schedule d of a/b", func(s *timeSite) { s.start("a/b") },
		},
		"cancelled before it is due": {
			func(s *timeSite) { s.scheduled("a/b", daily("")); s.act("cancel", "d", six) }, six, "cancelled", "cancelled", "cancelled by admin", "reeve agenda add a/b --at 2026-03-24T06:00:00Z",
			func(s *timeSite) {
				s.override(api.CreateOverride{Kind: "add", Nominal: at(s, six)})
				s.passTo("2026-03-24T06:00:30Z")
			},
		},
		"queued": {
			func(s *timeSite) {
				s.scheduled("a/b", daily(", overlap: queue"))
				s.start("a/b")
				s.passTo("2026-03-24T06:10:00Z")
			}, six,
			"pending", "queued", "of the net is open", "set overlap: allow", func(s *timeSite) { s.end(s.engine.OpenRunsOf("a/b")[0]) },
		},
		"server down": {
			func(s *timeSite) { s.scheduled("a/b", daily("")); s.down(); s.pass(3 * time.Hour); s.up() }, six,
			"missed", "server_down", "the server was not running until 2026-03-24T08:00:10Z; catchup is none", "reeve occurrence release a/b d 2026-03-24T06:00:00Z; for later ones: set catchup: last, or all,", func(s *timeSite) { s.act("release", "d", six) },
		},
		"clock jump": {
			func(s *timeSite) { s.scheduled("a/b", daily("")); s.put(3 * time.Hour) }, six,
			"missed", "clock_jump", "the server's clock was put forward by 3h0m0s", "reeve occurrence release", func(s *timeSite) { s.act("release", "d", six) },
		},
		"catchup limit": {
			func(s *timeSite) {
				s.scheduled("a/b", `name: d, cron: "*/10 * * * *", catchup: last`)
				s.down()
				s.pass(2 * time.Hour)
				s.up()
			}, six,
			"missed", "catchup_limit", "catchup is last", "reeve occurrence release a/b d 2026-03-24T06:00:00Z; for later ones: set catchup: all in", func(s *timeSite) { s.act("release", "d", six) },
		},
		"awaits agent": {
			func(s *timeSite) { s.scheduled("a/b", daily(", start_within: 1h")); s.passTo("2026-03-24T06:10:00Z") }, six,
			"pending", "awaits_agent", "it is missed when that has not changed by 2026-03-24T07:00:00Z", "reeve occurrence release",
			func(s *timeSite) {
				s.candidates(s.agent("north", 1))
				s.settle()
			},
		},
		"no agent": {
			func(s *timeSite) { s.scheduled("a/b", daily(", start_within: 1h")); s.passTo("2026-03-24T07:10:00Z") }, six,
			"missed", "no_agent", "its start window closed at 2026-03-24T07:00:00Z", "reeve occurrence release", func(s *timeSite) { s.act("release", "d", six) },
		},
		"start deadline": {
			func(s *timeSite) {
				s.scheduled("a/b", daily(", overlap: queue, start_within: 30m"))
				s.start("a/b")
				s.passTo("2026-03-24T06:40:00Z")
			}, six,
			"missed", "start_deadline_passed", "its start window closed at 2026-03-24T06:30:00Z", "reeve occurrence release a/b d 2026-03-24T06:00:00Z; for later ones: set a longer start_within, or none,", func(s *timeSite) { s.act("release", "d", six) },
		},
		"definition changed": {
			func(s *timeSite) {
				s.scheduled("a/b", daily(", overlap: queue"))
				s.start("a/b")
				s.passTo("2026-03-24T06:10:00Z")
				s.scheduled("a/b", `name: other, cron: "0 7 * * *"`)
			}, six, "cancelled", "definition_changed", "the net has no schedule d any more", "reeve run start a/b", func(s *timeSite) { s.start("a/b") },
		},
		"by end": {
			func(s *timeSite) { s.scheduled("a/b", "name: d, every: 1h, every_by: end"); s.pass(time.Minute) }, "2026-03-24T09:00:00Z",
			"not due", "awaits_end", "counts 1h from the end of each run", "reeve run list --net a/b", nil,
		},
		"not due yet": {
			func(s *timeSite) { s.scheduled("a/b", daily("")) }, six, "pending", "not_due", "it is not due yet, in 59m50s", "reeve occurrence release", func(s *timeSite) { s.act("release", "d", six) },
		},
		"released": {
			func(s *timeSite) { s.scheduled("a/b", daily("")); s.passTo("2026-03-24T06:10:00Z") }, six, "released", "due", "released at 2026-03-24T06:00:", "reeve run show", nil,
		},
		"released, where a person moved it to": {
			func(s *timeSite) {
				s.scheduled("a/b", daily(""))
				s.override(api.CreateOverride{Kind: "move", Schedule: "d", Nominal: at(s, six), To: at(s, "2026-03-24T08:30:00Z")})
				s.passTo("2026-03-24T08:40:00Z")
			}, "2026-03-24T08:30:00Z", "released", "due", "moved to 2026-03-24T08:30:00Z by", "reeve run show", nil,
		},
		"released, where a person moved it to, with both times": {
			func(s *timeSite) {
				s.scheduled("a/b", daily(""))
				s.override(api.CreateOverride{Kind: "move", Schedule: "d", Nominal: at(s, six), To: at(s, "2026-03-24T08:30:00Z")})
				s.passTo("2026-03-24T08:40:00Z")
			}, six, "released", "due", "schedule d, due at 2026-03-24T08:30:00Z (nominal 2026-03-24T06:00:00Z, moved by override): released at 2026-03-24T08:30:", "reeve run show", nil,
		},
		"no schedule": {
			func(s *timeSite) { s.net("a/b") }, six, "not due", "no_schedule", "its definition has no schedules", "reeve run start a/b", func(s *timeSite) { s.start("a/b") },
		},
		"schedules taken away": {
			func(s *timeSite) { s.scheduled("a/b", daily("")); s.pass(time.Minute); s.net("a/b") }, six, "not due", "not_in_force", "the last one, d, was taken out", "reeve run start a/b", nil,
		},
		"applied later": {
			func(s *timeSite) { s.passTo("2026-03-24T07:00:00Z"); s.scheduled("a/b", daily("")) }, six, "not due, pending", "not_in_force", "in force as it is since 2026-03-24T07:00:", "reeve run start a/b", nil,
		},
		"nothing then": {
			func(s *timeSite) { s.scheduled("a/b", daily("")); s.pass(time.Minute) }, "2026-03-24T12:00:00Z", "not due, pending", "nothing_due",
			"schedule d (0 6 * * * in UTC) has nothing at that time: before at 2026-03-24T06:00:00Z; next at 2026-03-25T06:00:00Z", "reeve agenda add a/b --at 2026-03-24T12:00:00Z",
			func(s *timeSite) {
				s.override(api.CreateOverride{Kind: "add", Nominal: at(s, "2026-03-24T12:00:00Z")})
				s.passTo("2026-03-24T12:00:30Z")
			},
		},
		"never again": {
			func(s *timeSite) {
				s.scheduled("a/b", `name: d, dates: ["2026-03-24T06:00"]`)
				s.passTo("2026-03-24T07:00:00Z")
			}, "2026-03-26T06:00:00Z", "not due", "never_due", "never due after that: before at 2026-03-24T06:00:00Z", "change schedule d", nil,
		},
		"left out by from": {
			func(s *timeSite) { s.scheduled("a/b", daily(", from: 2026-04-01")) }, six, "not due", "left_out", "schedule d leaves it out: from is 2026-04-01", "set another from in schedule d of a/b",
			func(s *timeSite) { s.scheduled("a/b", daily("")); s.passTo("2026-03-24T06:00:30Z") },
		},
		"left out by until": {
			func(s *timeSite) { s.scheduled("a/b", daily(", until: 2026-03-28")) }, "2026-03-30T06:00:00Z", "not due", "left_out", "until is 2026-03-28", "another until", nil,
		},
		"gap": {
			func(s *timeSite) {
				s.scheduled("a/b", `name: d, cron: "30 2 * * *", zone: Europe/Berlin, dst_gap: skip`)
			}, "2026-03-29T01:30:00Z",
			"not due, pending", "dst_gap", "2026-03-29T02:30:00 did not exist in Europe/Berlin", "set dst_gap: next-valid, or shift,",
			func(s *timeSite) {
				s.scheduled("a/b", `name: d, cron: "30 2 29 3 *", zone: Europe/Berlin`)
				s.passTo("2026-03-29T01:00:30Z")
			},
		},
		"gap, by the offset after it": {
			func(s *timeSite) {
				s.scheduled("a/b", `name: d, cron: "30 2 * * *", zone: Europe/Berlin, dst_gap: skip`)
			}, "2026-03-29T00:30:00Z", "not due, pending", "dst_gap", "did not exist", "set dst_gap", nil,
		},
		"moved over the gap": {
			func(s *timeSite) { s.scheduled("a/b", `name: d, cron: "30 2 * * *", zone: Europe/Berlin`) }, "2026-03-29T01:30:00Z", "not due, pending", "dst_gap",
			"2026-03-29T02:30:00 did not exist in Europe/Berlin, clocks were put forward over it, and dst_gap is next-valid: it is due at 2026-03-29T01:00:00Z (2026-03-29 03:00:00 +0200)", "set dst_gap: skip, or shift,", nil,
		},
		"moved over the gap, by the offset after it": {
			func(s *timeSite) {
				s.scheduled("a/b", `name: d, cron: "30 2 * * *", zone: Europe/Berlin, dst_gap: shift`)
			}, "2026-03-29T00:30:00Z", "not due, pending", "dst_gap",
			"dst_gap is shift: it is due at 2026-03-29T01:30:00Z (2026-03-29 03:30:00 +0200)", "set dst_gap: skip, or next-valid,", nil,
		},
		"the other pass": {
			func(s *timeSite) { s.scheduled("a/b", `name: d, cron: "30 2 * * *", zone: Europe/Berlin`) }, "2026-10-25T01:30:00Z", "not due, pending", "dst_overlap", "2026-10-25T02:30:00 came twice in Europe/Berlin", "set dst_overlap", nil,
		},
	}
}

func (s *timeSite) drop(id string) {
	s.t.Helper()
	if o, err := s.service.DropOverride(s.admin(), id); err != nil || o.State != "dropped" {
		s.t.Fatalf("got %+v, %v", o, err)
	}
}

func (s *timeSite) hold() {
	s.t.Helper()
	if _, err := s.service.ControlDomain(s.admin(), "hold", "storm"); err != nil {
		s.t.Fatal(err)
	}
	s.settle()
}

func (s *timeSite) releaseDomain() {
	s.t.Helper()
	if _, err := s.service.ControlDomain(s.admin(), "release", ""); err != nil {
		s.t.Fatal(err)
	}
	s.settle()
}

// TestWhyNet: for each reason a state is built; why names it with its fix, and where the fix is applied, a run starts.
func TestWhyNet(t *testing.T) {
	t.Parallel()
	for name, test := range whyCases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openTimes(t)
			test.do(s)
			why, err := s.service.WhyNet(s.admin(), api.WhyQuery{Net: "a/b", At: instant(t, test.at)})
			if err != nil || len(why.Facts) == 0 {
				t.Fatalf("got %+v, %v", why, err)
			}
			decided := strings.HasPrefix(test.state, "missed") || strings.HasPrefix(test.state, "suppressed") || strings.HasPrefix(test.state, "cancelled")
			for _, f := range why.Facts {
				if decided && (strings.HasPrefix(f.Fix, "set ") || strings.Contains(f.Fix, "cancel") || strings.HasPrefix(f.Fix, "reeve schedule")) {
					t.Errorf("it is decided, and %q does not change it", f.Fix)
				}
			}
			f := why.Facts[0]
			if test.reason == "collision" { // the one that it collides with stands before it
				f = why.Facts[1]
			}
			if why.State != test.state || f.Reason != test.reason || !strings.Contains(f.Text, test.text) || !strings.Contains(f.Fix, test.fix) {
				t.Errorf("got %s: %+v\nwant %s, %s: %q, fix %q", why.State, why.Facts, test.state, test.reason, test.text, test.fix)
			}
			if test.heal == nil {
				return
			}
			before := s.runsOf("a/b")
			test.heal(s)
			if after := s.runsOf("a/b"); after <= before {
				t.Errorf("after the fix there are %d runs, %d before: want more; why says %s", after, before, s.tell(test.at))
			}
		})
	}
}

func (s *timeSite) tell(at string) string {
	why, err := s.service.WhyNet(s.admin(), api.WhyQuery{Net: "a/b", At: instant(s.t, at)})
	return fmt.Sprintf("%+v, %v", why, err)
}

// TestWhyNetGoesOnWithTheRun: of what was released, why says what the run waits for; of many it says how many more.
func TestWhyNetGoesOnWithTheRun(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	s.scheduled("a/b", daily(""), `name: each, cron: "*/5 * * * * *"`)
	s.candidates()
	s.passTo("2026-03-24T06:01:00Z")
	why, err := s.service.WhyNet(s.admin(), api.WhyQuery{Net: "a/b", At: instant(t, "2026-03-24T06:00:00Z"), Minute: true})
	if err != nil {
		t.Fatal(err)
	}
	last := why.Facts[len(why.Facts)-1]
	if why.State != "released" || !strings.Contains(last.Text, "and 8 more") || !strings.Contains(last.Fix, "reeve occurrence list a/b") {
		t.Errorf("got %s, %+v, want five and how many more", why.State, why.Facts)
	}
	if why.Facts[1].Reason != string(run.ReasonNoAgent) || why.Facts[1].Job != "a" {
		t.Errorf("got %+v, want the run's own reason behind it", why.Facts[1])
	}
	if why, err = s.service.WhyNet(s.admin(), api.WhyQuery{Net: "a/b"}); err != nil || !strings.HasSuffix(why.Subject, " at 2026-03-24T06:01:00Z") {
		t.Errorf("without a time: got %+v, %v, want the minute that it is", why, err)
	}
	if _, err := s.service.WhyNet(s.admin(), api.WhyQuery{Net: "a/none", At: s.now()}); !fault.Is(err, fault.NotFound) {
		t.Errorf("no net: got %v, want not found", err)
	}
}

// TestWhyNetOfASecond: what is due, or nominal, in the second that was asked about is explained alone; where nothing is, or a minute was meant,
// all of the minute.
func TestWhyNetOfASecond(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	s.scheduled("a/b", `name: each, cron: "0,30 * * * * *", from: "2026-03-24T06:00", until: "2026-03-24T06:05"`, `name: late, cron: "10 6 6 * * *", from: "2026-03-24", until: "2026-03-25"`,
		`name: moved, cron: "0 8 * * *", from: "2026-03-24", until: "2026-03-25"`)
	s.override(api.CreateOverride{Kind: "move", Schedule: "moved", Nominal: ptrTime(instant(t, "2026-03-24T08:00:00Z")), To: ptrTime(instant(t, "2026-03-24T09:00:20Z"))})
	for _, test := range []struct {
		at     string
		minute bool
		want   []string
	}{
		{"2026-03-24T06:00:00Z", false, []string{"each, due at 2026-03-24T06:00:00Z:"}},
		{"2026-03-24T06:00:30Z", false, []string{"each, due at 2026-03-24T06:00:30Z:"}},
		{"2026-03-24T06:00:00Z", true, []string{"each, due at 2026-03-24T06:00:00Z:", "each, due at 2026-03-24T06:00:30Z:"}},
		{"2026-03-24T06:00:30Z", true, []string{"each, due at 2026-03-24T06:00:00Z:", "each, due at 2026-03-24T06:00:30Z:"}},
		{"2026-03-24T06:06:00Z", false, []string{"late, due at 2026-03-24T06:06:10Z:"}},
		{"2026-03-24T08:00:00Z", false, []string{"moved, due at 2026-03-24T09:00:20Z (nominal 2026-03-24T08:00:00Z"}},
		{"2026-03-24T09:00:20Z", false, []string{"moved, due at 2026-03-24T09:00:20Z (nominal 2026-03-24T08:00:00Z"}},
		{"2026-03-24T09:00:00Z", false, []string{"moved, due at 2026-03-24T09:00:20Z (nominal 2026-03-24T08:00:00Z"}},
	} {
		why, err := s.service.WhyNet(s.admin(), api.WhyQuery{Net: "a/b", At: instant(t, test.at), Minute: test.minute})
		if err != nil || len(why.Facts) != len(test.want) {
			t.Errorf("%+v: got %+v, %v", test, why, err)
			continue
		}
		for i, want := range test.want {
			if !strings.HasPrefix(why.Facts[i].Text, "schedule "+want) {
				t.Errorf("%+v: got %q, want %q", test, why.Facts[i].Text, want)
			}
		}
	}
	if why, err := s.service.WhyNet(s.admin(), api.WhyQuery{Net: "a/b", At: instant(t, "2026-03-24T06:00:15Z")}); err != nil || !strings.HasPrefix(why.State, "not due") {
		t.Errorf("a second without anything: got %+v, %v", why, err)
	}
}

// TestWhyOfWhatIsDecided: of what is decided, why offers first what makes it run all the same, and nothing that would change only other things
// without saying so: a run that began later is not named, nor one that has ended.
func TestWhyOfWhatIsDecided(t *testing.T) {
	t.Parallel()
	s := openTimes(t)
	s.scheduled("a/b", `name: d, cron: "0 6 24 3 *", overlap: skip`)
	first := s.start("a/b").ID
	s.passTo("2026-03-24T06:10:00Z")
	s.end(first)
	later := s.start("a/b").ID
	why, err := s.service.WhyNet(s.admin(), api.WhyQuery{Net: "a/b", At: instant(t, "2026-03-24T06:00:00Z")})
	if err != nil || len(why.Facts) != 1 || why.State != "suppressed" {
		t.Fatalf("got %+v, %v, want one fact", why, err)
	}
	f := why.Facts[0]
	if !strings.Contains(f.Text, "run "+first+" of the net was open") || strings.Contains(f.Text, "still") || strings.Contains(f.Text+f.Fix, later) || !strings.HasPrefix(f.Fix, "reeve run start a/b;") {
		t.Errorf("got %+v, want it without the run %s that began later", f, later)
	}
}
