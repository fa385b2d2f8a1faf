package run

import "github.com/reeve-scheduler/reeve/internal/jobnet"

// Order is what an agent must know to start an attempt: the job with its references resolved.
type Order struct {
	Run    string
	Net    string
	Job    *jobnet.Job // never changed
	N      int
	Argv   []string // empty for a script
	Env    []string // name=value
	Inputs []Material
}

// Material is an artifact of an ancestor.
type Material struct {
	Job string
	Artifact
}

// Command is an order, or the cancel of one, as it is sent to an agent until it is acknowledged.
type Command struct {
	AgentID string
	Epoch   int64
	Seq     int64
	Cancel  bool
	Order   Order // of a cancel: Run, Net, Job and N only
}

// Report is what an agent says of an attempt, in the words of Step.
type Report struct {
	Run   string
	Input Input
}
