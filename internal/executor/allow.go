package executor

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

const maxAllowFile = 1 << 20

// Rule permits one user for some nets.
type Rule struct {
	User string `yaml:"user"`
	// Nets are names or patterns: "census/*" is all below that folder, "*" is every net. A rule without nets
	// permits nothing.
	Nets []string `yaml:"nets"`
	// Env names the variables among those that change what a program loads (PATH, LD_..., BASH_ENV, ENV, IFS)
	// which a net may set for this user.
	Env []string `yaml:"env"`
}

// Allow is an agent's allow file: who may run as whom. Nothing in it means nobody.
type Allow struct {
	Rules []Rule `yaml:"allow"`
}

// ParseAllow reads an allow file: at most 1 MiB, no unknown fields.
func ParseAllow(b []byte) (Allow, error) {
	if len(b) > maxAllowFile {
		return Allow{}, fmt.Errorf("reading allow file: %d bytes, at most %d", len(b), maxAllowFile)
	}
	var a Allow
	err := yaml.NewDecoder(bytes.NewReader(b), yaml.Strict()).Decode(&a)
	if err != nil && !errors.Is(err, io.EOF) {
		return Allow{}, fmt.Errorf("reading allow file: %w", err)
	}
	for i, r := range a.Rules {
		if r.User == "" {
			return Allow{}, fmt.Errorf("reading allow file: rule %d names no user", i+1)
		}
		if len(r.Nets) == 0 {
			return Allow{}, fmt.Errorf("reading allow file: rule %d (user %s) names no nets; write nets: [\"*\"] for all", i+1, r.User)
		}
		for _, n := range r.Nets {
			if _, err := path.Match(n, ""); err != nil {
				return Allow{}, fmt.Errorf("reading allow file: rule %d: pattern %q: %w", i+1, n, err)
			}
		}
	}
	return a, nil
}

// Permits returns the first rule that lets net run as user.
func (a Allow) Permits(user, net string) (Rule, bool) {
	for _, r := range a.Rules {
		if r.User == user && slices.ContainsFunc(r.Nets, func(p string) bool { return matchNet(p, net) }) {
			return r, true
		}
	}
	return Rule{}, false
}

func matchNet(pattern, net string) bool {
	if pattern == "*" || pattern == net {
		return true
	}
	if folder, ok := strings.CutSuffix(pattern, "/*"); ok && !strings.ContainsAny(folder, "*?[\\") {
		return strings.HasPrefix(net, folder+"/")
	}
	ok, err := path.Match(pattern, net)
	return err == nil && ok
}
