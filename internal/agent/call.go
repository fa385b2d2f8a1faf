package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

// peerBase is where the other end of a link is found by the link's client.
const peerBase = "http://peer"

// answer is a status of the other end that is not what was hoped for.
type answer struct {
	code   int
	detail string
	fix    string // what to do, where it says so
}

func (a *answer) Error() string {
	if a.detail == "" {
		return fmt.Sprintf("answered %d", a.code)
	}
	return fmt.Sprintf("answered %d: %s", a.code, a.detail)
}

// refused reports whether err is an answer that will be the same next time.
func refused(err error) bool {
	var a *answer
	if !errors.As(err, &a) {
		return false
	}
	switch a.code {
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	}
	return a.code >= 400 && a.code < 500
}

// post sends in as JSON and reads the answer into out; nil: the answer's body is of no interest.
func post(ctx context.Context, c *http.Client, url string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encoding request: %w", err)
	}
	return postBytes(ctx, c, url, body, out)
}

// postBytes sends JSON that is encoded already.
func postBytes(ctx context.Context, c *http.Client, url string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer done(resp)
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return answered(resp)
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, wire.MaxMessage)).Decode(out); err != nil {
		return fmt.Errorf("reading answer: %w", err)
	}
	return nil
}

// done reads the little that may be left, so that the stream can be used again, and closes the body.
func done(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, 4<<10)
	resp.Body.Close()
}

// answered makes an error of a bad status, with the first sentence of a problem document or of plain text.
func answered(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 8<<10))
	var problem struct {
		Title  string `json:"title"`
		Detail string `json:"detail"`
		Fix    string `json:"fix"`
	}
	a := &answer{code: resp.StatusCode}
	if json.Unmarshal(text, &problem) == nil && problem.Title+problem.Detail != "" {
		a.detail, a.fix = problem.Detail, problem.Fix
		if a.detail == "" {
			a.detail = problem.Title
		}
		return a
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	a.detail = line
	return a
}
