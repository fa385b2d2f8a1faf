package agent

import (
	"fmt"
	"net"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

// plausible checks what of an order becomes names in the file system.
func plausible(o wire.Order) error {
	if err := plausibleAttempt(o.Attempt); err != nil {
		return err
	}
	for _, in := range o.Inputs {
		if err := plausibleInput(in); err != nil {
			return err
		}
	}
	for _, p := range o.Ports {
		if !portName(p.Name) || p.Pair != "" && !portName(p.Pair) {
			return fmt.Errorf("%q (pair %q) names no port", p.Name, p.Pair)
		}
	}
	if len(o.Needs) > maxNeeds {
		return fmt.Errorf("it needs %d destinations", len(o.Needs))
	}
	for _, address := range o.Needs {
		host, port, err := net.SplitHostPort(address)
		if number, bad := strconv.ParseUint(port, 10, 16); err != nil || host == "" || len(address) > 300 || bad != nil || number == 0 {
			return fmt.Errorf("%q is no destination", address)
		}
	}
	return nil
}

const maxNeeds = 64 // of one order

// portName reports whether s is the name of a job's port: it becomes part of a variable's.
func portName(s string) bool {
	return s != "" && len(s) <= 63 && s[0] >= 'a' && s[0] <= 'z' && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// plausibleAttempt checks the name of an attempt.
func plausibleAttempt(a wire.Attempt) error {
	if a.N < 1 || !word(a.Run) || !word(a.Job) {
		return fmt.Errorf("%q/%q/%d names no attempt", a.Run, a.Job, a.N)
	}
	return nil
}

// word reports whether s is safe as one element of a path: ids of runs and names of jobs are.
func word(s string) bool {
	if s == "" || len(s) > 255 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// plausibleInput checks that an input stays inside the attempt's folder.
func plausibleInput(in wire.Artifact) error {
	local := filepath.FromSlash(in.Name)
	switch {
	case !word(in.Job):
		return fmt.Errorf("%q names no job", in.Job)
	case in.Name == "" || in.Name == "." || len(in.Name) > 4096 || strings.ContainsRune(in.Name, 0),
		path.Clean(in.Name) != in.Name, !filepath.IsLocal(local):
		return fmt.Errorf("%q is no name of an artifact", in.Name)
	}
	return nil
}
