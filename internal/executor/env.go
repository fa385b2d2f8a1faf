package executor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// DefaultPath is PATH of every attempt.
const DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Facts are the values of the REEVE_ variables.
type Facts struct {
	Net, Run, Job, Attempt, Fence, In, Output string
	Ports                                     []string // REEVE_PORT_NAME=NUMBER, as PortVariable writes it
}

// PortVariable returns the entry of the environment that tells a job the number of one of its ports.
func PortVariable(name string, port uint16) string {
	return "REEVE_PORT_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_")) + "=" + strconv.Itoa(int(port))
}

// Environment returns the whole environment of an attempt: the fixed part, then extra (name=value). Nothing is
// inherited. Of two entries with one name the later counts, in the place of the earlier.
func Environment(u User, f Facts, extra []string) ([]string, error) {
	env := make([]string, 0, 13+len(extra))
	env = append(env,
		"PATH="+DefaultPath, "HOME="+u.Home, "USER="+u.Name, "LOGNAME="+u.Name, "SHELL="+u.Shell, "LANG=C.UTF-8",
		"REEVE_NET="+f.Net, "REEVE_RUN="+f.Run, "REEVE_JOB="+f.Job, "REEVE_ATTEMPT="+f.Attempt,
		"REEVE_FENCE="+f.Fence, "REEVE_IN="+f.In, "REEVE_OUTPUT="+f.Output)
	env = append(env, f.Ports...)
	fixed := len(env)
	seen := make(map[string]int, len(extra))
	for _, e := range extra {
		name, _, ok := strings.Cut(e, "=")
		if !ok || name == "" || strings.ContainsRune(e, 0) {
			return nil, fmt.Errorf("environment entry %q is not of the form name=value", e)
		}
		if strings.HasPrefix(name, "REEVE_") {
			return nil, fmt.Errorf("variable %s is set by Reeve itself; give it another name", name)
		}
		at, twice := seen[name]
		if !twice {
			at = slices.IndexFunc(env[:fixed], func(e string) bool { return strings.HasPrefix(e, name+"=") })
			twice = at >= 0
		}
		if twice {
			env[at] = e
			continue
		}
		seen[name] = len(env)
		env = append(env, e)
	}
	return env, nil
}

// Loaders returns the names in extra that change what a program loads: those are denied to a net that runs as
// another user, or as root, unless the rule that permits the user names them.
func Loaders(extra, permitted []string) []string {
	var names []string
	for _, e := range extra {
		name, _, _ := strings.Cut(e, "=")
		loader := strings.HasPrefix(name, "LD_") || slices.Contains([]string{"BASH_ENV", "ENV", "IFS", "PATH", "GCONV_PATH"}, name)
		if loader && !slices.Contains(permitted, name) {
			names = append(names, name)
		}
	}
	return names
}

func lookupEnv(env []string, name string) string {
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			return v
		}
	}
	return ""
}
