package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

const (
	maxAnswer  = 64 * mib // of one answer that is no stream
	maxProblem = 4 * mib
	silence    = 45 * time.Second // so long may a stream be silent: three beats
)

// Client asks a server over HTTP. It implements Service: what may be asked of a server may be asked of a Client, and
// errors come back with the kind that they had there. Several goroutines may use it at once.
type Client struct {
	http    *http.Client
	base    string
	token   string
	silence time.Duration
}

var _ Service = (*Client)(nil)

// NewClient returns a client of the server at base ("https://hq1.example.com:7373", or "http://local" where hc dials a
// Unix socket), which shows token, if it is not empty, as bearer token. It opens no sockets itself: hc does.
func NewClient(hc *http.Client, address, token string) (*Client, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fault.New(fault.Invalid, "the server's address is not a URL: "+strconv.Quote(address), "write it as https://HOST:PORT")
	}
	own := *hc
	// A server of Reeve redirects nowhere, and the token is for that server only.
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	own.Timeout = 0 // it would end streams; ctx bounds the rest
	return &Client{http: &own, base: strings.TrimRight(u.Scheme+"://"+u.Host+u.Path, "/"), token: token, silence: silence}, nil
}

// call is one request: parts are the path's segments below /api/v1.
type call struct {
	method string
	path   string
	query  url.Values
	body   any    // JSON
	raw    []byte // instead of body
	accept string
}

func at(method string, parts ...string) call {
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return call{method: method, path: base + "/" + strings.Join(parts, "/")}
}

func (c call) with(query url.Values) call {
	for name, values := range query {
		if len(values) == 1 && values[0] == "" {
			delete(query, name)
		}
	}
	c.query = query
	return c
}

func (c call) sending(body any) call {
	c.body = body
	return c
}

// ask makes a call and reads its answer into a T.
func ask[T any](ctx context.Context, c *Client, what call) (T, error) {
	var out T
	resp, err := c.do(ctx, what)
	if err != nil {
		return out, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return out, c.unreachable(ctx, err)
	}
	if len(text) > maxAnswer {
		return out, fault.Newf(fault.Internal, "the server's answer is longer than %d bytes", maxAnswer)
	}
	if err := json.Unmarshal(text, &out); err != nil {
		return out, fault.Wrap(fault.Unreachable, "reading the server's answer: is this a server of Reeve?", err)
	}
	return out, nil
}

// do makes a call and returns the answer if it is a good one; its body is the caller's to close.
func (c *Client) do(ctx context.Context, what call) (*http.Response, error) {
	var body io.Reader
	contentType := ""
	switch {
	case what.raw != nil:
		body, contentType = bytes.NewReader(what.raw), "application/yaml"
	case what.body != nil:
		text, err := json.Marshal(what.body)
		if err != nil {
			return nil, fmt.Errorf("writing the request: %w", err)
		}
		body, contentType = bytes.NewReader(text), "application/json"
	}
	target := c.base + what.path
	if len(what.query) > 0 {
		target += "?" + what.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, what.method, target, body)
	if err != nil {
		return nil, fmt.Errorf("building the request: %w", err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if what.accept != "" {
		req.Header.Set("Accept", what.accept)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }()
	return nil, refusal(resp)
}

// refusal reads the error that an answer tells. What is not a problem of ours (a proxy's page) tells by its status.
func refusal(resp *http.Response) error {
	p := &Problem{}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	if err != nil || kind != problemType || json.Unmarshal(text, p) != nil {
		p = &Problem{}
	}
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 && seconds < 1<<20 {
		p.retryAfter = time.Duration(seconds) * time.Second
	}
	if resp.StatusCode < 400 {
		return fault.Newf(fault.Unreachable, "the server answers %s: it may not be a server of Reeve", resp.Status)
	}
	return p.fault(resp.StatusCode)
}

// unreachable gives an error of the way to the server its kind.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), context.Canceled) {
		return fault.Wrap(fault.Interrupted, "asking the server", context.Cause(ctx))
	}
	var known *fault.Error
	if errors.As(err, &known) { // a dialler's own words, without the method and address that net/http puts before them
		return known
	}
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err // its text repeats method and address
	}
	return &fault.Error{Kind: fault.Unreachable, Msg: "the server at " + c.base + " cannot be reached", Fix: "check that it runs, and the address", Err: err}
}

// Login logs in and returns the bearer token of the session, for NewClient.
func (c *Client) Login(ctx context.Context, name, password string) (LoggedIn, error) {
	return ask[LoggedIn](ctx, c, at(http.MethodPost, "login").sending(Login{Name: name, Password: password, As: "token"}))
}

// Logout ends the session whose token the client shows.
func (c *Client) Logout(ctx context.Context) error { return c.tell(ctx, at(http.MethodPost, "logout")) }

// ChangePassword changes the password of who asks.
func (c *Client) ChangePassword(ctx context.Context, old, fresh string) (User, error) {
	return ask[User](ctx, c, at(http.MethodPost, "self", "password").sending(OwnPassword{Old: old, New: fresh}))
}

// tell makes a call whose answer has no content.
func (c *Client) tell(ctx context.Context, what call) error {
	resp, err := c.do(ctx, what)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// Self implements People.
func (c *Client) Self(ctx context.Context) (access.Subject, error) {
	self, err := ask[Self](ctx, c, at(http.MethodGet, "self"))
	s := access.Subject{Name: self.Name, Token: self.Token, Folder: self.Folder, Address: self.Address}
	for _, p := range self.Permissions {
		s.Permissions = append(s.Permissions, access.Permission(p))
	}
	return s, err
}
