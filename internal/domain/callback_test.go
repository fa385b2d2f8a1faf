package domain_test

import (
	"testing"

	"github.com/reeve-scheduler/reeve/internal/domain"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/builtin"
)

// A server dials a command only on the numbers that its plan has for that, whatever host is named.
func TestCallbackRow(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ plan, address, row string }{
		{"arcserve", "desk:20000", "callback"},
		{"arcserve", "[2001:db8::1]:20100", "callback"},
		{"arcserve", "branch:7199", "client-callback"},
		{"arcserve", "desk:20101", ""},
		{"arcserve", "desk:22", ""},
		{"arcserve", "desk:0", ""},
		{"arcserve", "desk:65536", ""},
		{"arcserve", "desk", ""},
		{"arcserve", "desk:20000:20001", ""},
		{"jobscheduler", "hq:59999", "callback"},
		{"jobscheduler", "hq:60000", ""},
		{"jobscheduler", "hq:4455", ""},
		{"default", "hq:59999", ""},
	} {
		p, err := builtin.Load(test.plan)
		if err != nil {
			t.Fatal(err)
		}
		c, _ := ports.Compile(p, ports.Inventory{}, 0)
		row, err := domain.CallbackRow(c, test.address)
		if row != test.row || (test.row == "") != fault.Is(err, fault.Invalid) {
			t.Errorf("%s at %s: row %q, %v; want %q", test.plan, test.address, row, err, test.row)
		}
	}
}
