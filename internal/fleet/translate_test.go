package fleet

import (
	"testing"

	"github.com/reeve-scheduler/reeve/internal/run"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// TestReasonsStayClosed: an agent of another version may know words that this server does not document.
func TestReasonsStayClosed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind       wire.ReportKind
		reason     string
		wantReason run.Reason
		wantDetail string
	}{
		{kind: wire.Ended, reason: "timeout", wantReason: run.ReasonTimeout, wantDetail: "d"},
		{kind: wire.Ended, reason: "", wantReason: "", wantDetail: "d"},
		{kind: wire.Ended, reason: "whim", wantReason: run.ReasonExec, wantDetail: "whim: d"},
		{kind: wire.NeverStarted, reason: "epoch", wantReason: run.ReasonEpoch, wantDetail: "d"},
		{kind: wire.NeverStarted, reason: "whim", wantReason: run.ReasonExec, wantDetail: "whim: d"},
		{kind: wire.Unknown, reason: "reboot", wantReason: run.ReasonReboot, wantDetail: "d"},
		{kind: wire.Unknown, reason: "whim", wantReason: run.ReasonStart, wantDetail: "whim: d"},
	} {
		in, err := translate(wire.Report{Kind: c.kind, Reason: c.reason, Detail: "d"})
		if err != nil {
			t.Fatal(err)
		}
		var reason run.Reason
		var detail string
		switch in := in.(type) {
		case run.Ended:
			reason, detail = in.Reason, in.Detail
		case run.NeverStarted:
			reason, detail = in.Reason, in.Detail
		case run.Unknown:
			reason, detail = in.Reason, in.Detail
		}
		if reason != c.wantReason || detail != c.wantDetail {
			t.Errorf("%s with reason %q: got %q, %q; want %q, %q", c.kind, c.reason, reason, detail, c.wantReason, c.wantDetail)
		}
	}
}
