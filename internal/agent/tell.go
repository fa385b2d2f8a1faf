package agent

import (
	"os"
	"path/filepath"

	"github.com/reeve-scheduler/reeve/internal/identity"
)

// Told is what an agent may tell strangers of itself.
type Told struct {
	Name        string // in its domain; before it has joined, the host's
	Domain      string // empty: it has joined none
	Fingerprint string // of its domain's authority; before it has joined, of its own key, as in its enrolment code; empty: there is no key yet
	Joined      bool
}

// Tell reads it from an agent's data folder, also while the agent runs or waits to be enrolled.
func Tell(data string) Told {
	host, _ := os.Hostname()
	t := Told{Name: host}
	if _, err := os.Stat(filepath.Join(data, keyFile)); err != nil {
		return t // the key is made by the agent alone
	}
	m, err := openMember(&folder{path: data})
	if err != nil {
		return t
	}
	if own, err := m.own(); err == nil {
		return Told{Name: own.Identity.Name, Domain: own.Identity.Domain, Fingerprint: identity.Fingerprint(own.Roots[0]), Joined: true}
	}
	t.Fingerprint, _ = identity.KeyHash(&m.key.PublicKey)
	return t
}
