// Package store answers: what does Reeve remember, and what may be asked of its memory?
//
// There is one way to change it: Commit, which applies a Batch in one transaction, synced to disk before it
// returns. Each write carries the revision that it was decided on and the batch carries the epoch; where one
// does not fit, nothing of the batch is applied and the caller decides again. Nothing here needs a leader: any
// number of servers may commit to one store. Reading is by one small interface a noun.
//
// Two databases implement it; storetest is the suite that both must pass.
package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/reeve-scheduler/reeve/internal/occurrence"
	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/ports"
)

// Sentinels. Errors of the store wrap one of these or are faults of kind Internal.
var (
	ErrNotFound = errors.New("not found")
	ErrEpoch    = errors.New("the store was restored or re-keyed since: stale epoch")
	ErrDisk     = errors.New("no room on the disk") // ENOSPC or EDQUOT; nothing of the batch is applied
)

// Conflict says which guard of a batch did not hold. Nothing was applied; read again and decide again.
type Conflict struct {
	Noun string // run, net, node, token, user, setting, calendar, span, occurrence, range, pause, override
	ID   string
}

// Error implements error.
func (c *Conflict) Error() string { return fmt.Sprintf("%s %s has changed meanwhile", c.Noun, c.ID) }

// Store is all of it; components ask for the parts that they need.
type Store interface {
	Committer
	Runs
	Planning
	Nodes
	People
	Products
	Proofs
	Domain
}

// Planning reads what is to be done, and when.
type Planning interface {
	Nets
	Timing
}

// Timing reads schedules, occurrences and calendars.
type Timing interface {
	Times
	Archive
	Calendars
}

// Products keeps what attempts made.
type Products interface {
	Outputs
	Files
}

// Committer changes the store.
type Committer interface {
	// Commit applies b in one transaction and syncs it. Errors: *Conflict, ErrEpoch, ErrDisk.
	// Several goroutines may call it; calls that wait together share one transaction and one sync, and each
	// gets its own answer (a conflict in one does not fail the others).
	Commit(ctx context.Context, b Batch) (Receipt, error)
}

// Batch is what is decided together.
type Batch struct {
	Epoch    int64 // that it was decided in; must be the store's
	Runs     []RunWrite
	Nets     []NetVersion // new versions; Conflict where (name, version) is taken
	Nodes    []NodeWrite
	Tokens   []TokenWrite
	Users    []UserWrite
	Sessions []SessionWrite
	Settings []Setting
	Files    []Artifact // artifacts that are on disk, synced
	Proofs   []Proof
	Silences []Silence
	Uses     []Use
	Audit    []AuditRecord

	Calendars   []CalendarVersion // new versions; Conflict where (name, version) is taken
	Spans       []SpanWrite
	Occurrences []OccurrenceWrite
	Ranges      []RangeWrite
	Pauses      []PauseWrite
	Overrides   []OverrideWrite
	Through     time.Time // everything due at or before it is decided or stored; it never goes back. Zero: as it was
	// LastSpan is the highest id of the spans that Through was decided on: a span with a higher one that begins before Through is a Conflict
	// "span", because nobody has looked what is due in it. 0: not guarded; who knows no span yet writes no Through.
	LastSpan int64
}

// RunWrite stores a run after steps. Rev of State is the revision that the steps were decided on (0: a new run);
// the stored one becomes Rev+1. Changed lists the positions in State.Jobs that differ from what is stored (all, for a new run).
type RunWrite struct {
	State   run.State
	Changed []int
	Effects []run.Effect // StartAttempt opens an order and allots its sequence; CancelAttempt marks it; CloseAttempt closes it
	Key     string       // idempotency key of a new run; a second run with it is a Conflict{"run key", Key}. Empty: none
}

// Receipt says what the store allotted.
type Receipt struct {
	Orders    []Order           // one for each StartAttempt and CancelAttempt of the batch, in order
	Spans     []occurrence.Span // as stored, one for each SpanWrite, in order
	Ranges    []int64           // ids, one for each RangeWrite, in order
	Overrides []int64           // ids, one for each OverrideWrite, in order
}

// Order is an open order to an agent: it is sent until it is closed. What the command is stands in the run and its net.
type Order struct {
	AgentID string
	Epoch   int64
	Seq     int64 // counted for each agent and epoch, from 1, without gaps
	Run     string
	Job     string
	N       int
	Cancel  bool // a cancel was asked for
}

