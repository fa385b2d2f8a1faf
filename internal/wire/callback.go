package wire

import (
	"encoding/json"
	"log/slog"
	"time"
)

// The routes of a callback: one HTTPS connection with certificates on both sides, that an agent opens for one attempt to
// the port that the order named. It is no link: only the agent asks. PathReports, PathOutput, PathOutputHave and PUT of
// PathArtifacts are answered there as on a link, for that attempt alone.
const (
	PathCallback     = "/callback/v1/attempt" // POST CallbackProof → CallbackWelcome; the first request
	PathCallbackBeat = "/callback/v1/beat"    // POST CallbackBeat → CallbackBeat, while there is nothing else to say
)

// Callback says where the words of an attempt are awaited, and by what its agent proves that it is the one.
type Callback struct {
	Addresses []string `json:"addresses"` // HOST:PORT, in the order in which they are dialled
	Token     string   `json:"token"`     // 128 bits in hexadecimal, good for one connection
}

// String names the callback without its token.
func (c Callback) String() string {
	if len(c.Addresses) == 0 {
		return "callback"
	}
	return "callback to " + c.Addresses[0]
}

// GoString names the callback without its token.
func (c Callback) GoString() string { return c.String() }

// LogValue keeps the token out of logs.
func (c Callback) LogValue() slog.Value { return slog.StringValue(c.String()) }

// CallbackProof is the first request on a callback.
type CallbackProof struct {
	Attempt Attempt `json:"attempt"`
	Token   string  `json:"token"`
}

// CallbackWelcome answers CallbackProof.
type CallbackWelcome struct {
	Heartbeat time.Duration `json:"heartbeat"` // how often the agent speaks at least
	Timeout   time.Duration `json:"timeout"`   // after which silence ends the connection, at both ends
	Have      int64         `json:"have"`      // bytes of the attempt's spool that the server has; -1: it wants none
}

// CallbackBeat keeps a callback open.
type CallbackBeat struct {
	Now time.Time `json:"now"`
}

// PathCallbackRun is what a server asks of a command line tool that it calls back: POST, with the tool's token as
// "Authorization: Reeve TOKEN" and a body of RunNews, one a line, that ends with the end of the run.
const PathCallbackRun = "/callback/v1/run"

// RunNews is one line of what a server tells a tool. Without a run it only says that the server is still there.
type RunNews struct {
	Run json.RawMessage `json:"run,omitempty"` // as the API has it
}
