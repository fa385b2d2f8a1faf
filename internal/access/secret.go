package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

const (
	secretBytes  = 20       // 160 bits
	tokenPrefix  = "reeve_" // what scanners of repositories and logs look for
	sessionID    = "session"
	maxTokenText = 256
)

// NewSecret draws a secret of 160 bits from random: 32 lower-case letters and digits. It serves as a session's
// cookie, a token's secret and a first password.
func NewSecret(random io.Reader) (string, error) {
	raw := make([]byte, secretBytes)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", fmt.Errorf("drawing a secret: %w", err)
	}
	return strings.ToLower(base32.StdEncoding.EncodeToString(raw)), nil
}

// HashSecret returns the SHA-256 of a secret in hex: the only form in which one is stored. It is no password hash;
// it is enough because NewSecret's secrets cannot be guessed.
func HashSecret(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// SameSecret reports, in constant time, whether secret hashes to hash.
func SameSecret(secret, hash string) bool {
	return hash != "" && subtle.ConstantTimeCompare([]byte(HashSecret(secret)), []byte(hash)) == 1
}

// FormatToken writes the text of a bearer token: reeve_ID_SECRET.
func FormatToken(id, secret string) string { return tokenPrefix + id + "_" + secret }

// ParseToken reads what FormatToken wrote. The error, of kind Unauthenticated, does not repeat the text.
func ParseToken(text string) (id, secret string, err error) {
	bad := fault.New(fault.Unauthenticated, "this is not a token of Reeve", "show a token as reeve_ID_SECRET")
	rest, ok := strings.CutPrefix(text, tokenPrefix)
	if !ok || len(text) > maxTokenText {
		return "", "", bad
	}
	cut := strings.LastIndexByte(rest, '_')
	if cut < 0 {
		return "", "", bad
	}
	id, secret = rest[:cut], rest[cut+1:]
	if !plain(id) || !plain(secret) || len(secret) < 16 {
		return "", "", bad
	}
	return id, secret, nil
}

// plain reports whether s is made of ASCII letters, digits and hyphens.
func plain(s string) bool {
	for _, c := range []byte(s) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != ""
}
