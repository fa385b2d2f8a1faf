package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
)

// estateProofs gives the estate paths of every verdict between hosts of three zones, and a past.
func estateProofs(t *twin, now time.Time) {
	zones := map[string]string{"hq1": "core", "north1": "core", "south1": "plant", "east1": "plant", "dmz1": "dmz"}
	for _, name := range []string{"hq1", "north1", "south1", "east1", "dmz1"} {
		h := api.ProofHost{Name: name, Zone: zones[name], Roles: []string{"agent"}, Node: "linked"}
		if name == "dmz1" {
			h.Node = "not linked"
		}
		t.ways.Hosts = append(t.ways.Hosts, h)
	}
	way := func(flow, from, to, verdict, reason, text string) {
		p := api.PlannedWay{
			Flow: flow, Service: strings.SplitN(flow, ".", 2)[0], Protocol: "tcp", From: from, To: to, Address: "10.1.0.5:9352", Purpose: "joining, and the link", Verdict: verdict, Reason: reason, Text: text,
		}
		if verdict != "" {
			p.At, p.Since = ptr(now.Add(-9*time.Minute)), ptr(now.Add(-30*time.Hour))
		}
		if verdict == "blocked" {
			p.Remedy = "let the rule of the plan into the rules of that hop, the boxes behind it and the host itself (`reeve ports render`)"
		}
		t.ways.Paths = append(t.ways.Paths, p)
	}
	for _, a := range []string{"north1", "south1", "east1"} {
		way("jmnet.2/tcp", a, "hq1", "proven", "ok", "both ends have seen it")
		way("jobsch.1/tcp", a, "hq1", "proven", "ok", "both ends have seen it")
	}
	way("jmnet.2/tcp", "dmz1", "hq1", "blocked", "dropped_after_hop", "it is dropped on the way after hop 1 (10.1.0.254)")
	way("jmnet.3/tcp", "hq1", "dmz1", "assumed", "ok", "somebody takes connections there")
	way("jmnet.3/tcp", "hq1", "east1", "failed", "foreign_listener", "who listens there is pid 812 (<script>alert(1)</script>)")
	way("jmnet.3/tcp", "hq1", "south1", "", "", "")
	way("smtp.1/tcp", "hq1", "SMTP server", "unproven", "unproven", "third party: where SMTP server is, the inventory does not say")
	proof := func(flow, from, to, expect, verdict, reason, text string, since time.Duration, times int) api.Proof {
		return api.Proof{
			Flow: flow, From: from, To: to, Protocol: "tcp", Address: "10.1.0.5:9352", Expect: expect, Verdict: verdict, Reason: reason, Possible: []string{}, Assumptions: []string{}, Basis: "both ends",
			Text: text, Evidence: json.RawMessage("{}"), At: now.Add(-9 * time.Minute), Since: now.Add(-since), Times: times,
		}
	}
	t.proofs = []api.Proof{
		proof("callback.1/tcp", "south1", "hq1", "open", "proven", "ok", "both ends have seen it", 30*time.Hour, 30),
		proof("jobsch/tcp", "north1", "hq1", "closed", "exposed", "unexpectedly_open", "it must be closed, and it was reached: both ends have seen it", time.Hour, 1),
		proof("mpnjsosv/tcp", "north1", "hq1", "closed", "proven", "not_reachable", "it is closed: 10.1.0.254 rejects it", time.Hour, 4),
	}
	t.history = []api.Proof{
		proof("callback.1/tcp", "south1", "hq1", "open", "proven", "ok", "both ends have seen it", 30*time.Hour, 30),
		proof("callback.1/tcp", "south1", "hq1", "open", "blocked", "dropped_after_hop", "it is dropped on the way after hop 1 (10.1.0.254)", 40*time.Hour, 10),
	}
	t.quiet = []api.Silence{
		{From: "dmz1", To: "hq1", Flow: "jmnet.2/tcp", Address: "10.1.0.5:9352", Survived: 55, Died: 80, KeepAlive: 27.5, Text: "a connection survives a silence of 55s and is lost after 1m20s: a sign of life is needed every 27.5s", At: now.Add(-time.Hour)},
		{From: "north1", To: "hq1", Flow: "jmnet.2/tcp", Address: "10.1.0.5:9352", Survived: 60, Text: "a connection survives a silence of 1m0s, the longest that was tried", At: now.Add(-time.Hour)},
	}
	t.unused = []api.UnusedOpening{
		{Flow: "jmcal.1/tcp", Service: "jmcal", Protocol: "tcp", Ports: "9368", From: "client", To: "job execution control server", Counted: ptr(now.Add(-900 * time.Hour)), Text: "never used since 2026-03-29: is the opening needed?"},
		{Flow: "smtp.1/tcp", Service: "smtp", Protocol: "tcp", Ports: "25", From: "server", To: "SMTP server", Text: "its use is not counted: no server of Reeve takes or makes these connections"},
	}
	t.verify = api.Verification{ID: "v1", State: "running", Done: 5, Total: 12, By: "mara"}
}

