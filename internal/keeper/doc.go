// Package keeper answers: which attempts were started on this host, and how did each of them end?
//
// A keeper is a process of its own beside an agent, one for each agent's data folder. It is the parent of every
// attempt, so it alone learns how one ends; the agent may die, restart or be replaced meanwhile.
//
//	agent ── Client ──┐ unix socket: frames, and the read ends of the pipes
//	                  ▼
//	keeper: journal ─ registry ─ attempts ─ executor ── clone into a cgroup ──▶ the job
//	          │                     ▲ spool ◀── pipes ──────────────────────────────┘
//	          └ intent, synced ─▶ exec ─▶ started ─▶ exit, synced ─▶ report
//
// The journal decides: an attempt that it knows is never executed again. Its records are written in groups, one
// fdatasync for everybody who waits. What it cannot know it reports as unknown, never as success or failure.
//
// Linux is the full platform. Elsewhere the package compiles, and Run, Spawn and Connect say that they cannot.
package keeper
