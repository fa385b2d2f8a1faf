// Package discovery answers: which nodes are out there, before anybody has told us their names?
//
// A server asks by broadcast, and over TCP each address of the subnets that a person gives; a node that the plan has
// listening for that says what it is. Nobody has proved anything on either side: what is found is only listed, and joining
// needs a token or a code as ever. Where the plan gives discovery no number, nothing of this is open.
//
//	request   "REEVE-DISCOVERY 1\n", 16 bytes of chance, zeros: 1024 bytes
//	reply     "REEVE-NODE 1\n", then JSON: at most as long as the request
//
// Over UDP a message is a packet; over TCP two bytes of length go before it. The reply repeats the chance, so that an answer
// which was not asked for is not believed.
package discovery

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"strings"
)

// What the messages begin with.
const (
	asks    = "REEVE-DISCOVERY 1\n"
	answers = "REEVE-NODE 1\n"
)

// Lengths, in bytes.
const (
	requestSize = 1024 // each request is as long as the longest reply
	nonceSize   = 16
)

// About is what a node tells a stranger of itself.
type About struct {
	Name        string `json:"name"`
	Role        string `json:"role"` // server or agent
	Version     string `json:"version"`
	Domain      string `json:"domain,omitempty"`      // empty: it has joined none
	Fingerprint string `json:"fingerprint,omitempty"` // of the domain's authority; before joining, of the node's own key; SHA-256, hex
	Joined      bool   `json:"joined"`
	Port        int    `json:"port,omitempty"` // at which it is dialled; 0: it dials
}

// reply is an answer as it is sent.
type reply struct {
	Nonce string `json:"nonce"`
	About
}

// nonce marks the answers to one question.
type nonce [nonceSize]byte

// request writes a question.
func request(n nonce) []byte {
	b := make([]byte, requestSize)
	copy(b[copy(b, asks):], n[:])
	return b
}

// readRequest reads a question; it is false for what is none.
func readRequest(b []byte) (nonce, bool) {
	rest, ok := bytes.CutPrefix(b, []byte(asks))
	if !ok || len(b) != requestSize || len(bytes.TrimLeft(rest[nonceSize:], "\x00")) > 0 {
		return nonce{}, false
	}
	return nonce(rest[:nonceSize]), true
}

// longest bounds each text of a reply, so that all of them fit into it.
const longest = 120

// answer writes what a node tells; what is too long is cut.
func answer(n nonce, a About) []byte {
	for _, text := range []*string{&a.Name, &a.Role, &a.Version, &a.Domain, &a.Fingerprint} {
		*text = printable(*text)
	}
	b, err := json.Marshal(reply{Nonce: hex.EncodeToString(n[:]), About: a})
	if err != nil {
		return nil
	}
	return append([]byte(answers), b...)
}

// readAnswer reads what a node tells; it is false for what is none. Nothing in it is proved.
func readAnswer(b []byte) (nonce, About, bool) {
	rest, ok := bytes.CutPrefix(b, []byte(answers))
	if !ok || len(b) > requestSize {
		return nonce{}, About{}, false
	}
	var r reply
	if json.Unmarshal(rest, &r) != nil {
		return nonce{}, About{}, false
	}
	n, err := hex.DecodeString(r.Nonce)
	if err != nil || len(n) != nonceSize || r.Port < 0 || r.Port > 1<<16-1 {
		return nonce{}, About{}, false
	}
	for _, text := range []*string{&r.Name, &r.Role, &r.Version, &r.Domain, &r.Fingerprint} {
		*text = printable(*text)
	}
	return nonce(n), r.About, true
}

// printable is a text without what a terminal or a page could take for something else, cut where it is too long.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(`"\<>&`, r) {
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), longest)]
}
