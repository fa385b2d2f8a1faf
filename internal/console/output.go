package console

import (
	"context"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
)

const (
	paneLines = 1000            // of output, that a page brings with it
	paneTime  = 5 * time.Second // to read them
	writeTime = 30 * time.Second
)

// liveHeader is what the script sends when it fetches a page again: the key of the pane that it shows already.
const liveHeader = "Reeve-Live"

// pane is the output of an attempt, or the end of it, as a page shows it.
type pane struct {
	Key    string // which output this is: the script keeps a pane with the same key
	Events string // address of the stream that goes on from At
	At     int64
	Lines  []outputLine
	Begun  []outputLine // lines without an end as yet
	Cut    bool         // earlier lines are left out
	Failed bool         // it could not be read in time
	Ended  bool         // no more is expected
	Query  api.LogQuery
	File   string // address of the whole output
}

func streamName(name string) string {
	if name == "stdout" || name == "stderr" {
		return name
	}
	return ""
}

func paneQuery(q api.LogQuery) url.Values {
	v := url.Values{"job": {q.Job}, "n": {strconv.Itoa(q.N)}}
	if q.Stream != "" {
		v.Set("stream", q.Stream)
	}
	return v
}

// pane reads the end of an attempt's output. For a script that has the pane already it reads nothing.
func (c *console) pane(r *http.Request, q api.LogQuery) *pane {
	v := paneQuery(q)
	p := &pane{Query: q, Key: url.PathEscape(q.Run) + "?" + v.Encode(), File: runPath(q.Run) + "/output?" + v.Encode()}
	v.Set("run", q.Run)
	p.Events = "/live?" + v.Encode()
	if r.Header.Get(liveHeader) == p.Key {
		return p
	}
	ctx, cancel := context.WithTimeout(r.Context(), paneTime)
	defer cancel()
	var t terminal
	err := c.service.Logs(ctx, q, func(piece api.Log) error {
		p.Lines = append(p.Lines, t.feed(piece)...)
		if over := len(p.Lines) - 2*paneLines; over > 0 { // in strides: moving the lines for each piece would be slow
			p.Lines, p.Cut = append(p.Lines[:0], p.Lines[over+paneLines:]...), true
		}
		return nil
	})
	if over := len(p.Lines) - paneLines; over > 0 {
		p.Lines, p.Cut = p.Lines[over:], true
	}
	p.Begun, p.At = t.partial(), t.at
	if err != nil && r.Context().Err() == nil {
		c.log.Debug("output not read", slog.String("run", q.Run), slog.String("job", q.Job), slog.Any("error", err))
		p.Failed = true
	}
	return p
}

// outputFile sends an attempt's whole output, as it was written, as a file to keep.
func (c *console) outputFile(w http.ResponseWriter, r *http.Request) error {
	n, err := optionalNumber(r.URL.Query().Get("n"))
	if err != nil {
		return err
	}
	q := api.LogQuery{Run: r.PathValue("id"), Job: r.URL.Query().Get("job"), N: n, Stream: streamName(r.URL.Query().Get("stream"))}
	begun := false
	control := http.NewResponseController(w)
	begin := func() {
		begun = true
		name := "run-" + plainName(q.Run) + "-" + plainName(q.Job) + "-" + strconv.Itoa(n) + ".log"
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	}
	err = c.service.Logs(r.Context(), q, func(piece api.Log) error {
		if !begun {
			begin()
		}
		_ = control.SetWriteDeadline(time.Now().Add(writeTime)) // where it cannot be set, the server's own holds
		if piece.Stream == "gap" {
			_, err := fmt.Fprintf(w, "\n[%s]\n", piece.Missing(size(piece.Lost)))
			return err
		}
		_, err := w.Write(rawBytes(piece))
		return err
	})
	if err == nil && !begun {
		begin()
	}
	if err != nil && begun {
		// The answer has begun: only a broken connection can still say that it is not complete.
		panic(http.ErrAbortHandler)
	}
	return err
}

// plainName keeps what a file name may hold anywhere.
func plainName(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '_'
	}, shorten(text, 64))
}
