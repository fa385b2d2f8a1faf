// Package wire answers: what do server, agent and keeper say to each other?
//
// Messages are JSON. Every one can arrive twice: an order is known by its attempt, a report by its attempt
// and kind, a chunk of output by its offset. Unknown fields are ignored on receipt (an older node reads a
// newer one); sizes are bounded by the receiver before it allocates.
package wire

import (
	"encoding/json"
	"time"
)

// Bounds that a receiver enforces.
const (
	MaxMessage = 16 << 20  // bytes of one request or frame
	MaxChunk   = 256 << 10 // bytes of output in one chunk
	MaxOutputs = 64 << 10  // bytes of name=value lines of one attempt
	MaxValues  = 256       // name=value lines of one attempt
)

// Attempt names the unit that is started at most once: the n-th try of a job of a run. N counts from 1.
type Attempt struct {
	Run string `json:"run"`
	Job string `json:"job"`
	N   int    `json:"n"`
}

// Position is where a start stands in an agent's count: a higher epoch begins a new count at 1.
type Position struct {
	Epoch int64 `json:"epoch"`
	Seq   int64 `json:"seq"`
}

// Order is a command to start one attempt. References are resolved already.
type Order struct {
	Attempt  Attempt  `json:"attempt"`
	Position Position `json:"position"`
	Net      string   `json:"net"`
	Command  []string `json:"command,omitempty"` // argument vector, or
	Script   string   `json:"script,omitempty"`  // a file beginning with #!
	// Env holds name=value: the job's env, then the params. The agent puts the fixed part before it.
	Env        []string      `json:"env,omitempty"`
	Inputs     []Artifact    `json:"inputs,omitempty"`    // artifacts of ancestors, to be put under $REEVE_IN/JOB/FILE
	Artifacts  []string      `json:"artifacts,omitempty"` // files of the working folder to keep
	Stdout     string        `json:"stdout,omitempty"`    // artifact that standard output is written to as well
	OK         []int         `json:"ok,omitempty"`
	Warn       []int         `json:"warn,omitempty"`
	Timeout    time.Duration `json:"timeout,omitempty"` // from exec; 0: none
	Grace      time.Duration `json:"grace,omitempty"`
	RunAs      string        `json:"run_as,omitempty"`
	MaxOutput  int64         `json:"max_output,omitempty"` // bytes of both streams together; 0: the agent's default
	Isolation  string        `json:"isolation,omitempty"`
	Ports      []PortWish    `json:"ports,omitempty"`
	Needs      []string      `json:"needs,omitempty"` // HOST:PORT, each of which must take a TCP connection from the agent before the start
	OnLost     string        `json:"on_lost,omitempty"`
	OnLeftover string        `json:"on_leftover,omitempty"`
	Callback   *Callback     `json:"callback,omitempty"` // where the attempt's words are awaited; nil: on the link. It stays with the agent
	Fence      string        `json:"fence,omitempty"`    // $REEVE_FENCE: epoch.sequence, grows with every start of an agent
}

// PortWish is a port that an attempt has for as long as it runs. The agent leases it and fills in the numbers.
type PortWish struct {
	Name   string `json:"name"`
	Pool   string `json:"pool"`
	Sticky bool   `json:"sticky,omitempty"`
	Pair   string `json:"pair,omitempty"` // the name of the second port; empty: none
	Socket bool   `json:"socket,omitempty"`
	// Request is added by the agent, for its keeper alone: the pool of the agent's plan, as who leases the port reads it.
	Request json.RawMessage `json:"request,omitempty"`
	// Port and PairPort are what was leased; 0: nothing yet.
	Port     uint16 `json:"port,omitempty"`
	PairPort uint16 `json:"pair_port,omitempty"`
	Lease    string `json:"lease,omitempty"` // NAME=VALUE by which a process shows what it has, for a ledger that was lost
}

// Artifact is a file that an attempt left for its successors.
type Artifact struct {
	Job    string `json:"job,omitempty"` // the job that made it (in Inputs)
	Name   string `json:"name"`          // relative, slash-separated, inside the working folder
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // hex
}

// Cancel is a command to end an attempt, or, where it is not known yet, never to start it.
type Cancel struct {
	Attempt  Attempt       `json:"attempt"`
	Position Position      `json:"position"`
	Grace    time.Duration `json:"grace"`
}

// Commands is what a server sends to an agent in one request.
type Commands struct {
	Epoch   int64    `json:"epoch"`
	Mark    int64    `json:"mark"` // every start at or below it is ended or withdrawn, and acknowledged
	Orders  []Order  `json:"orders,omitempty"`
	Cancels []Cancel `json:"cancels,omitempty"`
}

// CommandsReply is sent when every command is in the agent's journal, synced, or refused.
type CommandsReply struct {
	Refused []Refusal `json:"refused,omitempty"`
}

// Refusal says that a command was not taken, and that asking again will not help (Final) or may.
type Refusal struct {
	Attempt Attempt `json:"attempt"`
	Final   bool    `json:"final"`
	Reason  string  `json:"reason"` // from the closed list of reasons: disk, epoch, ...
	Detail  string  `json:"detail,omitempty"`
}

// ReportKind says what a report tells.
type ReportKind string

// The kinds of report. Started comes at most once an attempt; one of the others ends it, and comes once,
// save that Ended may replace Unknown.
const (
	Started      ReportKind = "started"       // the command was executed
	Ended        ReportKind = "ended"         // the end is known: exit code or signal, or a reason why it was not executed
	NeverStarted ReportKind = "never_started" // withdrawn, or below the mark and not in the journal: it will never run
	Unknown      ReportKind = "unknown"       // what happened cannot be known; Reason says why (start, reboot, keeper_died)
)

