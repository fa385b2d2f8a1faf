package socket

// Owner is a process that has a socket open.
type Owner struct {
	PID           int
	Parent        int
	ParentProgram string   // its parent's name; empty if it cannot be seen
	Program       string   // its name
	Path          string   // of its program; empty if it cannot be seen
	Command       []string // its arguments, the first few of them; empty if they cannot be seen
	Job           string   // NET/JOB of RUN, for a process that a run started; empty for others, or if it cannot be seen
}

// Owned is a socket of this host with the processes that have it open.
type Owned struct {
	Observed
	V6Only bool    // it leaves IPv4 alone; only of sockets of IPv6
	Limit  *int    // of a TCP listener: when more connections wait, the next are dropped; nil: not known
	Owners []Owner // by number; empty if they cannot be seen
}
