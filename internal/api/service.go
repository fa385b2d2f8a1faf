// Package api answers: what may programs ask of Reeve, and in which form?
//
// It holds the REST API's types, its routes with their permissions, and a client of it. What the routes do is
// behind Service, which the server implements, and which Client implements over HTTP: the command line and the
// console work against either.
package api

import (
	"context"
	"io"

	"github.com/reeve-scheduler/reeve/internal/access"
)

// Service is all that can be asked. Every method decides for the subject in ctx (WithSubject), and returns
// errors of package fault: Forbidden, NotFound, Conflict, Invalid, Busy, Disk.
type Service interface {
	Runs
	Callers
	Nets
	Nodes
	People
	Domain
	Ports
	Time
}

// Ports is all about the port plan: what it says, how it is changed, and what was proved of it.
type Ports interface {
	Plan
	Changes
	Proofs
}

// Runs orders and shows runs.
type Runs interface {
	StartRun(ctx context.Context, order StartRun) (Run, error)
	Run(ctx context.Context, id string) (Run, error)
	ListRuns(ctx context.Context, q RunQuery) ([]RunSummary, error)
	// ControlRun does cancel, hold or release, and returns the run after it.
	ControlRun(ctx context.Context, id, verb string) (Run, error)
	RerunRun(ctx context.Context, id string) (Run, error)
	DecideJob(ctx context.Context, id, job string, d Decision) (Run, error)
	// Why explains RUN, or a job of it.
	Why(ctx context.Context, id, job string) (Why, error)
	// Logs calls emit for each piece of output in order, until all is told or emit or ctx end it.
	Logs(ctx context.Context, q LogQuery, emit func(Log) error) error
}

// Callers are commands that wait for a run, and are called back where the port plan has it so.
type Callers interface {
	// CallBack has the server call a command back, until a run has ended, and returns the run as it is now. It is Invalid
	// where the plan has no callbacks, or not this port, and Busy where too many are called.
	CallBack(ctx context.Context, id string, c CallBack) (Run, error)
}

// Nets applies and shows definitions.
type Nets interface {
	// ApplyNets stores the nets of a file's text (several documents), and of more files with it, all or none. name is what mistakes call
	// the file.
	ApplyNets(ctx context.Context, name string, text []byte, dryRun bool, more ...File) (ApplyResult, error)
	ListNets(ctx context.Context, folder string) ([]NetSummary, error)
	Net(ctx context.Context, name string, version int) (Net, error)
}

// Nodes shows and steers nodes, and makes tokens.
type Nodes interface {
	ListNodes(ctx context.Context) ([]Node, error)
	Node(ctx context.Context, name string) (Node, error)
	// LabelNode sets labels; an empty value removes one.
	LabelNode(ctx context.Context, name string, labels map[string]string) (Node, error)
	// ControlNode does drain, undrain or remove.
	ControlNode(ctx context.Context, name, verb string) (Node, error)
	// EnrolNode dials an agent that waits and makes it a node. The same code may be given again should the answer be lost.
	EnrolNode(ctx context.Context, name string, order EnrolNode) (Node, error)
	CreateToken(ctx context.Context, order CreateToken) (NewToken, error)
	ListTokens(ctx context.Context) ([]Token, error)
	RevokeToken(ctx context.Context, id string) (Token, error)
}

// People manages users and shows the audit trail.
type People interface {
	ListUsers(ctx context.Context) ([]User, error)
	CreateUser(ctx context.Context, u SaveUser) (User, error)
	ChangeUser(ctx context.Context, u SaveUser) (User, error)
	DeleteUser(ctx context.Context, name string) error
	// Self returns the subject of ctx.
	Self(ctx context.Context) (access.Subject, error)
	ListAudit(ctx context.Context, before int64, limit int) ([]AuditRecord, error)
}

// Domain shows and steers the domain.
type Domain interface {
	Names
	Domain(ctx context.Context) (DomainInfo, error)
	// ControlDomain does hold or release: a held domain starts no attempt.
	ControlDomain(ctx context.Context, verb, reason string) (DomainInfo, error)
	Doors(ctx context.Context) ([]Door, error)
	// Watch calls emit for each change, until emit or ctx end it. Run "" watches all that the subject may view. The first
	// change comes once the watch has begun, for the run (or the domain) itself: what is read after it misses nothing.
	Watch(ctx context.Context, run string, emit func(Change) error) error
	// Backup writes a backup (a tar stream) to w.
	Backup(ctx context.Context, w io.Writer) error
}

type subjectKey struct{}

// WithSubject returns a context in which s asks.
func WithSubject(ctx context.Context, s access.Subject) context.Context {
	return context.WithValue(ctx, subjectKey{}, s)
}

// SubjectOf returns who asks; the zero Subject is nobody.
func SubjectOf(ctx context.Context) access.Subject {
	s, _ := ctx.Value(subjectKey{}).(access.Subject)
	return s
}
