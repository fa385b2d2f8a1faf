package api

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// The methods of Service that are one request and one answer.

// StartRun implements Runs.
func (c *Client) StartRun(ctx context.Context, order StartRun) (Run, error) {
	return ask[Run](ctx, c, at(http.MethodPost, "runs").sending(order))
}

// Run implements Runs.
func (c *Client) Run(ctx context.Context, id string) (Run, error) {
	return ask[Run](ctx, c, at(http.MethodGet, "runs", id))
}

// ListRuns implements Runs.
func (c *Client) ListRuns(ctx context.Context, q RunQuery) ([]RunSummary, error) {
	query := url.Values{
		"net": {q.Net}, "folder": {q.Folder}, "schedule": {q.Schedule}, "state": {strings.Join(q.States, ",")}, "before": {q.Before},
		"since": {instant(q.Since)}, "until": {instant(q.Until)}, "limit": {number(int64(q.Limit))},
	}
	return ask[[]RunSummary](ctx, c, at(http.MethodGet, "runs").with(query))
}

func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// ControlRun implements Runs.
func (c *Client) ControlRun(ctx context.Context, id, verb string) (Run, error) {
	return ask[Run](ctx, c, at(http.MethodPost, "runs", id, verb))
}

// RerunRun implements Runs.
func (c *Client) RerunRun(ctx context.Context, id string) (Run, error) {
	return ask[Run](ctx, c, at(http.MethodPost, "runs", id, "rerun"))
}

// DecideJob implements Runs.
func (c *Client) DecideJob(ctx context.Context, id, job string, d Decision) (Run, error) {
	return ask[Run](ctx, c, at(http.MethodPost, "runs", id, "jobs", job, "decide").sending(d))
}

// CallBack implements Callers.
func (c *Client) CallBack(ctx context.Context, id string, call CallBack) (Run, error) {
	return ask[Run](ctx, c, at(http.MethodPost, "runs", id, "callback").sending(call))
}

// Why implements Runs.
func (c *Client) Why(ctx context.Context, id, job string) (Why, error) {
	return ask[Why](ctx, c, at(http.MethodGet, "runs", id, "why").with(url.Values{"job": {job}}))
}

// ApplyNets implements Nets.
func (c *Client) ApplyNets(ctx context.Context, name string, text []byte, dryRun bool, more ...File) (ApplyResult, error) {
	query, body, err := joined(File{name, text}, more)
	if err != nil {
		return ApplyResult{}, err
	}
	if dryRun {
		query.Set("dry_run", "true")
	}
	what := at(http.MethodPost, "nets").with(query)
	what.raw = body
	return ask[ApplyResult](ctx, c, what)
}

// ListNets implements Nets.
func (c *Client) ListNets(ctx context.Context, folder string) ([]NetSummary, error) {
	return ask[[]NetSummary](ctx, c, at(http.MethodGet, "nets").with(url.Values{"folder": {folder}}))
}

// Net implements Nets.
func (c *Client) Net(ctx context.Context, name string, version int) (Net, error) {
	return ask[Net](ctx, c, at(http.MethodGet, "nets", name).with(url.Values{"version": {number(int64(version))}}))
}

// ListNodes implements Nodes.
func (c *Client) ListNodes(ctx context.Context) ([]Node, error) {
	return ask[[]Node](ctx, c, at(http.MethodGet, "nodes"))
}

// Node implements Nodes.
func (c *Client) Node(ctx context.Context, name string) (Node, error) {
	return ask[Node](ctx, c, at(http.MethodGet, "nodes", name))
}

// LabelNode implements Nodes.
func (c *Client) LabelNode(ctx context.Context, name string, labels map[string]string) (Node, error) {
	if labels == nil {
		labels = map[string]string{}
	}
	return ask[Node](ctx, c, at(http.MethodPatch, "nodes", name, "labels").sending(labels))
}

// ControlNode implements Nodes.
func (c *Client) ControlNode(ctx context.Context, name, verb string) (Node, error) {
	return ask[Node](ctx, c, at(http.MethodPost, "nodes", name, verb))
}

// EnrolNode implements Nodes.
func (c *Client) EnrolNode(ctx context.Context, name string, order EnrolNode) (Node, error) {
	return ask[Node](ctx, c, at(http.MethodPost, "nodes", name, "enrol").sending(order))
}

// CreateToken implements Nodes.
func (c *Client) CreateToken(ctx context.Context, order CreateToken) (NewToken, error) {
	return ask[NewToken](ctx, c, at(http.MethodPost, "tokens").sending(order))
}

// ListTokens implements Nodes.
func (c *Client) ListTokens(ctx context.Context) ([]Token, error) {
	return ask[[]Token](ctx, c, at(http.MethodGet, "tokens"))
}

// RevokeToken implements Nodes.
func (c *Client) RevokeToken(ctx context.Context, id string) (Token, error) {
	return ask[Token](ctx, c, at(http.MethodDelete, "tokens", id))
}

// ListUsers implements People.
func (c *Client) ListUsers(ctx context.Context) ([]User, error) {
	return ask[[]User](ctx, c, at(http.MethodGet, "users"))
}

// CreateUser implements People.
func (c *Client) CreateUser(ctx context.Context, u SaveUser) (User, error) {
	return ask[User](ctx, c, at(http.MethodPost, "users").sending(u))
}

// ChangeUser implements People.
func (c *Client) ChangeUser(ctx context.Context, u SaveUser) (User, error) {
	change := UserChange{FullName: u.FullName, Password: u.Password, Permissions: u.Permissions, Folder: u.Folder, Disabled: u.Disabled}
	return ask[User](ctx, c, at(http.MethodPatch, "users", u.Name).sending(change))
}

// DeleteUser implements People.
func (c *Client) DeleteUser(ctx context.Context, name string) error {
	return c.tell(ctx, at(http.MethodDelete, "users", name))
}

// ListAudit implements People.
func (c *Client) ListAudit(ctx context.Context, before int64, limit int) ([]AuditRecord, error) {
	return ask[[]AuditRecord](ctx, c, at(http.MethodGet, "audit").with(url.Values{"before": {number(before)}, "limit": {number(int64(limit))}}))
}

// Domain implements Domain.
func (c *Client) Domain(ctx context.Context) (DomainInfo, error) {
	return ask[DomainInfo](ctx, c, at(http.MethodGet, "domain"))
}

// ControlDomain implements Domain.
func (c *Client) ControlDomain(ctx context.Context, verb, reason string) (DomainInfo, error) {
	return ask[DomainInfo](ctx, c, at(http.MethodPost, "domain", verb).sending(DomainOrder{Reason: reason}))
}

// Doors implements Domain.
func (c *Client) Doors(ctx context.Context) ([]Door, error) {
	return ask[[]Door](ctx, c, at(http.MethodGet, "doors"))
}

// Backup implements Domain. A backup that broke off is an error, however much of it has been written to w.
func (c *Client) Backup(ctx context.Context, w io.Writer) error {
	resp, err := c.do(ctx, at(http.MethodPost, "backup"))
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(writeFault{w}, resp.Body); err != nil {
		return c.unreachable(ctx, err)
	}
	return nil
}

// writeFault marks errors of the writer, which say nothing about the way to the server.
type writeFault struct{ w io.Writer }

func (f writeFault) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	return n, fault.Wrap(fault.Disk, "writing the backup", err)
}
