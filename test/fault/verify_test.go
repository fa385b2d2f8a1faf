//go:build linux

package fault_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
)

// verified is what `reeve ports verify -o json` prints.
type verified struct {
	api.Verification
	Proofs []api.Proof `json:"proofs"`
}

func (e *estate) verify(args ...string) (verified, int) {
	e.t.Helper()
	out, errs, code := e.run(append([]string{"ports", "verify", "-o", "json"}, args...)...)
	var v verified
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		e.t.Fatalf("ports verify %v: exit code %d: %v\n%s%s", args, code, err, out, errs)
	}
	return v, code
}

// row returns the verdict of the agents' flow from one host; empty: it is not there.
func (v verified) row(from string) string {
	for _, p := range v.Proofs {
		if p.Flow == "reeve.2/tcp" && p.From == from {
			return p.Verdict
		}
	}
	return ""
}

// A server and its agents prove the plan's row on which the server itself listens, without disturbing a link; an agent
// that is gone is unproven and not green; a port that must be closed and has no firewall before it is found; what was
// found is remembered, also by the next server of the store.
func TestVerifyByRealNodes(t *testing.T) {
	t.Parallel()
	e := &estate{t: t, home: t.TempDir(), data: filepath.Join(t.TempDir(), "server"), agents: map[string]*guest{}}
	e.mark, e.plan, e.config = e.home+"/", filepath.Join(e.home, "plan.yaml"), filepath.Join(e.home, "server.yaml")
	port := sockettest.Block(t, 4) + 1
	e.write(e.plan, fmt.Sprintf("plan: proved\nextends: default\nservices: [{id: reeve, port: %d}]\n", port))
	e.write(e.config, quick)
	e.api = e.client()
	t.Cleanup(e.close)
	e.serve()
	e.agent("north", 2)
	south := e.agent("south", 2)
	before := map[string]time.Time{}
	for _, name := range []string{"north", "south"} {
		n, err := e.api.Node(t.Context(), name)
		if err != nil || n.LinkedAt == nil {
			t.Fatalf("%+v, %v", n, err)
		}
		before[name] = *n.LinkedAt
	}

	v, code := e.verify()
	if code != 0 || v.row("north") != "proven" || v.row("south") != "proven" || v.Bad != 0 || v.Unknown != 0 {
		t.Errorf("exit code %d, %v", code, v.Counts)
	}
	for name, since := range before {
		if n, err := e.api.Node(t.Context(), name); err != nil || n.LinkedAt == nil || !n.LinkedAt.Equal(since) {
			t.Errorf("the proof has cost %s its link: %+v, %v", name, n, err)
		}
	}
	if listening := observed(t, south.cmd.Process.Pid).listening; len(listening) != 0 {
		t.Errorf("the agent listens on %v", listening)
	}

	v, code = e.verify("--negative", "--from", "north")
	var at []string
	for _, p := range v.Proofs {
		at = append(at, p.Address+" "+p.Verdict)
	}
	slices.Sort(at)
	if want := []string{fmt.Sprintf("127.0.0.1:%d exposed", port-1), fmt.Sprintf("127.0.0.1:%d exposed", port+1)}; code != 1 || !slices.Equal(at, want) {
		t.Errorf("exit code %d, %v, want %v", code, at, want)
	}

	if v, code = e.verify("--idle", "--for", "1s", "--from", "south"); code != 0 || len(v.Silences) != 1 || v.Silences[0].Survived != 1 || v.Silences[0].Unproven != "" {
		t.Errorf("exit code %d, %+v", code, v.Silences)
	}

	south.end(t, syscall.SIGKILL)
	within(t, 20*time.Second, func() string {
		if n, err := e.api.Node(t.Context(), "south"); err != nil || n.Linked {
			return "south is still linked"
		}
		return ""
	})
	if v, code = e.verify(); code != 6 || v.row("south") != "unproven" || v.row("north") != "proven" || v.Unknown != 1 {
		t.Errorf("without south: exit code %d, %v, %d unknown", code, v.Counts, v.Unknown)
	}
	for _, args := range [][]string{{"--from", "nobody"}, {"--flow", "nothing"}} {
		if _, errs, code := e.run(append([]string{"ports", "verify"}, args...)...); code != 5 || !strings.Contains(errs, args[1]) {
			t.Errorf("%v: exit code %d: %s", args, code, errs)
		}
	}

	e.server.end(t, syscall.SIGTERM)
	e.serve()
	known := e.must("ports", "verify", "--known", "--flow", "reeve.2/tcp", "--from", "north", "-o", "json")
	var proofs []api.Proof
	if err := json.Unmarshal([]byte(known), &proofs); err != nil || len(proofs) != 1 || proofs[0].Verdict != "proven" || proofs[0].Times != 2 {
		t.Errorf("known: %v\n%s", err, known)
	}
}
