package twoends

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/reeve-scheduler/reeve/ports/probe"
)

const (
	hello       = "reeve-probe 1"
	noMAC       = "-"
	wantReport  = "report"
	wantBinding = "binding" // of the TLS session alone
	wantNothing = "bye"

	purposeListener = "listener"
	purposeDialler  = "dialler"
	purposeReport   = "report"

	maxLine    = 512 // bytes of a line but that of a report
	datagram   = 512 // bytes of a question over UDP: longer than its answer
	maxFlowID  = 128
	tlsAlert   = 0x15
	tlsClient  = 0x16
	tlsVersion = 0x03
)

// question is what the dialler says first.
type question struct{ flow, nonce, mac string }

func (q question) line() string { return strings.Join([]string{hello, q.flow, q.nonce, q.mac}, " ") }

// parseQuestion reads it; what is none is a stranger's.
func parseQuestion(line string) (question, bool) {
	rest, ok := strings.CutPrefix(line, hello+" ")
	f := strings.Fields(rest)
	if !ok || len(f) < 3 || len(f[0]) > maxFlowID || len(f[1]) != 22 {
		return question{}, false
	}
	return question{f[0], f[1], f[2]}, true
}

// answer is what the listener says to it: that it knows the code, and how the question came to it.
type answer struct {
	nonce, mac    string
	seen, reached netip.AddrPort
}

// words are those that the listener's proof covers.
func (a answer) words(q question) []string {
	return []string{q.flow, q.nonce, a.nonce, a.seen.String(), a.reached.String()}
}

func (a answer) line() string {
	return strings.Join([]string{hello, a.nonce, a.mac, a.seen.String(), a.reached.String()}, " ")
}

func parseAnswer(line string) (answer, bool) {
	rest, ok := strings.CutPrefix(line, hello+" ")
	f := strings.Fields(rest)
	if !ok || len(f) < 4 {
		return answer{}, false
	}
	seen, err1 := netip.ParseAddrPort(f[2])
	reached, err2 := netip.ParseAddrPort(f[3])
	return answer{f[0], f[1], seen, reached}, err1 == nil && err2 == nil
}

// held says who gave an answer: one who proved the code, one who could not, or one who was not asked to.
func (a answer) held(q question, code *Code) probe.Answer {
	switch {
	case code == nil:
		return probe.Claimed
	case code.proves(a.mac, purposeListener, a.words(q)...):
		return probe.Proved
	}
	return probe.Stranger
}

// errOther is said by somebody who does not speak as a probe does.
var errOther = errors.New("another protocol")

// readLine reads a line of a probe. What begins otherwise is errOther, without waiting for its end.
func readLine(r *bufio.Reader, limit int) (string, error) {
	if first, err := r.Peek(1); err != nil || first[0] != hello[0] {
		if err != nil {
			return "", err
		}
		return "", errOther
	}
	return boundedLine(r, limit)
}

func boundedLine(r *bufio.Reader, limit int) (string, error) {
	var b strings.Builder
	for {
		part, err := r.ReadSlice('\n')
		b.Write(part)
		if b.Len() > limit {
			return "", errOther
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return "", err
		}
		return strings.TrimSuffix(b.String(), "\n"), nil
	}
}

// sealed is a report with the proof of who wrote it. Binding names the TLS session that it was written into.
type sealed struct {
	Binding string `json:"binding"`
	Report  Report `json:"report"`
}

func writeSealed(w io.Writer, c Code, s sealed, words ...string) error {
	text, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("writing the report of a probe: %w", err)
	}
	_, err = fmt.Fprintf(w, "%s %s\n", c.mac(purposeReport, append(words, string(text))...), text)
	return err
}

func readSealed(r *bufio.Reader, c Code, words ...string) (sealed, error) {
	line, err := boundedLine(r, maxReport)
	if err != nil {
		return sealed{}, err
	}
	mac, text, _ := strings.Cut(line, " ")
	if !c.proves(mac, purposeReport, append(words, text)...) {
		return sealed{}, errOther
	}
	var s sealed
	return s, json.Unmarshal([]byte(text), &s)
}
