package identity

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

const (
	codePrefix = "reeve-enrol1."
	codeSecret = 16 // bytes: 128 bits
)

// Code lets one domain enrol an agent that waits for a server's dial: by its fingerprint of the agent's key the server
// knows whom it has dialled, by its secret the agent knows who may dial. The agent keeps only the secret's hash.
type Code struct {
	Secret string // base64url of 128 bits
	Key    string // what KeyHash says of the agent's key
}

// MintCode returns a code with a new secret from rand, for the agent that has key.
func MintCode(rand io.Reader, key *ecdsa.PublicKey) (Code, error) {
	var raw [codeSecret]byte
	if _, err := io.ReadFull(rand, raw[:]); err != nil {
		return Code{}, fmt.Errorf("drawing enrolment code: %w", err)
	}
	hash, err := KeyHash(key)
	if err != nil {
		return Code{}, fmt.Errorf("making enrolment code: %w", err)
	}
	return Code{Secret: base64.RawURLEncoding.EncodeToString(raw[:]), Key: hash}, nil
}

// ParseCode reads a code that a person pasted or a file held; white space around it is ignored. Only what Text writes
// is accepted.
func ParseCode(text string) (Code, error) {
	bad := func(why string) error {
		return fault.New(fault.Invalid, "reading enrolment code: "+why, "copy the whole last line that reeve agent --enrol printed")
	}
	body, ok := strings.CutPrefix(strings.TrimSpace(text), codePrefix)
	if !ok {
		return Code{}, bad("it does not begin with " + codePrefix)
	}
	const size = codeSecret + sha256.Size
	if len(body) != base64.RawURLEncoding.EncodedLen(size) {
		return Code{}, bad("it is damaged")
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if err != nil || len(raw) != size { // a line break inside is skipped by the decoder
		return Code{}, bad("it is damaged")
	}
	return Code{Secret: base64.RawURLEncoding.EncodeToString(raw[:codeSecret]), Key: hex.EncodeToString(raw[codeSecret:])}, nil
}

// Text returns the code as the agent prints it: it contains the secret.
func (c Code) Text() string {
	secret, err := base64.RawURLEncoding.DecodeString(c.Secret)
	if err == nil {
		var key []byte
		if key, err = hex.DecodeString(c.Key); err == nil {
			return codePrefix + base64.RawURLEncoding.EncodeToString(append(secret, key...))
		}
	}
	panic(err) // MintCode and ParseCode write both
}

// String names the code without its secret.
func (c Code) String() string { return "enrolment code for the key " + clip(c.Key) }

// GoString names the code without its secret.
func (c Code) GoString() string { return c.String() }

// LogValue keeps the secret out of logs.
func (c Code) LogValue() slog.Value { return slog.StringValue(c.String()) }

// KeyHash returns what a domain binds a node to: the SHA-256 of its public key (SPKI) in lower-case hex.
func KeyHash(key *ecdsa.PublicKey) (string, error) {
	spki, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", fmt.Errorf("reading key: %w", err)
	}
	sum := sha256.Sum256(spki)
	return hex.EncodeToString(sum[:]), nil
}
