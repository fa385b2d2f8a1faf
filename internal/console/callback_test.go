package console

import (
	"strings"
	"testing"
	"time"
)

// The page of a run shows the port on which an attempt's words come, as long as it has one.
func TestRunShowsCallback(t *testing.T) {
	t.Parallel()
	tw := estate(time.Now())
	s := open(t, tw, admin())
	running, ended := "", ""
	for _, r := range tw.runs {
		for _, j := range r.Jobs {
			switch j.State {
			case "running":
				running = "/runs/" + r.ID + "?job=" + j.Name
			case "succeeded":
				ended = "/runs/" + r.ID + "?job=" + j.Name
			}
		}
	}
	const port = `<dt>Callback</dt><dd title="this attempt's own port"><a href="/ports">59998</a> connected</dd>`
	page := s.body(t, running)
	if !strings.Contains(page, port) {
		t.Errorf("%s does not show the port of the attempt", running)
	}
	if strings.Contains(s.body(t, ended), "<dt>Callback</dt>") {
		t.Errorf("%s shows a port that has been given back", ended)
	}
}
