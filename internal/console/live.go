package console

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// Pace of event streams.
const (
	gather    = 80 * time.Millisecond // how long events are collected before they are sent
	pulse     = 15 * time.Second      // a comment, so that nothing between takes the silence for an end
	linesOnce = 400
	retry     = 1500 // milliseconds until a browser asks again
)

// news is what the readers of a stream tell its writer.
type news struct {
	changed bool
	lines   []outputLine
	begun   []outputLine
	output  bool // lines, begun and at are set
	at      int64
	done    bool // the output is complete
}

// live is the event stream of a page: "change" says that the page is worth fetching again; "output" brings lines,
// "begun" the lines without an end, and "done" says that there is no more. The id of an event is how many bytes of
// output have been told, and where a browser that comes back goes on.
func (c *console) live(w http.ResponseWriter, r *http.Request) error {
	q, after, err := liveQuery(r)
	if err != nil {
		return err
	}
	if q.Run != "" {
		if _, err := c.service.Run(r.Context(), q.Run); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), c.streamLife)
	var readers sync.WaitGroup
	defer readers.Wait()
	defer cancel()

	told := make(chan news)
	tell := func(n news) error {
		select {
		case told <- n:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	readers.Go(func() {
		_ = c.service.Watch(ctx, q.Run, func(api.Change) error { return tell(news{changed: true}) })
		cancel() // the browser comes back, and meets the error where it can be shown
	})
	if q.Job != "" {
		readers.Go(func() { c.follow(ctx, q, after, tell) })
	}

	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	return c.send(ctx, w, told)
}

func liveQuery(r *http.Request) (api.LogQuery, int64, error) {
	v := r.URL.Query()
	n, err := optionalNumber(v.Get("n"))
	if err != nil {
		return api.LogQuery{}, 0, err
	}
	q := api.LogQuery{Run: v.Get("run"), Job: v.Get("job"), N: n, Stream: streamName(v.Get("stream")), Follow: true}
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		text = v.Get("after")
	}
	after := int64(0)
	if text != "" {
		if after, err = strconv.ParseInt(text, 10, 64); err != nil || after < 0 {
			return q, 0, fault.New(fault.Invalid, "the place to go on from is no number", "")
		}
	}
	return q, after, nil
}

// follow tells output from a place on. What comes before it is read too: a line, or a colour, may have begun there.
func (c *console) follow(ctx context.Context, q api.LogQuery, after int64, tell func(news) error) {
	var t terminal
	err := c.service.Logs(ctx, q, func(piece api.Log) error {
		if raw := rawBytes(piece); piece.Stream != "gap" && t.at < after && t.at+int64(len(raw)) > after {
			cut := after - t.at
			t.feed(api.Log{At: piece.At, Stream: piece.Stream, Bytes: raw[:cut]})
			piece.Bytes = raw[cut:]
		}
		known := t.at < after
		lines := t.feed(piece)
		if known {
			return nil
		}
		return tell(news{output: true, lines: lines, begun: t.partial(), at: t.at})
	})
	if err == nil {
		_ = tell(news{done: true}) // whoever went away needs no end
	}
}

// send writes what is told, collected for a moment, until ctx ends.
func (c *console) send(ctx context.Context, w http.ResponseWriter, told <-chan news) error {
	control := http.NewResponseController(w)
	var b bytes.Buffer
	fmt.Fprintf(&b, "retry: %d\n\n", retry)
	var all news
	beat := time.NewTicker(pulse)
	defer beat.Stop()
	var due <-chan time.Time
	for {
		if due == nil && b.Len() > 0 {
			_ = control.SetWriteDeadline(time.Now().Add(writeTime)) // where it cannot be set, the server's own holds
			if _, err := w.Write(b.Bytes()); err != nil {
				return nil //nolint:nilerror // the browser has gone, and nobody is left to tell
			}
			if err := control.Flush(); err != nil {
				return nil //nolint:nilerror // the same
			}
			b.Reset()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
			if due == nil {
				b.WriteString(": still here\n\n")
			}
			continue
		case n := <-told:
			all.add(n)
			if due == nil {
				due = time.After(gather)
			}
			if len(all.lines) < linesOnce {
				continue
			}
		case <-due:
		}
		due = nil
		if err := c.events(&b, all); err != nil {
			return err
		}
		all = news{}
	}
}

func (n *news) add(more news) {
	n.changed = n.changed || more.changed
	n.done = n.done || more.done
	if more.output {
		n.output, n.at, n.begun = true, more.at, more.begun
		n.lines = append(n.lines, more.lines...)
	}
}

// events writes the events that n holds.
func (c *console) events(b *bytes.Buffer, n news) error {
	if n.output {
		var html bytes.Buffer
		if len(n.lines) > 0 {
			if err := c.pages["run"].ExecuteTemplate(&html, "lines", n.lines); err != nil {
				return fmt.Errorf("rendering output: %w", err)
			}
			event(b, "output", strconv.FormatInt(n.at, 10), html.String())
			html.Reset()
		}
		if err := c.pages["run"].ExecuteTemplate(&html, "lines", n.begun); err != nil {
			return fmt.Errorf("rendering output: %w", err)
		}
		event(b, "begun", strconv.FormatInt(n.at, 10), html.String())
	}
	if n.done {
		event(b, "done", "", "")
	}
	if n.changed {
		event(b, "change", "", "")
	}
	return nil
}

// event writes one event; data may have several lines.
func event(b *bytes.Buffer, name, id, data string) {
	fmt.Fprintf(b, "event: %s\n", name)
	if id != "" {
		fmt.Fprintf(b, "id: %s\n", id)
	}
	for line := range strings.SplitSeq(data, "\n") {
		fmt.Fprintf(b, "data: %s\n", strings.ReplaceAll(line, "\r", ""))
	}
	b.WriteByte('\n')
}
