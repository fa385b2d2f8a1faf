package fleet

import (
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// translate says a keeper's report in the words of package run.
func translate(r wire.Report) (run.Input, error) {
	job, n := r.Attempt.Job, r.Attempt.N
	r.Reason, r.Detail = listed(r.Kind, r.Reason, r.Detail)
	switch r.Kind {
	case wire.Started:
		return run.Started{Job: job, N: n, At: r.At, PID: r.PID, Containment: r.Containment}, nil
	case wire.Ended:
		in := run.Ended{
			Job: job, N: n, At: r.At, ExitCode: r.ExitCode, Signal: r.Signal, Reason: run.Reason(r.Reason), Detail: r.Detail,
			Output: r.Output, Lost: r.Lost, Leftover: r.Leftover, CPU: r.CPU, MaxRSS: r.MaxRSS,
			PID: r.PID, Containment: r.Containment,
		}
		if r.StartedAt != nil {
			in.StartedAt = *r.StartedAt
		}
		if len(r.Outputs) > 0 {
			in.Outputs = make(map[string]string, len(r.Outputs))
			for _, v := range r.Outputs {
				in.Outputs[v.Name] = v.Value
			}
		}
		for _, a := range r.Artifacts {
			in.Artifacts = append(in.Artifacts, run.Artifact{Name: a.Name, Size: a.Size, SHA256: a.SHA256})
		}
		return in, nil
	case wire.NeverStarted:
		return run.NeverStarted{Job: job, N: n, At: r.At, Reason: run.Reason(r.Reason), Detail: r.Detail}, nil
	case wire.Unknown:
		return run.Unknown{Job: job, N: n, At: r.At, Reason: run.Reason(r.Reason), Detail: r.Detail, Output: r.Output, Lost: r.Lost}, nil
	}
	return nil, fault.Newf(fault.Invalid, "report %d is of kind %q; expected started, ended, never_started or unknown", r.ID, r.Kind)
}

// listed keeps the list of reasons closed: a word that only the agent's version knows goes into the detail.
func listed(kind wire.ReportKind, reason, detail string) (string, string) {
	if run.Reason(reason).Known() {
		return reason, detail
	}
	instead := run.ReasonExec
	if kind == wire.Unknown {
		instead = run.ReasonStart
	}
	return string(instead), reason + ": " + detail
}

// order writes a command as it goes over the link.
func order(c run.Command) wire.Order {
	j := c.Order.Job
	o := wire.Order{
		Attempt:  wire.Attempt{Run: c.Order.Run, Job: j.Name, N: c.Order.N},
		Position: wire.Position{Epoch: c.Epoch, Seq: c.Seq},
		Net:      c.Order.Net, Command: c.Order.Argv, Script: j.Script, Env: c.Order.Env,
		Artifacts: j.Artifacts, Stdout: j.Stdout, OK: j.OK, Warn: j.Warn,
		Timeout: j.Timeout, Grace: j.Grace, RunAs: j.RunAs, MaxOutput: j.Limits.Output,
		Isolation: string(j.Isolation), OnLost: string(j.OnLost), OnLeftover: string(j.OnLeftover),
		Fence: fence(c),
	}
	for _, p := range j.Ports {
		o.Ports = append(o.Ports, wire.PortWish{Name: p.Name, Pool: p.Pool, Sticky: p.Sticky, Pair: p.Pair, Socket: p.Socket})
	}
	for _, d := range j.Needs {
		if address := d.TCP(); address != "" {
			o.Needs = append(o.Needs, address)
		}
	}
	for _, in := range c.Order.Inputs {
		o.Inputs = append(o.Inputs, wire.Artifact{Job: in.Job, Name: in.Name, Size: in.Size, SHA256: in.SHA256})
	}
	return o
}
