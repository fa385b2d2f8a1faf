package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

func TestReadEvents(t *testing.T) {
	t.Parallel()
	type event struct{ Name, Data string }
	for name, test := range map[string]struct {
		text string
		want []event
	}{
		"plain":              {"event: a\ndata: 1\n\n", []event{{"a", "1"}}},
		"no name":            {"data: 1\n\n", []event{{"message", "1"}}},
		"name is forgotten":  {"event: a\ndata: 1\n\ndata: 2\n\n", []event{{"a", "1"}, {"message", "2"}}},
		"CRLF":               {"event: a\r\ndata: 1\r\n\r\n", []event{{"a", "1"}}},
		"several lines":      {"data: 1\ndata:\ndata:  3\n\n", []event{{"message", "1\n\n 3"}}},
		"comments and more":  {": beat\n\nretry: 7\nid: 4\nfoo\ndata:x\n\n", []event{{"message", "x"}}},
		"without data":       {"event: a\n\n", nil},
		"cut off":            {"data: 1\n\ndata: 2\n", []event{{"message", "1"}}},
		"nothing":            {"", nil},
		"empty data is some": {"data\n\n", []event{{"message", ""}}},
	} {
		for _, r := range []io.Reader{strings.NewReader(test.text), iotest.OneByteReader(strings.NewReader(test.text))} {
			var got []event
			err := readEvents(r, func(n string, d []byte) error { got = append(got, event{n, string(d)}); return nil })
			if diff := cmp.Diff(test.want, got); diff != "" || !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
			}
		}
	}
	endless := func(text string) io.Reader { return io.MultiReader(strings.NewReader(text), endlessX{}) }
	for name, r := range map[string]io.Reader{
		"endless line":  endless("data: "),
		"endless event": &repeat{text: "data: " + strings.Repeat("x", 1000) + "\n"},
	} {
		if err := readEvents(r, func(string, []byte) error { return nil }); err == nil || errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: got %v, want it refused", name, err)
		}
	}
	if err := readLines(endlessX{}, func([]byte) error { return nil }); err == nil {
		t.Error("an endless line of JSON is taken")
	}
}

type endlessX struct{}

func (endlessX) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// repeat reads text again and again.
type repeat struct {
	text string
	at   int
}

func (r *repeat) Read(p []byte) (int, error) {
	n := copy(p, r.text[r.at:])
	r.at = (r.at + n) % len(r.text)
	return n, nil
}

func TestSilentServersAreLeft(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/watch") { // else not even a head comes
			w.Header().Set("Content-Type", eventsType)
			_, _ = io.WriteString(w, "event: change\ndata: {\"kind\":\"run\"}\n\n")
			_ = http.NewResponseController(w).Flush()
		}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer srv.Close()
	defer close(release)
	c, err := NewClient(srv.Client(), srv.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	c.silence = 100 * time.Millisecond
	n := 0
	if err := c.Watch(t.Context(), "", func(Change) error { n++; return nil }); !fault.Is(err, fault.Unreachable) || n != 1 {
		t.Errorf("watch: got %v after %d changes, want Unreachable after 1", err, n)
	}
	if err := c.Logs(t.Context(), LogQuery{Run: "R1"}, func(Log) error { return nil }); !fault.Is(err, fault.Unreachable) {
		t.Errorf("logs: got %v, want Unreachable", err)
	}
}

func FuzzReadEvents(f *testing.F) {
	f.Add([]byte("retry: 2000\n\nevent: change\ndata: {\"kind\":\"run\",\"id\":\"R1\"}\n\n: beat\n\nevent: end\ndata: {}\n\n"))
	f.Add([]byte("event: problem\ndata: {\"kind\":\"disk\",\"status\":507}\n\n"))
	f.Add([]byte("event: change\r\ndata: {\r\ndata: }\r\n\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) { clientOf(t, eventsType, text) })
}

func FuzzReadLines(f *testing.F) {
	f.Add([]byte("{\"job\":\"a\",\"attempt\":1,\"at\":\"2026-01-01T00:00:00Z\",\"stream\":\"stdout\",\"text\":\"x\"}\n\n{\"problem\":{\"kind\":\"disk\",\"status\":507}}\n"))
	f.Add([]byte("{\"problem\":null}\n{\"bytes\":\"/w==\"}\n"))
	f.Fuzz(func(t *testing.T, text []byte) { clientOf(t, linesType, text) })
}

// clientOf lets a client read an answer. Whatever it is, the client ends, and with an error unless the stream ended well.
func clientOf(t *testing.T, contentType string, text []byte) {
	t.Helper()
	c := &Client{base: "http://x", silence: time.Minute, http: &http.Client{Transport: answerWith(contentType, text)}}
	n := 0
	if contentType == linesType {
		_ = c.Logs(context.Background(), LogQuery{Run: "R"}, func(Log) error { n++; return nil })
	} else if err := c.Watch(context.Background(), "", func(Change) error { n++; return nil }); err == nil && !strings.Contains(string(text), "end") {
		t.Errorf("%q ended well", text)
	}
	if n > len(text) {
		t.Errorf("%d items of %d bytes", n, len(text))
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answerWith(contentType string, text []byte) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: 200, Header: http.Header{"Content-Type": {contentType}}, Body: io.NopCloser(strings.NewReader(string(text))), Request: r,
		}, nil
	})
}

// FuzzCheckForm compares with what Go's own reader takes: what checkForm takes is JSON, and means the same however often it is read.
func FuzzCheckForm(f *testing.F) {
	for _, seed := range []string{`{"a":[1,{"b":null}]}`, `{"a":1,"A":2}`, `[[[[`, `{"a"}`, `{"a":1}x`, `"\ud800"`, `{"a":1,}`, ``, `[1 2]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		err := checkForm(text)
		if err == nil && !json.Valid(text) {
			t.Errorf("%q is taken and is no JSON", text)
		}
		if err != nil && json.Valid(text) && !strings.Contains(err.Error(), "twice") && !strings.Contains(err.Error(), "deeper") {
			t.Errorf("%q is JSON and is refused: %v", text, err)
		}
	})
}

// FuzzProblem reads answers that are errors, of whatever servers.
func FuzzProblem(f *testing.F) {
	f.Add(404, "5", []byte(`{"kind":"not_found","detail":"x","fix":"y"}`))
	f.Add(429, "99999999999", []byte(`{"kind":"busy","detail":"x: try again in 5s"}`))
	f.Add(422, "-1", []byte(`{"mistakes":[{"line":1}]}`))
	f.Add(302, "", []byte(``))
	f.Fuzz(func(t *testing.T, status int, retry string, text []byte) {
		resp := &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {problemType}, "Retry-After": {retry}}, Body: io.NopCloser(strings.NewReader(string(text)))}
		if err := refusal(resp); err == nil || err.Error() == "" {
			t.Errorf("status %d with %q: got error %v", status, text, err)
		}
	})
}
