package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// The streams: how a client reads them.

const maxItem = 8 * mib // one line, or the data of one event

// Watch implements Domain. It returns when the server ends the stream, when emit does, or when nothing, not even the
// server's beat, has come for 45 s: to connect again and to read anew is the caller's.
func (c *Client) Watch(ctx context.Context, run string, emit func(Change) error) error {
	what := at(http.MethodGet, "watch")
	if run != "" {
		what = at(http.MethodGet, "runs", run, "watch")
	}
	what.accept = eventsType
	return c.follow(ctx, what, func(r io.Reader) error {
		return readEvents(r, func(event string, data []byte) error {
			switch event {
			case "change":
				var change Change
				if err := json.Unmarshal(data, &change); err != nil {
					return fmt.Errorf("reading a change: %w", err)
				}
				return handOver(emit, change)
			case "problem":
				return toldIn(data)
			case "end":
				return errEnd
			}
			return nil // of a later version
		})
	})
}

// Logs implements Runs.
func (c *Client) Logs(ctx context.Context, q LogQuery, emit func(Log) error) error {
	query := url.Values{"job": {q.Job}, "attempt": {number(int64(q.N))}, "stream": {q.Stream}}
	if q.Follow {
		query.Set("follow", "true")
	}
	what := at(http.MethodGet, "runs", q.Run, "logs").with(query)
	what.accept = linesType
	return c.follow(ctx, what, func(r io.Reader) error {
		return readLines(r, func(line []byte) error {
			var item struct {
				Log
				Problem json.RawMessage `json:"problem"`
			}
			if err := json.Unmarshal(line, &item); err != nil {
				return fmt.Errorf("reading a line of output: %w", err)
			}
			if len(item.Problem) > 0 {
				return toldIn(item.Problem)
			}
			return handOver(emit, item.Log)
		})
	})
}

var errEnd = errors.New("the stream has ended")

// stopped is the error of an emit: it goes back to the caller as it came.
type stopped struct{ error }

func handOver[T any](emit func(T) error, item T) error {
	if err := emit(item); err != nil {
		return stopped{err}
	}
	return nil
}

// toldIn returns the error that a stream ended with.
func toldIn(data []byte) error {
	p := &Problem{}
	if err := json.Unmarshal(data, p); err != nil {
		return fmt.Errorf("reading how the stream ended: %w", err)
	}
	return stopped{p.fault(p.Status)}
}

// follow opens a stream and reads it, for as long as something comes.
func (c *Client) follow(ctx context.Context, what call, read func(io.Reader) error) error {
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	idle := time.AfterFunc(c.silence, cancel)
	defer idle.Stop()
	resp, err := c.do(within, what)
	if err != nil {
		return c.brokenOff(ctx, within, err)
	}
	defer func() { _ = resp.Body.Close() }()
	err = read(&watched{r: resp.Body, alive: func() { idle.Reset(c.silence) }})
	var own stopped
	switch {
	case err == nil || errors.Is(err, errEnd):
		return nil
	case errors.As(err, &own):
		return own.error
	}
	return c.brokenOff(ctx, within, err)
}

func (c *Client) brokenOff(ctx, within context.Context, err error) error {
	if ctx.Err() == nil && within.Err() != nil {
		return fault.New(fault.Unreachable, "the server at "+c.base+" has fallen silent", "try again")
	}
	return c.unreachable(ctx, err)
}

// watched calls alive for whatever is read.
type watched struct {
	r     io.Reader
	alive func()
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if n > 0 {
		w.alive()
	}
	return n, err
}

// readLines calls each for every line that is not empty. Lines are bounded.
func readLines(r io.Reader, each func(line []byte) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxItem)
	for lines.Scan() {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue // a beat
		}
		if err := each(line); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading the stream: %w", err)
	}
	return nil
}

// readEvents reads server-sent events (WHATWG HTML, 9.2.6) and calls each for every one that has data. Lines end in
// LF or CRLF; ids and retry times, which this client does not use, are skipped. An event that the stream's end cuts off is dropped,
// and a stream that ends without an event named end broke off.
func readEvents(r io.Reader, each func(event string, data []byte) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxItem)
	event, data, some := "message", []byte(nil), false
	for lines.Scan() {
		line := lines.Text()
		if line == "" {
			if some {
				if err := each(event, data); err != nil {
					return err
				}
			}
			event, data, some = "message", nil, false
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			event = value
		case "data":
			if some {
				data = append(data, '\n')
			}
			some = true
			if len(data)+len(value) > maxItem {
				return errors.New("an event is too long")
			}
			data = append(data, value...)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading the stream: %w", err)
	}
	return io.ErrUnexpectedEOF
}