// body is a page as mara sees it.
func (s *site) body(t *testing.T, path string) string {
	t.Helper()
	got, text := s.ask(t, "mara", http.MethodGet, path, nil)
	if got.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d", path, got.StatusCode)
	}
	return text
}

// The matrix shows the worst of each pair in colour, sign and words; what is wrong stands below with its remedy; what
// others wrote is never markup.
func TestProofsPage(t *testing.T) {
	t.Parallel()
	now := time.Now()
	tw := estate(now)
	estateProofs(tw, now)
	s := open(t, tw, admin())
	page := s.body(t, "/ports/proofs")
	for _, want := range []string{
		"dmz1 to hq1: blocked, 0 of 1 good", "north1 to hq1: proven, 2 of 2 good", "hq1 to east1: failed, 0 of 1 good", "hq1 to south1: not tried", "hq1 to SMTP server: unproven",
		"after hop 1 (10.1.0.254)", "let the rule of the plan", "&lt;script&gt;", "it must be closed, and it was reached", "1 proven closed", "every 27.5 s", "never used since", "5 of 12 paths",
		"hosts of core dial hosts of dmz", "hosts of dmz dial hosts of core", "within: 2/2 proven",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(page, "<script>alert") {
		t.Error("what a host said is markup")
	}
	pair := s.body(t, "/ports/proofs?from=north1&to=hq1")
	if !strings.Contains(pair, "jobsch.1/tcp") || strings.Contains(pair, "foreign") {
		t.Error("the page of a pair does not show its paths")
	}
	row := s.body(t, "/ports/why/callback")
	if !strings.Contains(row, "What was found over time") || !strings.Contains(row, "dropped on the way") {
		t.Error("a row's page has no history")
	}
}

// A person who may manage ports orders and cancels a verification; who may only look does not find the button.
func TestVerifyFromThePage(t *testing.T) {
	t.Parallel()
	tw := estate(time.Now())
	s := open(t, tw, admin())
	resp := s.post(t, "/ports/verify", url.Values{"what": {"negative"}, "from": {"north1"}})
	if resp.StatusCode != http.StatusSeeOther || len(tw.calls) != 1 || !strings.Contains(tw.calls[0], "From:north1") || !strings.Contains(tw.calls[0], "Negative:true") {
		t.Errorf("status %d, asked %v", resp.StatusCode, tw.calls)
	}
	if resp := s.post(t, "/ports/verify/v1/cancel", nil); resp.StatusCode != http.StatusSeeOther || tw.verify.State != "cancelled" {
		t.Errorf("cancel: status %d, %+v", resp.StatusCode, tw.verify)
	}
	if page := s.body(t, "/ports/proofs"); !strings.Contains(page, "Prove now") {
		t.Error("there is no button")
	}
}

// Many hosts have no matrix, and the page stays small.
func TestManyHostsHaveNoMatrix(t *testing.T) {
	t.Parallel()
	var m api.ProofMap
	for i := range maxMatrix + 1 {
		m.Hosts = append(m.Hosts, api.ProofHost{Name: fmt.Sprintf("h%03d", i)})
		m.Paths = append(m.Paths, api.PlannedWay{From: fmt.Sprintf("h%03d", i), To: "h000"})
	}
	var d proofsData
	d.matrix(m)
	if !d.TooMany || len(d.Rows) != 0 || zonesOf(m) != nil {
		t.Errorf("%+v", d)
	}
}
