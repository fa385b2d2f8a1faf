package api_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// untilEnd is a source that emits what comes from a channel until ctx ends, and closes gone when it returns.
func untilEnd(changes <-chan api.Change, gone chan<- struct{}) func(context.Context, string, func(api.Change) error) error {
	return func(ctx context.Context, _ string, emit func(api.Change) error) error {
		defer func() { gone <- struct{}{} }()
		for {
			select {
			case c := <-changes:
				if err := emit(c); err != nil {
					return err
				}
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
}

func within(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(20 * time.Second):
		t.Fatalf("after 20 s: %s", what)
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	s := newSite(t, api.Options{})
	changes, gone := make(chan api.Change), make(chan struct{}, 1)
	s.svc.watch = untilEnd(changes, gone)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	want := []api.Change{{Kind: "run", ID: "R1", Net: "a/b", State: "running", Jobs: []string{"x"}}, {Kind: "node", ID: "N\n\ndata: 1"}}
	var got []api.Change
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err := s.admin(t).Watch(ctx, "R1", func(c api.Change) error {
			if got = append(got, c); len(got) == len(want) {
				cancel()
			}
			return nil
		})
		if !fault.Is(err, fault.Interrupted) {
			t.Errorf("watching until the caller ends it: got %v, want Interrupted", err)
		}
	}()
	for _, c := range want { // each is told as it comes, though more may follow
		changes <- c
	}
	within(t, "the client still watches", ended)
	within(t, "the service was not told that the reader has gone", gone)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if args := s.svc.last().args; args[0] != "R1" {
		t.Errorf("the service was asked for %v", args)
	}
}

func TestStreamsTellHowTheyEnd(t *testing.T) {
	t.Parallel()
	s := newSite(t, api.Options{})
	c := s.admin(t)
	broke := fault.New(fault.Disk, "the disk is full", "make room")
	mine := errors.New("enough")
	for name, test := range map[string]struct {
		before, after error // of the service: before and after the first item
		emit          error
		want          error
		items         int
	}{
		"well":             {items: 1},
		"before it begins": {before: fault.New(fault.NotFound, "no such run", ""), want: fault.New(fault.NotFound, "no such run", "")},
		"on the way":       {after: broke, want: broke, items: 1},
		"by the reader":    {emit: mine, want: mine, items: 1},
	} {
		s.svc.fail(test.before)
		s.svc.watch = func(_ context.Context, _ string, emit func(api.Change) error) error {
			return errors.Join(emit(api.Change{Kind: "run"}), test.after)
		}
		s.svc.logs = func(_ context.Context, _ api.LogQuery, emit func(api.Log) error) error {
			if err := emit(api.Log{Text: "x"}); err != nil {
				return err
			}
			return test.after
		}
		n := 0
		err := c.Watch(t.Context(), "", func(api.Change) error { n++; return test.emit })
		if (err == nil) != (test.want == nil) || err != nil && err.Error() != test.want.Error() || n != test.items {
			t.Errorf("watch that ends %s: got %v after %d, want %v after %d", name, err, n, test.want, test.items)
		}
		n = 0
		err = c.Logs(t.Context(), api.LogQuery{Run: "R1"}, func(api.Log) error { n++; return test.emit })
		if (err == nil) != (test.want == nil) || err != nil && err.Error() != test.want.Error() || n != test.items {
			t.Errorf("logs that end %s: got %v after %d, want %v after %d", name, err, n, test.want, test.items)
		}
	}
}

func TestLogs(t *testing.T) {
	t.Parallel()
	s := newSite(t, api.Options{})
	var want []api.Log
	for i := range 5000 {
		want = append(want, api.Log{Job: "list", Attempt: 1, At: instantOf(1), Stream: "stdout", Text: strings.Repeat("ü\n\r<&>\x00\u2028", i%50), Bytes: []byte{0xff, byte(i)}, Lost: int64(i)})
	}
	s.svc.logs = func(_ context.Context, _ api.LogQuery, emit func(api.Log) error) error {
		for _, l := range want {
			if err := emit(l); err != nil {
				return err
			}
		}
		return nil
	}
	q := api.LogQuery{Run: "R1", Job: "list", N: 2, Stream: "stderr", Follow: true}
	var got []api.Log
	if err := s.admin(t).Logs(t.Context(), q, func(l api.Log) error { got = append(got, l); return nil }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("output (-want +got):\n%.2000s", diff)
	}
	if diff := cmp.Diff([]any{q}, s.svc.last().args); diff != "" {
		t.Errorf("the service was asked (-want +got):\n%s", diff)
	}
	want = want[1:2]
	_, text := s.send(t, "GET", "/api/v1/runs/R1/logs", "", func(r *http.Request) {
		bearer(s.people.may("", access.ViewLog))(r)
		r.Header.Set("Accept", "text/event-stream")
	})
	if !strings.HasPrefix(text, "retry: 2000\n\nevent: log\ndata: {\"job\":\"list\"") || !strings.HasSuffix(text, "\n\nevent: end\ndata: {}\n\n") {
		t.Errorf("as events: got %q", text)
	}
}

func TestStreamsAreCounted(t *testing.T) {
	t.Parallel()
	s := newSite(t, api.Options{MaxStreams: 2})
	gone := make(chan struct{}, 2)
	s.svc.watch = func(ctx context.Context, _ string, emit func(api.Change) error) error {
		defer func() { gone <- struct{}{} }()
		if err := emit(api.Change{Kind: "run"}); err != nil {
			return err
		}
		<-ctx.Done()
		return context.Cause(ctx)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := s.admin(t)
	var wg sync.WaitGroup
	seen := make(chan struct{}, 2)
	for range 2 {
		wg.Go(func() {
			_ = c.Watch(ctx, "", func(api.Change) error { seen <- struct{}{}; return nil })
		})
		within(t, "a watcher has seen nothing", seen)
	}
	resp, text := s.send(t, "GET", "/api/v1/watch", "", bearer(s.people.may("", access.View)))
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" || !strings.Contains(text, `"kind":"busy"`) {
		t.Errorf("a third: got %d %s, want 429 with Retry-After", resp.StatusCode, text)
	}
	if _, err := c.Run(t.Context(), "R1"); err != nil {
		t.Errorf("streams that are full stop other requests: %v", err)
	}
	cancel()
	wg.Wait()
	within(t, "a watcher is still there", gone)
	within(t, "a watcher is still there", gone)
}

// TestSlowReadersAreLetGo has one watcher that never reads and one that does. The service is never held up, the
// reader misses nothing, and the other is let go.
func TestSlowReadersAreLetGo(t *testing.T) {
	t.Parallel()
	s := newSite(t, api.Options{WriteTime: 300 * time.Millisecond})
	const many = 20_000
	slow, fast := make(chan struct{}, 1), make(chan struct{}, 1)
	read := make(chan struct{}) // the fast reader has caught up
	s.svc.watch = func(ctx context.Context, run string, emit func(api.Change) error) error {
		gone := map[string]chan struct{}{"slow": slow, "fast": fast}[run]
		defer func() { gone <- struct{}{} }()
		for i := range many {
			began := time.Now()
			if err := emit(api.Change{Kind: "run", ID: strconv.Itoa(i), Net: strings.Repeat("x", 500)}); err != nil {
				return err
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("emitting took %v", took)
			}
			if run == "fast" && i%500 == 499 {
				select {
				case <-read:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
		}
		if run == "fast" {
			return nil
		}
		<-ctx.Done()
		return context.Cause(ctx)
	}

	token := s.people.may("", access.View)
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	tr := &http.Transport{TLSClientConfig: s.Client().Transport.(*http.Transport).TLSClientConfig, DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/api/v1/runs/slow/watch", nil)
	if err != nil {
		t.Fatal(err)
	}
	bearer(token)(req)
	resp, err := tr.RoundTrip(req) // its body is never read
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()

	n := 0
	err = s.client(t, token).Watch(t.Context(), "fast", func(c api.Change) error {
		if c.ID != strconv.Itoa(n) {
			t.Errorf("change %d is %s", n, c.ID)
		}
		if n++; n%500 == 0 {
			read <- struct{}{}
		}
		return nil
	})
	if err != nil || n != many {
		t.Errorf("the reader got %d changes of %d, %v", n, many, err)
	}
	within(t, "the slow one is still there", slow)
}

// TestStreamsEndWithWhatOpenedThem: a token that is revoked meanwhile shows nothing more.
func TestStreamsEndWithWhatOpenedThem(t *testing.T) {
	t.Parallel()
	s := newSite(t, api.Options{Beat: 20 * time.Millisecond})
	changes, gone := make(chan api.Change), make(chan struct{}, 1)
	s.svc.watch = untilEnd(changes, gone)
	token := s.people.may("", access.View)
	result := make(chan error, 1)
	go func() {
		result <- s.client(t, token).Watch(t.Context(), "", func(api.Change) error { return nil })
	}()
	changes <- api.Change{Kind: "run"}
	s.people.revoke(token)
	within(t, "the stream goes on without its token", gone)
	if err := <-result; !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("got %v, want Unauthenticated", err)
	}
}

// TestStreamsBeat: a stream without changes opens, and tells that it is alive.
func TestStreamsBeat(t *testing.T) {
	t.Parallel()
	s := newSite(t, api.Options{Beat: 20 * time.Millisecond})
	gone := make(chan struct{}, 1)
	s.svc.watch = untilEnd(nil, gone)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/api/v1/watch", nil)
	if err != nil {
		t.Fatal(err)
	}
	bearer(s.people.may("", access.View))(req)
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("content type %q", got)
	}
	lines := bufio.NewScanner(resp.Body)
	for beats := 0; beats < 3 && lines.Scan(); {
		if lines.Text() == ": beat" {
			beats++
		}
	}
	if lines.Err() != nil {
		t.Errorf("reading beats: %v", lines.Err())
	}
	cancel()
	within(t, "the service was not told that the reader has gone", gone)
	head, _ := s.send(t, http.MethodHead, "/api/v1/watch", "", bearer(s.people.may("", access.View)))
	if head.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("HEAD of a stream: got %d, want 405", head.StatusCode)
	}
}

func TestBackup(t *testing.T) {
	t.Parallel()
	s := newSite(t, api.Options{})
	c := s.admin(t)
	begun, free := make(chan struct{}), make(chan struct{})
	s.svc.tar = func(_ context.Context, w io.Writer) error {
		close(begun)
		<-free
		_, err := io.WriteString(w, "half")
		return errors.Join(err, errors.New("broke"))
	}
	result := make(chan error, 1)
	var out strings.Builder
	go func() { result <- c.Backup(t.Context(), &out) }()
	within(t, "no backup has begun", begun)
	if err := c.Backup(t.Context(), io.Discard); !fault.Is(err, fault.Busy) {
		t.Errorf("a second backup: got %v, want Busy", err)
	}
	close(free)
	if err := <-result; !fault.Is(err, fault.Unreachable) {
		t.Errorf("a backup that broke off after %q: got %v, want an error", out.String(), err)
	}
	s.svc.tar = func(context.Context, io.Writer) error { return fault.New(fault.Disk, "no room", "") }
	if err := c.Backup(t.Context(), io.Discard); !fault.Is(err, fault.Disk) {
		t.Errorf("a backup that cannot begin: got %v, want Disk", err)
	}
	s.svc.tar = func(_ context.Context, w io.Writer) error {
		_, err := w.Write(make([]byte, 10<<20))
		return err
	}
	if err := c.Backup(t.Context(), failing{}); !fault.Is(err, fault.Disk) {
		t.Errorf("a backup to a full disk: got %v, want Disk", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("full") }
