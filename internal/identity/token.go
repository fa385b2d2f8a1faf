package identity

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

const (
	tokenPrefix  = "reeve1."
	secretBytes  = 32 // 256 bits
	maxToken     = 4 << 10
	maxAddresses = 16
)

// Token lets one agent join: it says where the servers are and how to know them, and holds the secret that is good for
// one certificate request. The server keeps only the secret's hash.
type Token struct {
	ID          string   `json:"id"`     // names the token in lists, logs and the store
	Secret      string   `json:"secret"` // base64url
	Name        string   `json:"name"`   // the agent that may join with it
	Domain      string   `json:"domain"`
	Addresses   []string `json:"addresses"`   // advertised HOST:PORT of servers, in the order to try
	Fingerprint string   `json:"fingerprint"` // of the authority: SHA-256 in lower-case hex
}

// MintToken completes t with a new id and secret from rand, and checks the rest.
func MintToken(rand io.Reader, t Token) (Token, error) {
	var raw [10 + secretBytes]byte
	if _, err := io.ReadFull(rand, raw[:]); err != nil {
		return Token{}, fmt.Errorf("drawing token: %w", err)
	}
	t.ID = lowerBase32(raw[:10])
	t.Secret = base64.RawURLEncoding.EncodeToString(raw[10:])
	if err := t.validate(); err != nil {
		return Token{}, fmt.Errorf("making token: %w", err)
	}
	if text := t.Text(); len(text) > maxToken {
		return Token{}, fault.Newf(fault.Invalid, "making token: it is %d bytes long, at most %d: name fewer addresses", len(text), maxToken)
	}
	return t, nil
}

// ParseToken reads a token that a person pasted or a file held; white space around it is ignored. Only what Text
// writes is accepted.
func ParseToken(text string) (Token, error) {
	text = strings.TrimSpace(text)
	bad := func(why string) error {
		return fault.New(fault.Invalid, "reading token: "+why, "copy the whole last line that reeve token create printed")
	}
	if len(text) > maxToken {
		return Token{}, bad(fmt.Sprintf("it is longer than %d bytes", maxToken))
	}
	body, ok := strings.CutPrefix(text, tokenPrefix)
	if !ok {
		return Token{}, bad("it does not begin with " + tokenPrefix)
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if err != nil {
		return Token{}, bad("it is damaged")
	}
	var t Token
	if err := json.Unmarshal(raw, &t); err != nil {
		return Token{}, bad("it is damaged")
	}
	if err := t.validate(); err != nil {
		return Token{}, bad(err.Error())
	}
	// One spelling only: this refuses unknown and double fields, other cases of their names, white space and trailers.
	if t.Text() != text {
		return Token{}, bad("it is damaged")
	}
	return t, nil
}

// Text returns the token as it is handed to the agent: it contains the secret.
func (t Token) Text() string {
	raw, err := json.Marshal(t)
	if err != nil { // a struct of strings
		panic(err)
	}
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(raw)
}

// String names the token without its secret.
func (t Token) String() string { return "token " + t.ID + " for " + t.Name }

// GoString names the token without its secret.
func (t Token) GoString() string { return t.String() }

// LogValue keeps the secret out of logs.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// HashSecret returns the form in which a secret is stored: SHA-256 in hex. It has no salt and is fast because the
// secret has 256 bits of chance: there is nothing to guess.
func HashSecret(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// SecretMatches says, in constant time, whether secret has the given hash. An empty secret or hash never matches.
func SecretMatches(hash, secret string) bool {
	return secret != "" && len(hash) == 2*sha256.Size && subtle.ConstantTimeCompare([]byte(hash), []byte(HashSecret(secret))) == 1
}

func (t Token) validate() error {
	if err := checkNodeID(t.ID); err != nil {
		return fault.New(fault.Invalid, "its id is not valid", "")
	}
	if secret, err := base64.RawURLEncoding.Strict().DecodeString(t.Secret); err != nil || len(secret) != secretBytes {
		return fault.New(fault.Invalid, "its secret is not valid", "")
	}
	if err := CheckName(t.Name); err != nil {
		return err
	}
	if err := CheckDomain(t.Domain); err != nil {
		return err
	}
	if err := CheckFingerprint(t.Fingerprint); err != nil {
		return err
	}
	if len(t.Addresses) == 0 || len(t.Addresses) > maxAddresses {
		return fault.Newf(fault.Invalid, "it has %d addresses, expected 1 to %d", len(t.Addresses), maxAddresses)
	}
	for _, address := range t.Addresses {
		if err := checkAddress(address); err != nil {
			return err
		}
	}
	return nil
}

// CheckFingerprint says whether s is a SHA-256 in lower-case hex.
func CheckFingerprint(s string) error {
	if raw, err := hex.DecodeString(s); err != nil || len(raw) != sha256.Size || strings.ToLower(s) != s {
		return fault.Newf(fault.Invalid, "fingerprint %q is not a SHA-256 in lower-case hex", clip(s))
	}
	return nil
}

func checkAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fault.Newf(fault.Invalid, "address %q is not HOST:PORT", clip(address))
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
		return fault.Newf(fault.Invalid, "address %q has no port from 1 to 65535", clip(address))
	}
	bare, _, _ := strings.Cut(host, "%") // an IPv6 zone
	if net.ParseIP(bare) != nil && len(host) < 80 {
		return nil
	}
	return checkLabels("host name", strings.ToLower(host), 253)
}
