package console

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
)

// TestDirectoryPage: who is where, with the names and numbers that programs use.
func TestDirectoryPage(t *testing.T) {
	t.Parallel()
	s := open(t, estate(time.Now()), admin())
	_, body := s.ask(t, "mara", http.MethodGet, "/directory", nil)
	for _, want := range []string{"hq1", "10.1.0.5:7", "_reeve._tcp.batch", "console", "north", "10.2.0.5", "it dials whom it needs"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if _, body = s.ask(t, "mara", http.MethodGet, "/nodes", nil); !strings.Contains(body, `href="/directory"`) {
		t.Error("the page of nodes does not lead there")
	}
}

// TestLookForNodes: what answers is listed as what it says, and only who manages nodes may look.
func TestLookForNodes(t *testing.T) {
	t.Parallel()
	tw := estate(time.Now())
	viewer := access.Subject{Name: "viewer", Permissions: []access.Permission{access.View}}
	s := open(t, tw, admin(), viewer)
	look := func(who string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/nodes/discover", strings.NewReader(url.Values{"subnets": {" 10.2.0.0/24,10.4.0.1 "}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		resp, err := s.as(t, who).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text)
	}
	if status, _ := look("viewer"); status != http.StatusForbidden {
		t.Errorf("a viewer looks: status %d", status)
	}
	status, body := look("mara")
	if status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	for _, want := range []string{"&lt;b&gt;west&lt;/b&gt;", "10.2.0.9:7", "waits to be dialled", "dials by itself", "ab12", "is not proved", "east1"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	tw.mu.Lock()
	defer tw.mu.Unlock()
	if got := strings.Join(tw.calls, "; "); got != "discover [10.2.0.0/24 10.4.0.1]" {
		t.Errorf("the service was asked: %s", got)
	}
}
