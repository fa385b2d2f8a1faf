package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	manyClaims = 10_000
	rulesReach = time.Second
)

// measurePortsRules renders the firewall of a host with ten thousand claims, and loads it into a network namespace.
func measurePortsRules(ctx context.Context, b *bench) error {
	plan, inventory, rules := filepath.Join(b.home, "many.yaml"), filepath.Join(b.home, "two.yaml"), filepath.Join(b.home, "rules.nft")
	if err := os.WriteFile(plan, []byte(manyPlan()), 0o600); err != nil {
		return err
	}
	const two = "inventory: two\nhosts:\n  in: {roles: [server], bind: [10.66.0.1]}\n  out: {roles: [agent], networks: [10.66.0.0/24]}\n"
	if err := os.WriteFile(inventory, []byte(two), 0o600); err != nil {
		return err
	}
	if os.Getuid() != 0 {
		b.table.note("**nftables** was not measured: loading rules into a network namespace needs root.")
		return nil
	}
	var rendered, loaded, spawned samples
	for range 5 {
		one, _, err := b.timed(ctx, "ports", "render", "nftables", "--plan", plan, "--inventory", inventory, "--host", "in", "--file", rules)
		if err != nil {
			return err
		}
		rendered = append(rendered, one)
		for text, took := range map[string]*samples{"flush ruleset\n": &spawned, "": &loaded} {
			path := rules
			if text != "" {
				path = filepath.Join(b.home, "empty.nft")
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					return err
				}
			}
			began := time.Now()
			if out, err := exec.CommandContext(ctx, "unshare", "--net", "nft", "-f", path).CombinedOutput(); err != nil {
				return fmt.Errorf("loading the rules: %w: %s", err, out)
			}
			*took = append(*took, time.Since(began))
		}
	}
	text, err := os.ReadFile(rules)
	if err != nil {
		return err
	}
	entries, sets := strings.Count(string(text), " . tcp . 10.66.0.0/24"), strings.Count(string(text), "\n\tset ")
	whole := rendered.at(0.5) + loaded.at(0.5)
	good := whole <= rulesReach && entries == manyClaims && sets == 1
	b.table.add(row{
		figure: fmt.Sprintf("nftables for %d claims", manyClaims), measured: fmt.Sprintf("%s: rendered in %s, loaded in %s; sets: %d, entries: %d", seconds(whole), seconds(rendered.at(0.5)), seconds(loaded.at(0.5)), sets, entries),
		limit: fmt.Sprintf("%s (nft with nothing to load)", ms(spawned.at(0.5))), ratio: fmt.Sprintf("%.0f", float64(whole)/float64(spawned.at(0.5))), reach: "≤ " + seconds(rulesReach) + ", one set", reached: &good,
	})
	b.table.note("**nftables**: `reeve ports render nftables` of a host on which %d rows listen, no two numbers side by side, from its fork to its end (so with reading and compiling the plan), and `nft -f` of what it wrote in a network namespace of its own; medians of 5.", manyClaims)
	return nil
}

// manyPlan has numbers of which no two lie side by side, so that none can be joined to a range.
func manyPlan() string {
	var w strings.Builder
	w.WriteString("plan: many\nroles: {server: {}, agent: {}}\nservices:\n")
	for i := range manyClaims {
		fmt.Fprintf(&w, "  - {id: s%d, name: s%d, port: %d, protocol: [tcp], flows: [{from: agent, to: server, purpose: data}]}\n", i, i, 2000+3*i)
	}
	return w.String()
}
