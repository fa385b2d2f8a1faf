package store

import (
	"context"
	"time"
)

// Proofs reads what is known of the plan's openings: whether they work, how long a connection may be silent, and when
// rows were used.
type Proofs interface {
	// Proofs returns the newest finding of each path, by flow, From and To.
	Proofs(ctx context.Context, q ProofQuery) ([]Proof, error)
	// ProofHistory returns the findings of paths, newest first.
	ProofHistory(ctx context.Context, q ProofQuery, limit int) ([]Proof, error)
	// PruneProofs removes findings that were last made before `before`, at most limit, and returns how many went.
	PruneProofs(ctx context.Context, before time.Time, limit int) (int, error)
	// Silences returns how long a silent connection survived between every two hosts, by From and To.
	Silences(ctx context.Context) ([]Silence, error)
	// Uses returns when rows were used, by host, service and kind.
	Uses(ctx context.Context) ([]Use, error)
}

// ProofQuery selects paths. Zero values do not filter.
type ProofQuery struct {
	Flow     string // its id; a name without a slash: all flows of that service
	From, To string
	Expect   string
	PlanHash string
}

// Proof is what was found about one path, the same way any number of times in a row. A path is Flow, From, To, Address
// and Expect. Written again with the same verdict, reason and plan, the newest finding takes Last, Text and Data and
// counts; else a new one begins. The oldest beyond KeepProofs of a path go.
type Proof struct {
	ID       int64 // given by the store, rises
	Flow     string
	From, To string
	Protocol string
	Address  string
	Expect   string
	Verdict  string
	Reason   string
	Text     string
	PlanHash string
	First    time.Time // found so
	Last     time.Time
	Times    int
	Data     string // the whole of it as found last, in JSON
}

// KeepProofs is how many findings of one path are kept.
const KeepProofs = 50

// Silence is how long a silent connection survives on the path between two hosts, as measured last.
type Silence struct {
	From, To string
	Flow     string
	Address  string
	Survived time.Duration // 0: not even the shortest that was tried
	Died     time.Duration // 0: every one that was tried survived
	At       time.Time
}

// Use says that a row was used on a host: that it took connections (Kind listens), or dialled them (dialled). Written
// again, Count is added, and Last replaced.
type Use struct {
	Host    string
	Service string
	Kind    string
	Count   int64
	First   time.Time // since when it is counted
	Last    time.Time // zero: never since First
}
