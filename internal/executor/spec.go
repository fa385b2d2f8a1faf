package executor

import "time"

// The kinds of containment: what holds a tree of processes together.
const (
	Cgroup  = "cgroup"  // nothing escapes a kill
	Session = "session" // best effort: by session and by the marker in the environment
)

// Spec is one attempt to execute.
type Spec struct {
	Argv   []string // argument vector; or
	Script string   // text of a file beginning with #!, written to ScriptFile and executed
	// ScriptFile is where the script is put: it must not exist.
	ScriptFile string
	Work       string   // the working folder
	Env        []string // the whole environment
	User       User     // whom to run as
	Stdout     int      // write ends; the caller closes them
	Stderr     int
	// Listen are sockets that the attempt is given from descriptor 3 on, with their names, as systemd does (sd_listen_fds):
	// LISTEN_FDS, LISTEN_FDNAMES and LISTEN_PID. The caller closes its own. Launcher is the program, with its first
	// arguments, that sets LISTEN_PID and executes the rest: its number is not known before.
	Listen   []Listener
	Launcher []string
	// Marker is an entry of Env that no other tree of this host has: it tells the members of a tree that left
	// their session.
	Marker string
}

// Listener is a socket for an attempt.
type Listener struct {
	Name string
	FD   int
}

// Exit is how a process ended.
type Exit struct {
	At     time.Time
	Code   int    // -1 after a signal
	Signal string // "SIGTERM"; empty after a plain exit
	CPU    time.Duration
	MaxRSS int64 // bytes
}

// StartError says why an attempt could not be executed. Reason is exec or run_as.
type StartError struct {
	Reason string
	Detail string // one sentence for a person
	Err    error
}

// Error returns the detail.
func (e *StartError) Error() string { return e.Detail }

// Unwrap returns the cause.
func (e *StartError) Unwrap() error { return e.Err }

// Identity names a process over the death of whoever started it: a number alone is never trusted.
type Identity struct {
	PID    int    `json:"pid"`
	Ticks  uint64 `json:"ticks"`            // start time of /proc/PID/stat
	Group  string `json:"group,omitempty"`  // folder of its cgroup; empty: session
	Marker string `json:"marker,omitempty"` // entry of the environment
}
