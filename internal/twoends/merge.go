package twoends

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports/probe"
)

// maxReport bounds what is read of a report, or of proofs.
const maxReport = 8 << 20

// ReadReport reads what `reeve ports probe listen -o json` printed.
func ReadReport(r io.Reader) (Report, error) {
	var got Report
	err := read(r, &got, "the report of a listening end", "listen")
	return got, err
}

// ReadProofs reads what `reeve ports probe dial -o json` printed.
func ReadProofs(r io.Reader) ([]probe.Proof, error) {
	var got []probe.Proof
	err := read(r, &got, "the proofs of a dialling end", "dial")
	return got, err
}

func read(r io.Reader, to any, what, verb string) error {
	d := json.NewDecoder(io.LimitReader(r, maxReport))
	d.DisallowUnknownFields()
	err := d.Decode(to)
	if err == nil && d.More() {
		err = errors.New("more stands behind it")
	}
	if err != nil {
		return fault.New(fault.Invalid, fmt.Sprintf("this is not %s: %v", what, err), "write it with `reeve ports probe "+verb+" -o json > FILE`")
	}
	return nil
}

// Merge makes the proofs of a dialling end again, with what the listening ends saw at that time. A proof whose host has no
// report stays as it is. The error is Invalid where a dial was not made while the other end listened.
func Merge(proofs []probe.Proof, reports []Report) ([]probe.Proof, error) {
	merged := slices.Clone(proofs)
	for i, p := range proofs {
		r, ok := reportOf(proofs, reports, p.To)
		if !ok {
			continue
		}
		if p.At.Before(r.From) || p.At.Add(-p.Evidence.Source.Took).After(r.Until) {
			return nil, fault.New(fault.Invalid, fmt.Sprintf("the flow %s was dialled at %s, and %s listened from %s to %s", p.Flow, stamp(p.At), r.Host, stamp(r.From), stamp(r.Until)),
				"dial again while the other end listens; if it did, set the clocks of the two hosts")
		}
		near := p.Evidence.Source
		view := r.About(serviceOf(p.Flow), near, knownAs(proofs, p.To))
		if view == nil {
			continue
		}
		merged[i] = probe.Classify(probe.Subject{Flow: p.Flow, From: p.From, To: p.To, Expect: p.Expect, PlanHash: p.PlanHash, At: p.At}, near, view)
	}
	return merged, nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// reportOf returns the report of a host. One that stands alone, for a host that stands alone, is that host's, whatever it
// calls itself.
func reportOf(proofs []probe.Proof, reports []Report, host string) (Report, bool) {
	for _, r := range reports {
		if r.Host == host {
			return r, true
		}
	}
	alone := !slices.ContainsFunc(proofs, func(p probe.Proof) bool { return p.To != host })
	if alone && len(reports) == 1 {
		return reports[0], true
	}
	return Report{}, false
}

// serviceOf is the row of a flow: SERVICE.N/PROTOCOL.
func serviceOf(flow string) string {
	name, _, _ := strings.Cut(flow, "/")
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return name[:i]
	}
	return name
}
