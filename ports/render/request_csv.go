package render

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// requestColumns are the columns of a change request for programs.
func requestColumns() []string {
	return []string{
		"change", "firewall", "source_zone", "destination_zone", "source_role", "source", "destination_role", "destination", "protocol", "port", "parity",
		"reason", "condition", "owner", "expires", "plan", "hash", "flow", "service", "name", "function",
	}
}

const (
	anywhere = "any"     // an end of which every address is meant
	nowhere  = "unknown" // an end that has no address yet
)

func renderRequestCSV(in Input) ([]byte, error) {
	rules, err := Rules(in)
	if err != nil {
		return nil, err
	}
	records := [][]string{requestColumns()}
	for _, r := range rules {
		records = append(records, []string{
			string(r.Change), strings.Join(r.Firewalls, " "), r.FromZone, r.ToZone, r.From, or(ends(r.Sources), anywhere), r.To, or(ends(r.Destinations), nowhere),
			string(r.Protocol), r.numbers(), string(r.Parity), r.Purpose, r.Condition, r.Owner, r.Expires, r.Plan, r.Hash, r.Flow, r.Service, r.Name, r.Function,
		})
	}
	return csvText(records)
}

// ReadRequest reads a change request that was written as comma separated values: what was asked for last. The error
// names the line.
func ReadRequest(text []byte) ([]Rule, error) {
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord = len(requestColumns())
	head, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("reading the columns of a change request: %w", err)
	}
	if !slices.Equal(head, requestColumns()) {
		return nil, errors.New("this is no change request: its first line must be " + strings.Join(requestColumns(), ","))
	}
	rules := []Rule{}
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rules, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading a change request: %w", err)
		}
		rule, err := ruleOf(fields)
		if err != nil {
			line, _ := r.FieldPos(0)
			return nil, fmt.Errorf("line %d of the change request: %w", line, err)
		}
		rules = append(rules, rule)
	}
}

// ruleOf reads one line.
func ruleOf(f []string) (Rule, error) {
	r := Rule{
		Change: Change(f[0]), FromZone: f[2], ToZone: f[3], Owner: f[13], Expires: f[14], Plan: f[15], Hash: f[16],
		Opening: ports.Opening{
			From: f[4], To: f[6], Protocol: ports.Protocol(f[8]), Parity: ports.Parity(f[10]), Purpose: f[11], Condition: f[12],
			Flow: f[17], Service: f[18], Name: f[19], Function: f[20],
		},
	}
	if f[1] != "" {
		r.Firewalls = strings.Split(f[1], " ")
	}
	if !slices.Contains([]Change{Added, Removed, Unchanged}, r.Change) {
		return Rule{}, fmt.Errorf("the change %q is none of %s, %s, %s", f[0], Added, Removed, Unchanged)
	}
	if r.Protocol != ports.TCP && r.Protocol != ports.UDP {
		return Rule{}, fmt.Errorf("the protocol %q is neither tcp nor udp", f[8])
	}
	var err error
	if r.Sources, err = readEnds(f[5], anywhere, f[2]); err != nil {
		return Rule{}, err
	}
	if r.Destinations, err = readEnds(f[7], nowhere, f[3]); err != nil {
		return Rule{}, err
	}
	app, isApp := strings.CutPrefix(f[9], appPrefix)
	switch {
	case isApp:
		r.Application = app
	case f[9] != unassigned:
		if r.First, r.Last, err = readInterval(f[9]); err != nil {
			return Rule{}, err
		}
	}
	return r, nil
}

// readEnds reads what ends printed.
func readEnds(text, none, zone string) ([]ports.Endpoint, error) {
	if text == none {
		return nil, nil
	}
	var list []ports.Endpoint
	for part := range strings.SplitSeq(text, "; ") {
		address, host, ok := strings.Cut(part, " (")
		if !ok || !strings.HasSuffix(host, ")") {
			return nil, fmt.Errorf("the address %q is not ADDRESS (HOST)", part)
		}
		list = append(list, ports.Endpoint{Address: address, Host: strings.TrimSuffix(host, ")"), Zone: zone})
	}
	return list, nil
}

// readInterval reads a port, or a range of ports.
func readInterval(text string) (first, last ports.Port, err error) {
	a, b, isRange := strings.Cut(text, "-")
	if !isRange {
		b = a
	}
	from, err1 := strconv.ParseUint(a, 10, 16)
	to, err2 := strconv.ParseUint(b, 10, 16)
	if err1 != nil || err2 != nil || from == 0 || to < from {
		return 0, 0, fmt.Errorf("the port %q is neither a number from 1 to 65535, nor a range of them, nor %sNAME, nor %q", text, appPrefix, unassigned)
	}
	return ports.Port(from), ports.Port(to), nil
}
