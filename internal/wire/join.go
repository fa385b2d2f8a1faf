package wire

// The routes between nodes. All bodies are JSON but the artifacts', which are bytes.
const (
	// served by servers on a link
	PathHello      = "/link/v1/hello"       // POST Hello → Welcome
	PathHeartbeat  = "/link/v1/heartbeat"   // POST Heartbeat → HeartbeatReply
	PathReports    = "/link/v1/reports"     // POST Reports → ReportsReply, after the commit
	PathOutput     = "/link/v1/output"      // POST OutputChunks → OutputReply, on a stream of its own
	PathOutputHave = "/link/v1/output/have" // POST []Attempt → OutputReply
	PathArtifacts  = "/link/v1/artifacts/"  // + SHA-256 in hex: PUT bytes → 204, or 200 where it is there already; GET → bytes
	PathLinkRenew  = "/link/v1/renew"       // POST RenewRequest → Certificate
	// served by agents on a link
	PathCommands = "/link/v1/commands" // POST Commands → CommandsReply
	PathState    = "/link/v1/state"    // GET → AgentState
	PathClose    = "/link/v1/close"    // POST CloseLink → 204
	// served by servers over HTTPS to callers without a certificate
	PathJoin  = "/api/v1/join"  // POST JoinRequest → Certificate
	PathRenew = "/api/v1/renew" // POST RenewRequest → Certificate
)

// JoinRequest asks to become a node of the domain. The token says under which name and labels; the same key may
// ask again with the same token within the token's life and gets the same node.
type JoinRequest struct {
	TokenID string `json:"token_id"`
	Secret  string `json:"secret"`
	Name    string `json:"name"` // must be the token's
	CSR     string `json:"csr"`  // PEM, signed by the key that the node made and keeps
}

// RenewRequest asks for a new certificate. On a link the certificate in use proves who asks, and NodeID may be
// empty; over HTTPS the proof is the CSR's signature by the key that the domain has bound to the node.
type RenewRequest struct {
	NodeID string `json:"node_id,omitempty"`
	CSR    string `json:"csr"` // PEM
}

// Certificate answers JoinRequest and RenewRequest.
type Certificate struct {
	NodeID      string `json:"node_id"`
	Certificate string `json:"certificate"`    // PEM: the node's certificate, then intermediates
	Authority   string `json:"authority"`      // PEM: the domain's authorities, while one replaces another more than one
	View        *View  `json:"view,omitempty"` // to a join: the port plan as the node has it
}

// AgentState is what an agent says of itself when asked.
type AgentState struct {
	Running  int       `json:"running"`  // attempts
	Fetching []Attempt `json:"fetching"` // ordered, and waiting for artifacts of other jobs
	Unsent   int       `json:"unsent"`   // reports that no server has acknowledged
	Keeper   bool      `json:"keeper"`   // a keeper answers
}

// CloseLink says why a link is closed by its other end.
type CloseLink struct {
	Reason string `json:"reason"`
}
