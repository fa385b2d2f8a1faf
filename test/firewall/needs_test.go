//go:build linux

package firewall_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/ports/builtin"
)

// databaseRow is the site's own row for what its jobs connect to: Reeve dials it and never binds it.
const databaseRow = `roles: {database: {managed: false, title: database}}
services:
  - {id: database, function: Database, name: database, port: 1521, protocol: [tcp], binds: false, origin: ours, flows: [{from: agent, to: database, purpose: what jobs connect to}]}
`

// A job that needs a database behind the firewall is held with what the connect said, whatever stands between: nobody
// listens, the firewall drops, it refuses, it says so. When the path is there, the job is started; and nothing was tried
// that the plan does not have. (issue 4: flows that jobs need)
func TestNeedsBehindAFirewall(t *testing.T) {
	t.Parallel()
	l := build(t, topology{
		plan: builtin.Default, extends: databaseRow,
		inventory: twoZones + "  db: {roles: [database], zone: office, advertise: [10.3.0.2]}\n",
	})
	l.serve("hq")
	north := l.join("north")
	file := filepath.Join(l.server.home, "needs.yaml")
	write(t, file, `net: lab/needs
jobs:
  - name: load
    needs: [10.3.0.2:1521]
    script: |
      #!/bin/sh
      echo loaded
`)
	l.server.must("net", "apply", file)
	r, err := l.server.api.StartRun(t.Context(), api.StartRun{Net: "lab/needs"})
	if err != nil {
		t.Fatal(err)
	}
	held := func(when, text string) {
		t.Helper()
		within(t, 60*time.Second, func() string {
			if why := l.server.must("why", r.ID); !strings.Contains(why, "10.3.0.2:1521/tcp is not there since 20") || !strings.Contains(why, text) {
				return when + ": " + why
			}
			return ""
		})
	}
	db := l.hosts["db"]
	held("nobody listens", "connection refused: nothing listens there, or a firewall refuses")
	for _, k := range []struct{ name, verdict, text string }{
		{"the firewall drops", "drop", "no answer within 3s: a firewall drops it, or the host is off"},
		{"the firewall says so", "reject with icmpx admin-prohibited", "no route to the host, or a firewall said so"},
	} {
		l.block(db, blockage{name: k.name, to: true, verdict: k.verdict})
		held(k.name, k.text)
		l.unblock()
	}
	db.listen(l.port("database"))
	l.wantSucceeded(r.ID)
	if run, err := l.server.api.Run(t.Context(), r.ID); err != nil || len(run.Jobs[0].Attempts) != 1 {
		t.Errorf("got %+v (%v), want one attempt", run.Jobs, err)
	}
	if north.ended() {
		t.Error("the agent has ended")
	}
	l.judge("reeve.2/tcp", "database.1/tcp")
}
