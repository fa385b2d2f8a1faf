package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

const (
	queued      = 1024                   // changes that a watcher may be behind
	openWithin  = 500 * time.Millisecond // so long may an error still come with its status; then the stream opens
	eventsType  = "text/event-stream"
	linesType   = "application/x-ndjson"
	retryMillis = 2000
)

// streaming makes an entry of a route that goes on; kinds describe what it sends.
func streaming[I any](r Route, do func(context.Context, *I) (*huma.StreamResponse, error), kinds ...func(huma.API) (string, *huma.Schema)) entry {
	r.Stream = true
	e := handle(r, do)
	inner := e.register
	e.register = func(api huma.API, op huma.Operation) {
		content := map[string]*huma.MediaType{}
		for _, kind := range kinds {
			name, schema := kind(api)
			content[name] = &huma.MediaType{Schema: schema}
		}
		op.Responses["200"] = &huma.Response{Description: "OK", Content: content}
		inner(api, op)
	}
	return e
}

func eventStream[T any](event string) func(huma.API) (string, *huma.Schema) {
	return func(api huma.API) (string, *huma.Schema) {
		item := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
		return eventsType, &huma.Schema{
			Type:        huma.TypeArray,
			Description: "events named " + event + " with this as data; then one named end, or problem",
			Items:       item,
		}
	}
}

func linesOf[T any](api huma.API) (string, *huma.Schema) {
	item := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
	return linesType, &huma.Schema{Type: huma.TypeArray, Description: "one object a line; an error on the way is a last line with the one field problem", Items: item}
}

func bytesOf(contentType string) func(huma.API) (string, *huma.Schema) {
	return func(huma.API) (string, *huma.Schema) {
		return contentType, &huma.Schema{Type: huma.TypeString, Format: "binary"}
	}
}

// stream hands the connection over to body.
func (h *Handler) stream(body func(*exchange)) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(c huma.Context) { body(exchangeOf(c.Context())) }}
}

// written answers with bytes that are there already.
func written(contentType string, text []byte) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(c huma.Context) {
		c.SetHeader("Content-Type", contentType)
		c.SetStatus(http.StatusOK)
		_, _ = c.BodyWriter().Write(text) // the client has gone: nobody is left to tell
	}}
}

// feed says how the items of a stream are written.
type feed struct {
	event  string
	events bool // server-sent events, else lines of JSON
}

func feedOf(event string, events bool) feed { return feed{event: event, events: events} }

// lossy reports whether the source must not wait for the reader: whoever tells of changes tells many.
func (f feed) lossy() bool { return f.event == "change" }

var errSlow = fault.New(fault.Busy, "the reader is too slow for the changes there are", "connect again, and read what is shown anew")

