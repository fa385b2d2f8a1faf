package wire

// The routes that an agent serves over HTTPS to a server that dials it before there can be a link: to enrol it, and to
// bring it a certificate where its own has run out. Server and agent each know the other before the first request: the
// server by the agent's key, the agent by the code's secret or by the server's certificate.
const (
	PathEnrolOffer   = "/enrol/v1/offer"   // POST EnrolOffer → CertificateRequest
	PathEnrolGrant   = "/enrol/v1/grant"   // POST EnrolGrant → 204, once the agent has stored it
	PathRecover      = "/recover/v1/ask"   // POST RecoverAsk → CertificateRequest
	PathRecoverGrant = "/recover/v1/grant" // POST Certificate → 204, once the agent has stored it
)

// Desk is the kind of an agent on a person's machine.
const Desk = "desk"

// EnrolOffer asks an agent that waits to become a node of the domain.
type EnrolOffer struct {
	Secret    string `json:"secret"` // of the code
	Domain    string `json:"domain"`
	Name      string `json:"name"`           // under which the agent is enrolled
	Authority string `json:"authority"`      // PEM: the domain's authorities
	Kind      string `json:"kind,omitempty"` // Desk; empty: any other agent
}

// EnrolGrant makes the agent a node. It may come again, should its answer have been lost.
type EnrolGrant struct {
	EnrolOffer
	NodeID      string   `json:"node_id"`
	Certificate string   `json:"certificate"` // PEM: the node's certificate, then intermediates
	Addresses   []string `json:"addresses"`   // HOST:PORT at which the agent may dial servers; empty: only they dial
}

// RecoverAsk says as which node an agent is known.
type RecoverAsk struct {
	NodeID string `json:"node_id"`
}

// CertificateRequest is an agent's answer.
type CertificateRequest struct {
	CSR string `json:"csr"` // PEM, signed by the key that the node made and keeps
}
