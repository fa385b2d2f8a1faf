// Package identity answers: who is at the other end, and how does a node prove who it is?
//
// An identity is the URI reeve://DOMAIN/ROLE/NAME/NODE-ID in a certificate that the domain's authority signed.
// Nothing else in a certificate counts: not its subject, not its host names. The key is made on the node and never
// leaves it; the authority takes only the public key from a request and writes the rest itself.
//
//	token (name, secret, fingerprint) ──▶ node makes key ──▶ request ──▶ authority ──▶ certificate, 24 h
//	                                                            ▲                          │
//	                                                            └──── again at 2/3 ◀───────┘
package identity

import (
	"encoding/base32"
	"fmt"
	"io"
	"strings"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// Role says what a node may do in its domain. The set is closed.
type Role string

// The roles.
const (
	RoleServer Role = "server" // decides; may command agents
	RoleAgent  Role = "agent"  // runs jobs on its host; may only tell of itself
)

// Bounds of an identity's parts, in bytes.
const (
	maxDomain = 128
	maxName   = 63
	minNodeID = 8
	maxNodeID = 40
	maxURI    = len(scheme) + maxDomain + len("/server/") + maxName + 1 + maxNodeID
)

const scheme = "reeve://"

// Identity names one node. It is comparable: two are the same node where they are equal. Node ids are never used
// again, so that a new node with an old name inherits nothing.
type Identity struct {
	Domain string
	Role   Role
	Name   string
	ID     string
}

// String returns the identity as the URI reeve://DOMAIN/ROLE/NAME/NODE-ID.
func (i Identity) String() string {
	return scheme + i.Domain + "/" + string(i.Role) + "/" + i.Name + "/" + i.ID
}

// Validate says whether every part has the form that Parse accepts.
func (i Identity) Validate() error {
	if err := CheckDomain(i.Domain); err != nil {
		return err
	}
	if i.Role != RoleServer && i.Role != RoleAgent {
		return fault.Newf(fault.Invalid, "role %q is neither server nor agent", clip(string(i.Role)))
	}
	if err := CheckName(i.Name); err != nil {
		return err
	}
	return checkNodeID(i.ID)
}

// Parse reads an identity from its URI. The form is exact: what Parse accepts, String writes again byte for byte. There
// is no escaping, no upper case, no query and no trailing dot, so that two spellings never mean one node.
func Parse(uri string) (Identity, error) {
	if len(uri) > maxURI {
		return Identity{}, fault.Newf(fault.Invalid, "reading identity: %d bytes, at most %d", len(uri), maxURI)
	}
	rest, ok := strings.CutPrefix(uri, scheme)
	if !ok {
		return Identity{}, fault.Newf(fault.Invalid, "reading identity %q: it does not begin with %s", clip(uri), scheme)
	}
	parts := strings.Split(rest, "/")
	if len(parts) != 4 {
		return Identity{}, fault.Newf(fault.Invalid, "reading identity %q: %d parts, expected DOMAIN/ROLE/NAME/NODE-ID", clip(uri), len(parts))
	}
	id := Identity{Domain: parts[0], Role: Role(parts[1]), Name: parts[2], ID: parts[3]}
	if err := id.Validate(); err != nil {
		return Identity{}, fmt.Errorf("reading identity: %w", err)
	}
	return id, nil
}

// CheckDomain says whether s can name a domain: host name labels in lower case, joined by dots, at most 128 bytes.
func CheckDomain(s string) error { return checkLabels("domain", s, maxDomain) }

// CheckName says whether s can name a node: host name labels in lower case, joined by dots, at most 63 bytes.
func CheckName(s string) error { return checkLabels("node name", s, maxName) }

// NewNodeID draws a node id of 128 bits from rand. It fails only where rand does.
func NewNodeID(rand io.Reader) (string, error) {
	var raw [16]byte
	if _, err := io.ReadFull(rand, raw[:]); err != nil {
		return "", fmt.Errorf("drawing node id: %w", err)
	}
	return lowerBase32(raw[:]), nil
}

func lowerBase32(raw []byte) string {
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw))
}

func checkNodeID(s string) error {
	if len(s) < minNodeID || len(s) > maxNodeID {
		return fault.Newf(fault.Invalid, "node id %q has %d characters, expected %d to %d", clip(s), len(s), minNodeID, maxNodeID)
	}
	for i := range len(s) {
		if !lowerOrDigit(s[i]) {
			return fault.Newf(fault.Invalid, "node id %q: only a-z and 0-9 may stand in it", clip(s))
		}
	}
	return nil
}

func checkLabels(what, s string, limit int) error {
	if s == "" {
		return fault.Newf(fault.Invalid, "the %s is empty", what)
	}
	if len(s) > limit {
		return fault.Newf(fault.Invalid, "%s %q has %d characters, at most %d", what, clip(s), len(s), limit)
	}
	for label := range strings.SplitSeq(s, ".") {
		if !isLabel(label) {
			return fault.New(fault.Invalid, fmt.Sprintf("%s %q is not valid", what, clip(s)),
				"use a-z, 0-9, - and . with a letter or digit at both ends of every part")
		}
	}
	return nil
}

func isLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if !lowerOrDigit(s[i]) && s[i] != '-' {
			return false
		}
	}
	return true
}

func lowerOrDigit(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }

// clip keeps a hostile string from filling an error message.
func clip(s string) string {
	if len(s) <= 80 {
		return s
	}
	return s[:80] + "…"
}
