package domain

import (
	"maps"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/store"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// showRun writes a run as the API has it. The reason of a ready job is found now: it is not stored.
func (s *Service) showRun(st run.State, def *run.Definition) api.Run {
	out := api.Run{
		ID: st.ID, Net: st.Net, Version: st.Version, State: string(st.Status), Reason: reason(st.Reason),
		By: st.By, HeldBy: opt(st.HeldBy), RerunOf: opt(st.RerunOf),
		Created: st.Created.UTC(), Schedule: opt(st.Schedule), Nominal: optTime(st.Nominal), Started: optTime(st.Started), Ended: optTime(st.Ended),
		Params: orEmpty(st.Params), Jobs: make([]api.Job, len(st.Jobs)),
	}
	for i := range st.Jobs {
		out.Jobs[i] = s.showJob(st.ID, &st.Jobs[i], def, i)
	}
	if st.Status == run.Waiting {
		for i := range out.Jobs {
			if out.Jobs[i].State == string(run.Ready) && out.Jobs[i].Reason != nil {
				out.Reason = out.Jobs[i].Reason
			}
		}
	}
	return out
}

func (s *Service) showJob(id string, j *run.Job, def *run.Definition, i int) api.Job {
	out := api.Job{
		Name: j.Name, State: string(j.Status), Reason: reason(j.Reason), Detail: opt(j.Detail), After: []string{},
		Since: j.Since.UTC(), Due: optTime(j.Due), Decided: opt(j.Decided), Attempts: make([]api.Attempt, len(j.Attempts)),
	}
	if def != nil && i < len(def.Net.Jobs) {
		out.After = append(out.After, def.Net.Jobs[i].After...)
		if j.Status == run.Ready {
			why, text := s.cfg.Engine.Waits(def.Net.Jobs[i].Agent)
			out.Reason, out.Detail = reason(why), opt(text)
		}
	}
	for k := range j.Attempts {
		out.Attempts[k] = showAttempt(&j.Attempts[k])
		if a := &j.Attempts[k]; s.cfg.Callback != nil && !a.Status.Ended() {
			out.Attempts[k].Callback = s.cfg.Callback(wire.Attempt{Run: id, Job: j.Name, N: a.N})
		}
	}
	return out
}

func showAttempt(a *run.Attempt) api.Attempt {
	out := api.Attempt{
		N: a.N, Agent: a.Agent, State: string(a.Status), Reason: reason(a.Reason), Detail: opt(a.Detail),
		ExitCode: a.ExitCode, Signal: opt(a.Signal), PID: opt(a.PID), Containment: opt(a.Containment),
		Ordered: a.Ordered.UTC(), Started: optTime(a.Started), Ended: optTime(a.Ended),
		Outputs: orEmpty(a.Outputs), Artifacts: make([]api.Artifact, len(a.Artifacts)),
		OutputBytes: a.Output, LostBytes: a.Lost, CPUSeconds: a.CPU.Seconds(), MaxRSS: a.MaxRSS,
	}
	for i, f := range a.Artifacts {
		out.Artifacts[i] = api.Artifact{Name: f.Name, Size: f.Size, SHA256: f.SHA256}
	}
	return out
}

func showSummary(r store.RunSummary) api.RunSummary {
	return api.RunSummary{
		ID: r.ID, Net: r.Net, Version: r.Version, State: string(r.Status), Reason: reason(r.Reason), By: r.By,
		HeldBy: opt(r.HeldBy), RerunOf: opt(r.RerunOf), Schedule: opt(r.Schedule), Nominal: optTime(r.Nominal),
		Created: r.Created.UTC(), Started: optTime(r.Started), Ended: optTime(r.Ended),
		Jobs: r.Jobs, Done: r.Done,
	}
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return maps.Clone(m)
}

func showToken(t store.Token, now time.Time) api.Token {
	state := "valid"
	switch {
	case !t.Revoked.IsZero():
		state = "revoked"
	case t.Kind == "agent" && !t.Used.IsZero():
		state = "used"
	case now.After(t.Expires):
		state = "expired"
	}
	return api.Token{
		ID: t.ID, Kind: t.Kind, Name: t.Name, Labels: orEmpty(t.Labels), Scope: append([]string{}, t.Scope...), Folder: t.Folder,
		By: t.By, Created: t.Created.UTC(), Expires: t.Expires.UTC(), Used: optTime(t.Used), Revoked: optTime(t.Revoked), State: state,
	}
}

func showUser(u store.User) api.User {
	return api.User{
		Name: u.Name, FullName: u.FullName, Permissions: append([]string{}, u.Permissions...), Folder: u.Folder,
		Disabled: u.Disabled, Created: u.Created.UTC(),
	}
}