// Runs reads runs and their open orders.
type Runs interface {
	// Run returns a run with all its jobs. ErrNotFound.
	Run(ctx context.Context, id string) (run.State, error)
	// OpenRuns returns the runs that have not ended, and those that are unknown, oldest first.
	OpenRuns(ctx context.Context) ([]run.State, error)
	// ListRuns returns runs without their jobs, newest first.
	ListRuns(ctx context.Context, q RunQuery) ([]RunSummary, error)
	// RunByKey returns the id of the run with an idempotency key. ErrNotFound.
	RunByKey(ctx context.Context, key string) (string, error)
	// Orders returns the open orders of an agent by sequence; all agents' where agentID is empty.
	Orders(ctx context.Context, agentID string) ([]Order, error)
	// Mark returns the sequence at and below which every order of the agent in this epoch is closed.
	Mark(ctx context.Context, agentID string, epoch int64) (int64, error)
	// PruneRuns removes ended runs (never unknown ones, nor one with an open order) that ended before `before`, or that are beyond the newest `keep` of
	// their net (0: no such limit), with their jobs, output and artifacts; at most limit. It returns how many went.
	PruneRuns(ctx context.Context, before time.Time, keep, limit int) (int, error)
}

// RunQuery filters and pages a list of runs. Zero values do not filter. Limit 0 means 50; at most 1000.
type RunQuery struct {
	Net      string
	Folder   string // nets below this folder; "" all
	Schedule string // whose occurrences they are; best with Net
	States   []run.Status
	Since    time.Time // created at or after
	Until    time.Time // created before
	Before   string    // runs with ids lower (older) than this one: the cursor
	Limit    int
}

// RunSummary is a run without its jobs.
type RunSummary struct {
	ID       string
	Net      string
	Version  int
	Status   run.Status
	Reason   run.Reason
	By       string
	Params   map[string]string
	Schedule string    // whose occurrence it is
	Nominal  time.Time // of which instant
	Created  time.Time
	Started  time.Time
	Ended    time.Time
	Jobs     int // how many jobs
	Done     int // how many of them ended
	HeldBy   string
	RerunOf  string
}

// Nets reads definitions.
type Nets interface {
	// Net returns a version of a net; version 0 is the newest. ErrNotFound.
	Net(ctx context.Context, name string, version int) (NetVersion, error)
	// ListNets returns the newest version of each net below folder ("" all), by name, without Text where brief.
	ListNets(ctx context.Context, folder string) ([]NetVersion, error)
	// NewestNets returns the newest version of nets whose names come after one ("" is the first), by name, at most limit, with Text.
	NewestNets(ctx context.Context, after string, limit int) ([]NetVersion, error)
	// NetVersions returns all versions of a net, newest first. ErrNotFound.
	NetVersions(ctx context.Context, name string) ([]NetVersion, error)
}

// NetVersion is one immutable version of a net. Text is the canonical written form of package jobfile.
type NetVersion struct {
	Name    string
	Version int    // from 1
	Hash    string // SHA-256 of Text, hex
	Text    string
	Applied time.Time
	By      string
}

// Nodes reads the nodes of the domain.
type Nodes interface {
	// Node returns a node by its id. ErrNotFound.
	Node(ctx context.Context, id string) (Node, error)
	// NodeByName returns the node that bears the name now. ErrNotFound.
	NodeByName(ctx context.Context, name string) (Node, error)
	// ListNodes returns all nodes that are not removed, by name.
	ListNodes(ctx context.Context) ([]Node, error)
	// Token returns a token by its id. ErrNotFound.
	Token(ctx context.Context, id string) (Token, error)
	// ListTokens returns the tokens of a kind ("" all), by creation, without their hashes.
	ListTokens(ctx context.Context, kind string) ([]Token, error)
}

// Node is a server or an agent of the domain. IDs are never used again.
type Node struct {
	ID        string
	Name      string
	Role      string // server or agent
	Kind      string // desk: an agent on a person's machine; empty: what its role says
	Labels    map[string]string
	Facts     map[string]string
	KeyHash   string // SHA-256 of the bound public key (SPKI), hex
	Version   string
	Slots     int
	Joined    time.Time
	Seen      time.Time // last heard of, to the minute
	Renewals  int       // certificates renewed in time
	Recovered int       // certificates renewed after they had run out
	Drained   string    // who drains it; empty: nobody
	Addresses []string  // HOST or HOST:PORT at which servers dial it, as a person said when it was enrolled
	Found     string    // the host that it came from last by a dial of its own; empty: it never did
	Removed   time.Time // zero: it is part of the domain
	Rev       int64
}

// Plays returns the kind of the port plan's roles whose rows the node uses: server, agent or desk.
func (n Node) Plays() ports.RoleKind { return ports.RoleKind(cmp.Or(n.Kind, n.Role)) }

// NodeWrite stores a node; Rev is the revision that it was decided on, 0 for a new one.
type NodeWrite struct{ Node Node }

