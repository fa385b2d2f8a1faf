//go:build linux

package fault_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
)

// A job orders a run on another domain's server, with parameters, and ends as it does: the end comes back by the callback.
// Ordered again with the same key it is the same run, and the token lets it do nothing else there.
func TestOrderOnAnotherServer(t *testing.T) {
	t.Parallel()
	port := sockettest.Block(t, 2)
	there := newEstateWith(t, quick, fmt.Sprintf(`pools:
  - id: callback
    function: incoming ports
    protocol: [tcp]
    tls: true
    runs_on: [server]
    range: %d-%d
    pick: lru
    lease: {owner: command, ttl: 90s, renew: heartbeat, fence: true, nonce: 128}
    origin: ours
    flows: [{from: server, to: server, purpose: telling that an order ended, carries: [callback]}]
`, port, port+1))
	there.agent("far", 4)
	there.apply("net: remote/census\nparams: {top: \"1\"}\njobs:\n  - name: count\n    script: |\n        #!/bin/sh\n        echo \"top is $top\"\n        sleep 0.7\n        exit $((top > 5))\n")
	there.apply("net: private/books\njobs:\n  - {name: a, command: [\"true\"]}\n")

	here := newEstate(t, quick)
	g := here.newcomer("near", 4, filepath.Join(here.home, "near"))
	logins := filepath.Join(here.home, "logins.json")
	secret := filepath.Join(here.home, "secret")
	here.write(secret, lastLine(there.must("token", "create", "api", "orders", "--scope", "view,run", "--folder", "remote", "--expires", "1h")))
	at := fmt.Sprintf("https://127.0.0.1:%d", there.port)
	domain, err := there.api.Domain(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if out, errs, code := command(t, []string{"REEVE_LOGIN=" + logins}, "login", at, "--fingerprint", domain.Fingerprint, "--token-file", secret); code != 0 {
		t.Fatalf("login: %d %s%s", code, out, errs)
	}
	g.start("--join", lastLine(here.must("token", "create", "agent", "near")))
	here.linked("near")
	order := func(net string) string {
		return fmt.Sprintf(`net: orders/%s
params: {top: "3"}
jobs:
  - name: order
    script: |
        #!/bin/sh
        export REEVE_LOGIN=%s
        %s run start remote/%s --server %s --param "top=$top" --key "$REEVE_RUN" --wait --plan %s --bind 127.0.0.1 --advertise 127.0.0.1 --ledger %s || exit
        exec %[3]s run start remote/%[4]s --server %[5]s --param "top=$top" --key "$REEVE_RUN" --wait
`, net, logins, reeve, net, at, there.plan, filepath.Join(here.home, "orders"))
	}
	here.apply(order("census"))
	for _, c := range []struct{ top, state string }{{"3", "succeeded"}, {"7", "failed"}} {
		id := lastLine(here.must("run", "start", "orders/census", "--param", "top="+c.top))
		called := false
		within(t, 30*time.Second, func() string {
			for _, o := range observed(t, there.server.cmd.Process.Pid).open {
				called = called || int(o.Remote.Port()) == port || int(o.Remote.Port()) == port+1
			}
			if r := here.show(id); !isEnd(r.State) {
				return "the run is " + r.State + "\n" + here.logs()
			}
			return ""
		})
		if r := here.show(id); r.State != c.state || !called {
			t.Errorf("top %s: the order is %s, want %s; called back: %t\n%s", c.top, r.State, c.state, called, here.must("run", "logs", id))
		}
		ordered := there.runs()
		if out := there.must("run", "logs", ordered[0]); !strings.Contains(out, "top is "+c.top) {
			t.Errorf("the run there says %q", out)
		}
	}
	if all := there.runs(); len(all) != 2 {
		t.Errorf("%d runs there, want one for each order", len(all))
	}
	env := []string{"REEVE_LOGIN=" + logins}
	for _, args := range [][]string{{"run", "start", "private/books"}, {"node", "drain", "far"}, {"net", "apply", filepath.Join(there.home, "net.yaml")}} {
		if out, _, code := command(t, env, append(args, "--server", at)...); code != 4 {
			t.Errorf("the token does %v: exit code %d, %s", args, code, out)
		}
	}
}