// pump writes what source emits to the client until one of them ends it. A reader that does not read costs its own
// stream: each write has its time, and a watcher that is too far behind is let go.
func pump[T any](h *Handler, x *exchange, f feed, source func(context.Context, func(T) error) error) {
	if x.r.Method == http.MethodHead {
		problemOfStatus(http.StatusMethodNotAllowed, "a stream has no HEAD").write(x.w)
		return
	}
	ctx, cancel := context.WithCancelCause(x.r.Context())
	items, done := make(chan T, f.room()), make(chan outcome, 1)
	go func() {
		done <- outcome{source(ctx, func(item T) error {
			select {
			case items <- item:
				return nil
			default:
			}
			if f.lossy() {
				return errSlow
			}
			select {
			case items <- item:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})}
	}()
	s := &sender{feed: f, w: x.w, rc: http.NewResponseController(x.w), within: h.opts.WriteTime}
	err, ended := relay(h, x, s, items, done)
	cancel(err)
	if !ended {
		<-done // the source has seen ctx end, and is gone when the handler returns
	}
	s.finish(x, err)
}

// outcome is how a source ended.
type outcome struct{ err error }

func (f feed) room() int {
	if f.lossy() {
		return queued
	}
	return 16
}

// relay is pump's loop. ended says whether the source has returned.
func relay[T any](h *Handler, x *exchange, s *sender, items <-chan T, done <-chan outcome) (err error, ended bool) {
	beat, open := time.NewTicker(h.opts.Beat), time.NewTimer(openWithin)
	defer beat.Stop()
	defer open.Stop()
	for {
		select {
		case item := <-items:
			err = s.item(regularOf(item), len(items) == 0)
		case last := <-done:
			for len(items) > 0 && s.broken == nil { // all that was emitted before the end is told
				_ = s.item(regularOf(<-items), false)
			}
			return last.err, true
		case <-open.C:
			err = s.open()
		case <-beat.C:
			// A session or token that has ended meanwhile ends what it opened.
			if _, err := h.gate.Still(x.r); err != nil {
				return err, false
			}
			err = s.beat()
		case <-x.r.Context().Done():
			err = context.Cause(x.r.Context())
		}
		if err != nil {
			return err, false
		}
	}
}

// sender writes a stream to one client.
type sender struct {
	feed
	w      http.ResponseWriter
	rc     *http.ResponseController
	within time.Duration
	opened bool
	broken error
}

// open sends the head of the answer.
func (s *sender) open() error {
	if s.opened {
		return nil
	}
	s.opened = true
	kind, first := linesType, ""
	if s.events {
		kind, first = eventsType, fmt.Sprintf("retry: %d\n\n", retryMillis)
	}
	s.w.Header().Set("Content-Type", kind)
	s.w.Header().Set("X-Accel-Buffering", "no") // proxies that hold answers back would hold events back
	return s.write(true, func(w io.Writer) error {
		_, err := io.WriteString(w, first)
		return err
	})
}

func (s *sender) item(v any, flush bool) error {
	if err := s.open(); err != nil {
		return err
	}
	return s.send(s.event, v, flush)
}

func (s *sender) send(event string, v any, flush bool) error {
	return s.write(flush, func(w io.Writer) error {
		if !s.events {
			return encode(w, v)
		}
		if _, err := io.WriteString(w, "event: "+event+"\ndata: "); err != nil {
			return err
		}
		if err := encode(w, v); err != nil { // one line: JSON escapes line ends
			return err
		}
		_, err := io.WriteString(w, "\n")
		return err
	})
}

// beat writes what readers skip, so that both ends notice where the other is gone.
func (s *sender) beat() error {
	if err := s.open(); err != nil {
		return err
	}
	return s.write(true, func(w io.Writer) error {
		text := "\n"
		if s.events {
			text = ": beat\n\n"
		}
		_, err := io.WriteString(w, text)
		return err
	})
}

func (s *sender) write(flush bool, put func(io.Writer) error) error {
	if s.broken != nil {
		return s.broken
	}
	s.broken = s.rc.SetWriteDeadline(time.Now().Add(s.within))
	if s.broken == nil {
		s.broken = put(s.w)
	}
	if s.broken == nil && flush {
		s.broken = s.rc.Flush()
	}
	return s.broken
}

// finish ends the stream so that the reader knows how it ended. What has not begun is answered as any request.
func (s *sender) finish(x *exchange, err error) {
	if s.broken != nil || x.r.Context().Err() != nil {
		x.log.LogAttrs(context.Background(), slog.LevelDebug, "a stream's reader has gone", slog.String("path", x.r.URL.Path), slog.Any("error", s.broken))
		panic(http.ErrAbortHandler) // the connection is of no more use
	}
	if err != nil && !s.opened {
		x.told(err).write(s.w)
		return
	}
	_ = s.open()
	switch {
	case err != nil && s.events:
		_ = s.send("problem", x.told(err), true)
	case err != nil:
		_ = s.send("", lastLine{Problem: x.told(err)}, true)
	case s.events:
		_ = s.send("end", nothing{}, true)
	default:
		_ = s.write(true, func(io.Writer) error { return nil })
	}
}

// lastLine is the last of a stream of lines that ended in an error.
type lastLine struct {
	Problem *Problem `json:"problem"`
}

// sendBytes streams what fill writes. An error on the way breaks the connection: the reader must not take a part for
// the whole.
func (h *Handler) sendBytes(x *exchange, contentType string, fill func(context.Context, io.Writer) error) {
	w := &timedWriter{w: x.w, rc: http.NewResponseController(x.w), within: h.opts.WriteTime, contentType: contentType}
	err := fill(x.r.Context(), w)
	switch {
	case err == nil && !w.begun:
		_, _ = w.Write(nil)
	case err != nil && !w.begun:
		x.told(err).write(x.w)
	case err != nil:
		if !errors.Is(err, context.Canceled) {
			x.log.LogAttrs(context.Background(), slog.LevelWarn, "a stream broke off", slog.String("path", x.r.URL.Path), slog.Any("error", err))
		}
		panic(http.ErrAbortHandler)
	}
}

// timedWriter gives each write its time.
type timedWriter struct {
	w           http.ResponseWriter
	rc          *http.ResponseController
	within      time.Duration
	contentType string
	begun       bool
}

func (t *timedWriter) Write(p []byte) (int, error) {
	if !t.begun {
		t.begun = true
		t.w.Header().Set("Content-Type", t.contentType)
	}
	if err := t.rc.SetWriteDeadline(time.Now().Add(t.within)); err != nil {
		return 0, fmt.Errorf("bounding a write: %w", err)
	}
	return t.w.Write(p)
}
