package console

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
)

// stream is an open event stream.
type stream struct {
	t    *testing.T
	body *bufio.Reader
	end  context.CancelFunc
}

// sent is one event.
type sent struct{ name, id, data string }

func (s *site) listen(t *testing.T, path, last string) *stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := s.as(t, "mara").Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("%s answers %d with %s", path, resp.StatusCode, got)
	}
	return &stream{t: t, body: bufio.NewReader(resp.Body), end: cancel}
}

// next returns the next event with one of the names.
func (s *stream) next(names ...string) sent {
	s.t.Helper()
	var e sent
	for {
		line, err := s.body.ReadString('\n')
		if err != nil {
			s.t.Fatalf("waiting for %v: %v", names, err)
		}
		line = strings.TrimSuffix(line, "\n")
		key, value, _ := strings.Cut(line, ": ")
		switch key {
		case "event":
			e.name = value
		case "id":
			e.id = value
		case "data":
			e.data += value
		case "":
			for _, n := range names {
				if e.name == n {
					return e
				}
			}
			e = sent{}
		}
	}
}

func TestLiveTellsOutputAndGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	tw := estate(time.Now())
	s := open(t, tw, admin())
	const job = "check-north-stock"
	path := "/live?run=" + bigRun + "&job=" + job + "&n=1"
	tw.write(bigRun, job, 1, "stdout", "one\n\x1b[31mtwo")
	first := s.listen(t, path, "")
	if e := first.next("output"); !strings.Contains(e.data, ">one<") || strings.Contains(e.data, "two") {
		t.Errorf("output is %q", e.data)
	}
	begun := first.next("begun")
	if !strings.Contains(begun.data, `<span class="o-f2">two</span>`) || begun.id != "12" {
		t.Errorf("begun is %+v", begun)
	}
	first.end()

	second := s.listen(t, path+"&after=0", begun.id) // the browser's header is newer than the address
	tw.write(bigRun, job, 1, "stdout", " more\n<b>three</b>\n")
	e := second.next("output")
	if strings.Contains(e.data, "one") || !strings.Contains(e.data, `<span class="o-f2">two more</span>`) || !strings.Contains(e.data, "&lt;b&gt;three&lt;/b&gt;") {
		t.Errorf("going on tells %q", e.data)
	}
	if e.id != "31" {
		t.Errorf("going on ends at %s", e.id)
	}

	third := s.listen(t, path+"&after=15", "") // in the middle of a piece
	if e := third.next("output"); !strings.Contains(e.data, `two more`) || strings.Contains(e.data, "one") {
		t.Errorf("from the middle of a piece: %q", e.data)
	}
	tw.change(func() { tw.closed[logKey(bigRun, job, 1)] = true })
	third.next("done")
}

func TestLiveTellsChanges(t *testing.T) {
	t.Parallel()
	tw := estate(time.Now())
	s := open(t, tw, admin())
	all, one := s.listen(t, "/live", ""), s.listen(t, "/live?run="+bigRun, "")
	// A change may come before the watch has begun, and is then not told: so many are made until both are told.
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				tw.job(bigRun, "prepare", func(j *api.Job) { j.Detail = ptr(fmt.Sprint(i)) })
			}
		}
	}()
	all.next("change")
	one.next("change")
	close(stop)
	<-done
}

func TestLiveEndsByItself(t *testing.T) {
	t.Parallel()
	tw := estate(time.Now())
	h, err := New(Config{Service: tw, StreamLife: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx := api.WithSubject(t.Context(), admin())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "/live?run="+bigRun+"&job=prepare&n=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &recorder{header: http.Header{}}
	h.ServeHTTP(w, req) // returns: a session that was ended sees no more
	if !strings.HasPrefix(w.b.String(), "retry: ") {
		t.Errorf("the stream is %q", w.b.String())
	}
}

// recorder is a ResponseWriter that can be flushed.
type recorder struct {
	header http.Header
	b      strings.Builder
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(int)             {}
func (r *recorder) Write(p []byte) (int, error) { return r.b.Write(p) }
func (r *recorder) FlushError() error           { return nil }

func TestLiveRefuses(t *testing.T) {
	t.Parallel()
	s := open(t, estate(time.Now()), admin())
	for path, want := range map[string]int{
		"/live?run=none": http.StatusNotFound, "/live?run=" + bigRun + "&n=x": http.StatusUnprocessableEntity,
		"/live?run=" + bigRun + "&job=prepare&n=1&after=-1": http.StatusUnprocessableEntity,
	} {
		if resp, _ := s.ask(t, "mara", http.MethodGet, path, nil); resp.StatusCode != want {
			t.Errorf("%s: status %d, want %d", path, resp.StatusCode, want)
		}
	}
}

func TestWholeOutputIsAFile(t *testing.T) {
	t.Parallel()
	tw := estate(time.Now())
	s := open(t, tw, admin())
	tw.write(bigRun, "prepare", 1, "stdout", "\x1b[31m<script>alert(1)</script>\n")
	tw.change(func() {
		key := logKey(bigRun, "prepare", 1)
		tw.logs[key] = append(tw.logs[key], api.Log{Stream: "stderr", Bytes: []byte{0xff, 0xfe, '\n'}, Text: "��\n"})
	})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+runPath(bigRun)+"/output?job=prepare&n=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.as(t, "mara").Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(body), "\x1b[31m<script>alert(1)</script>\n\xff\xfe\n"; got != want {
		t.Errorf("the file is %q, want the bytes %q", got, want)
	}
	if got := resp.Header.Get("Content-Disposition"); got != "attachment; filename=run-01k2v7q4m9-000417-prepare-1.log" {
		t.Errorf("disposition is %q", got)
	}
	if got := resp.Header.Get("Content-Type"); got != "text/plain; charset=utf-8" {
		t.Errorf("type is %q", got)
	}
}

func TestThePaneBringsTheEndOfLongOutput(t *testing.T) {
	t.Parallel()
	tw := estate(time.Now())
	s := open(t, tw, admin())
	var b strings.Builder
	for i := range 5 * paneLines {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	tw.write(bigRun, "prepare", 1, "stdout", b.String())
	path := jobPath(bigRun, "prepare")
	_, body := s.ask(t, "mara", http.MethodGet, path, nil)
	if n := strings.Count(body, `class="ln"`); n != paneLines {
		t.Errorf("%d lines, want %d", n, paneLines)
	}
	if !strings.Contains(body, fmt.Sprintf("line %d<", 5*paneLines-1)) || !strings.Contains(body, "Earlier lines are left out") {
		t.Error("the pane does not show the end, or does not say that it is not all")
	}
	if !strings.Contains(body, fmt.Sprintf(`data-at="%d"`, b.Len())) {
		t.Error("the pane does not say where the stream goes on")
	}
	_, key, _ := strings.Cut(body, `data-key="`)
	key, _, _ = strings.Cut(key, `"`)
	key = strings.ReplaceAll(key, "&amp;", "&")
	if _, again := s.ask(t, "mara", http.MethodGet, path, http.Header{liveHeader: {key}}); strings.Contains(again, `class="ln"`) || !strings.Contains(again, `data-at="0"`) {
		t.Errorf("output is sent again to a script that has it (key %s)", key)
	}
}
