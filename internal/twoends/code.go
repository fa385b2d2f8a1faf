// Package twoends answers: how do two hosts prove the path between them, with nothing else running?
//
// On the one, a Listener takes the plan's ports and notes what comes; on the other, Dial tries the flows. Both know a
// one-time code, and each proves it to the other over every connection, so that a stranger who answers is not taken for
// the host that is meant:
//
//	dialler                                        listener
//	   reeve-probe 1 FLOW NONCE          ────▶
//	                                     ◀────     reeve-probe 1 NONCE MAC
//	   MAC report                        ────▶
//	                                     ◀────     MAC REPORT
//
// What the listener knows (who listens, what arrived) goes only to one who has proved the code. Over UDP there is one
// datagram each way, and the answer is never longer than the question. The probes see, and ports/probe decides.
package twoends

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"strings"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

const codePrefix = "reeve-probe1."

// Code is what the two ends of a probe know and nobody else: 128 bits, for one run of the listening end.
type Code struct{ secret [16]byte }

// MintCode returns a new code from rand.
func MintCode(rand io.Reader) (Code, error) {
	var c Code
	if _, err := io.ReadFull(rand, c.secret[:]); err != nil {
		return Code{}, fmt.Errorf("drawing the code of a probe: %w", err)
	}
	return c, nil
}

// ParseCode reads a code as Text writes it; white space around it is ignored.
func ParseCode(text string) (Code, error) {
	var c Code
	body, ok := strings.CutPrefix(strings.TrimSpace(text), codePrefix)
	raw, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if !ok || err != nil || len(raw) != len(c.secret) || base64.RawURLEncoding.EncodeToString(raw) != body {
		return Code{}, fault.New(fault.Invalid, "the code of a probe begins with "+codePrefix+" and has 22 letters behind it", "copy it from what `reeve ports probe listen` prints")
	}
	copy(c.secret[:], raw)
	return c, nil
}

// Text is the code for a person to copy.
func (c Code) Text() string { return codePrefix + base64.RawURLEncoding.EncodeToString(c.secret[:]) }

// mac proves the code for one purpose over some words. Only the last of them may have a space in it, so that two lists
// never look the same.
func (c Code) mac(purpose string, words ...string) string {
	h := hmac.New(sha256.New, c.secret[:])
	_, _ = io.WriteString(h, codePrefix+purpose)
	for _, w := range words {
		_, _ = io.WriteString(h, " "+w)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// proves reports whether a mac is that of the words.
func (c Code) proves(mac, purpose string, words ...string) bool {
	return hmac.Equal([]byte(mac), []byte(c.mac(purpose, words...)))
}

// nonce draws what makes one attempt different from all others.
func nonce(rand io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return "", fmt.Errorf("drawing the nonce of a probe: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b[:]), nil
}