// Token is a join token (kind agent) or an API token (kind api). Only the hash of its secret is stored.
type Token struct {
	ID      string
	Kind    string
	Name    string // the agent's name; the API token's name
	Hash    string // SHA-256 of the secret, hex
	Labels  map[string]string
	Scope   []string // permissions
	Folder  string   // "" all
	Owner   string   // user
	By      string
	Created time.Time
	Expires time.Time
	Used    time.Time // zero: not yet
	UsedBy  string    // hash of the key that used it
	Revoked time.Time
	Rev     int64
}

// TokenWrite stores a token, guarded by Rev as NodeWrite.
type TokenWrite struct{ Token Token }

// People reads users, their sessions, and the audit trail.
type People interface {
	User(ctx context.Context, name string) (User, error)
	ListUsers(ctx context.Context) ([]User, error)
	// Session returns a session by the hash of its secret. ErrNotFound.
	Session(ctx context.Context, hash string) (Session, error)
	// ListAudit returns records with ids lower than before (0: newest), newest first.
	ListAudit(ctx context.Context, before int64, limit int) ([]AuditRecord, error)
}

// User is a person. Password is an argon2id string.
type User struct {
	Name        string
	FullName    string
	Password    string
	Permissions []string // of the closed list
	Folder      string   // "" all
	Disabled    bool
	Created     time.Time
	Changed     time.Time // of password or permissions: older sessions are void
	Rev         int64
}

// UserWrite stores a user, guarded by Rev; Delete removes it and its sessions.
type UserWrite struct {
	User   User
	Delete bool
}

// Session is a console login.
type Session struct {
	Hash    string // SHA-256 of the cookie's secret, hex
	User    string
	Created time.Time
	Seen    time.Time
	Address string
}

// SessionWrite stores a session or, with Delete, removes it. There is no guard: the last write stands.
type SessionWrite struct {
	Session Session
	Delete  bool
}

// AuditRecord is one act of a person or a program. ID is given by the store.
type AuditRecord struct {
	ID     int64
	At     time.Time
	By     string
	From   string // address or "local"
	Action string // noun.verb
	Object string
	Detail string
}

// Outputs keeps what attempts wrote: the spool's bytes (records of package wire), by offset, compressed.
type Outputs interface {
	// AppendOutput stores pieces and syncs. A piece that begins at or below what is stored is cut to what is new;
	// one that begins beyond is not stored. It returns how many bytes of each attempt are stored now.
	AppendOutput(ctx context.Context, pieces []OutputPiece) ([]int64, error)
	// ReadOutput returns up to limit bytes from offset, and how many bytes are stored in all.
	ReadOutput(ctx context.Context, run, job string, n int, offset int64, limit int) (data []byte, size int64, err error)
	// PruneOutput removes the output of ended runs that ended before `before`, or that are beyond the newest `keep` of
	// their net (0: no such limit), keeping the runs; at most limit runs.
	PruneOutput(ctx context.Context, before time.Time, keep, limit int) (int, error)
}

// OutputPiece is a run of bytes of an attempt's spool.
type OutputPiece struct {
	Run, Job string
	N        int
	Offset   int64
	Data     []byte
}

// Files reads what is known of artifacts; their bytes are files in the store's folder, named by their SHA-256.
type Files interface {
	// Artifacts returns the artifacts of a run.
	Artifacts(ctx context.Context, run string) ([]Artifact, error)
	// HasFile reports whether any run refers to the content.
	HasFile(ctx context.Context, sha256 string) (bool, error)
	// Unreferenced returns up to limit contents that lost their last reference by pruning, until Forget. Ask HasFile
	// again before the file is removed: the content may have come back.
	Unreferenced(ctx context.Context, limit int) ([]string, error)
	// Forget says that the files of these contents are removed, or needed again.
	Forget(ctx context.Context, sha256 []string) error
}

// Artifact says that an attempt left a file.
type Artifact struct {
	Run, Job string
	N        int
	Name     string
	Size     int64
	SHA256   string
}

// Domain reads what is there once a domain.
type Domain interface {
	// Epoch returns the store's epoch, from 1.
	Epoch(ctx context.Context) (int64, error)
	// Setting returns a setting ("" where it is not set) with its revision.
	Setting(ctx context.Context, name string) (Setting, error)
	// Backup writes a consistent copy of everything but the artifacts' files into an empty folder.
	Backup(ctx context.Context, folder string) error
	// Sizes returns bytes on disk by file.
	Sizes(ctx context.Context) (map[string]int64, error)
	Close() error
}

// Setting is a named value of the domain, guarded by Rev (0: new). Held is "held".
type Setting struct {
	Name  string
	Value string
	Rev   int64
}