// Report is what a keeper tells of an attempt. ID counts up for one agent's data folder and is never reused.
type Report struct {
	ID       int64      `json:"id"`
	Attempt  Attempt    `json:"attempt"`
	Position Position   `json:"position"`
	Kind     ReportKind `json:"kind"`
	At       time.Time  `json:"at"` // wall clock of the agent, UTC; of a Started: the exec
	// Started
	PID         int    `json:"pid,omitempty"`
	BootID      string `json:"boot_id,omitempty"`
	Containment string `json:"containment,omitempty"` // cgroup or session
	// Ended, Unknown, NeverStarted
	StartedAt *time.Time `json:"started_at,omitempty"` // repeated from Started; nil: never executed, or not known
	ExitCode  *int       `json:"exit_code,omitempty"`  // nil after a signal or if not executed
	Signal    string     `json:"signal,omitempty"`     // "SIGTERM"
	// Reason: empty for a plain end; timeout, cancel, fenced, output_limit, exec, run_as, disk, artifact ...
	Reason    string        `json:"reason,omitempty"`
	Detail    string        `json:"detail,omitempty"` // one sentence for a person
	Outputs   []Value       `json:"outputs,omitempty"`
	Artifacts []Artifact    `json:"artifacts,omitempty"` // uploaded before the report is sent
	Output    int64         `json:"output,omitempty"`    // bytes of the spool (framed), so that the server knows when it has all
	Lost      int64         `json:"lost,omitempty"`      // bytes of output dropped past the limit or for want of room
	Leftover  int           `json:"leftover,omitempty"`  // processes that remained when the main process ended
	CPU       time.Duration `json:"cpu,omitempty"`       // user + system
	MaxRSS    int64         `json:"max_rss,omitempty"`   // bytes
}

// Value is one name=value line that a job wrote to $REEVE_OUTPUT.
type Value struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Reports is what an agent sends to a server in one request.
type Reports struct {
	Reports []Report `json:"reports"`
}

// ReportsReply is sent after the commit: every report in it is durable at the server.
type ReportsReply struct {
	Acked []int64 `json:"acked"` // ids
}

// OutputChunk is a piece of an attempt's spool, at its offset. The spool is a sequence of records: see Record.
type OutputChunk struct {
	Attempt Attempt `json:"attempt"`
	Offset  int64   `json:"offset"` // of the spool's bytes
	Data    []byte  `json:"data"`
}

// OutputChunks is what an agent sends in one request, on a stream that carries nothing else.
type OutputChunks struct {
	Chunks []OutputChunk `json:"chunks"`
}

// OutputReply says how far the server has each attempt's spool, synced. An agent resumes there. Have of -1
// means that the server wants no more of it (it is gone by retention, or unknown).
type OutputReply struct {
	Have []OutputOffset `json:"have"`
}

// OutputOffset is how many bytes of an attempt's spool the server has.
type OutputOffset struct {
	Attempt Attempt `json:"attempt"`
	Have    int64   `json:"have"`
}

// Hello is the first request of an agent on a new link.
type Hello struct {
	Version     string            `json:"version"`
	Protocol    int               `json:"protocol"`
	Incarnation int64             `json:"incarnation"` // raised and synced at each start of the agent
	BootID      string            `json:"boot_id"`
	Slots       int               `json:"slots"`
	PlanHash    string            `json:"plan_hash"`
	View        string            `json:"view,omitempty"`    // ID of the one that it has
	Differs     []string          `json:"differs,omitempty"` // how the plan that it was started with differs from its view's: a sentence each
	Facts       map[string]string `json:"facts,omitempty"`   // host.name, host.os, host.arch, ...: reported, never trusted for placement
	Epoch       int64             `json:"epoch"`             // the highest that this agent's journal has seen
	Containment string            `json:"containment"`
	Now         time.Time         `json:"now"`
}

// Welcome answers Hello.
type Welcome struct {
	Version   string        `json:"version"`
	Epoch     int64         `json:"epoch"`
	Heartbeat time.Duration `json:"heartbeat"`
	Timeout   time.Duration `json:"timeout"`
	Tenure    time.Duration `json:"tenure"` // how long the agent may run attempts with on_lost: stop without word from a server
	PlanHash  string        `json:"plan_hash"`
	View      *View         `json:"view,omitempty"` // where the agent has another one
	Now       time.Time     `json:"now"`
}

// Heartbeat goes from agent to server every Welcome.Heartbeat; the answer renews the tenure.
type Heartbeat struct {
	Running  int    `json:"running"`
	Slots    int    `json:"slots"`
	Disk     string `json:"disk,omitempty"` // empty: there is room; else one sentence
	Draining bool   `json:"draining,omitempty"`
	// Refused are the rows of its view on which the agent cannot listen: a sentence each.
	Refused []string    `json:"refused,omitempty"`
	Dials   []DialState `json:"dials,omitempty"` // those that are in vain
	View    string      `json:"view,omitempty"`  // ID of the one that it has
	Now     time.Time   `json:"now"`
}

// DialState says that a dial of an agent is in vain.
type DialState struct {
	Row     string    `json:"row"`
	Address string    `json:"address"` // HOST:PORT
	Since   time.Time `json:"since"`
	Rounds  int       `json:"rounds"`
	Why     string    `json:"why"`
}

// HeartbeatReply carries the server's mark, so that a quiet agent's journal can forget as well.
type HeartbeatReply struct {
	Epoch int64     `json:"epoch"`
	Mark  int64     `json:"mark"`
	Now   time.Time `json:"now"`
}
