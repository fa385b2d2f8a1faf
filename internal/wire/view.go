package wire

import "encoding/json"

// PathView is where a server gives a linked agent its view: POST View → ViewReply.
const PathView = "/link/v1/view"

// View is the port plan, with the calendars, as the servers, which own them, give it to one agent: with the welcome where it has another
// one, and at each change. The agent keeps it.
type View struct {
	ID     string          `json:"id"`     // of all the rest
	Hash   string          `json:"hash"`   // of the plan
	Plan   json.RawMessage `json:"plan"`   // compiled: ports.Compiled
	Enrol  []Route         `json:"enrol"`  // at which servers are asked without a link, for a certificate
	Dial   []Route         `json:"dial"`   // by which the agent dials its link, in the order to try
	Listen []Route         `json:"listen"` // on which servers dial it
	// Relay has the rows on which it carries the links of nodes that reach no server.
	Relay []Route `json:"relay,omitempty"`
	// Calendars are the newest versions of calendars (calendar.Definition), by name, as many as there is room for: jobs may ask
	// the agent about a day without a server.
	Calendars []json.RawMessage `json:"calendars,omitempty"`
}

// Route is a row of the plan, with what an agent does there.
type Route struct {
	Row       string   `json:"row"`                 // a service's id
	Port      int      `json:"port"`                // the number to listen on
	Bind      []string `json:"bind,omitempty"`      // addresses of the agent's host to listen on; none: all
	Turn      int      `json:"turn,omitempty"`      // its place in the order of dialling, over both directions, from 1
	Addresses []string `json:"addresses,omitempty"` // HOST:PORT of servers, in the order to try
}

// ViewReply says what the agent could do of a view. It has taken over all the rest.
type ViewReply struct {
	ID      string   `json:"id"`
	Refused []string `json:"refused,omitempty"` // a sentence each: a row on which it cannot listen
}
