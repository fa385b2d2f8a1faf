package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

const idleFor = 5 * time.Second

// measureIdle measures memory when nothing has been asked for since the start.
func measureIdle(ctx context.Context, b *bench) error {
	s, err := b.mainSite(ctx)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(idleFor):
	}
	server, err := resident(s.server.cmd.Process.Pid)
	if err != nil {
		return err
	}
	agent, err := resident(s.agent.cmd.Process.Pid)
	if err != nil {
		return err
	}
	keeper, err := resident(s.keeper())
	if err != nil {
		return err
	}
	const serverLimit, agentLimit = 40_000_000, 30_000_000
	serverGood, agentGood := server <= serverLimit, agent+keeper <= agentLimit
	b.table.add(row{figure: "resident memory, idle: server", measured: mb(server), limit: "-", ratio: "-", reach: "≤ " + mb(serverLimit), reached: &serverGood})
	b.table.add(row{figure: "resident memory, idle: agent with keeper", measured: fmt.Sprintf("%s (agent %s, keeper %s)", mb(agent+keeper), mb(agent), mb(keeper)), limit: "-", ratio: "-", reach: "≤ " + mb(agentLimit), reached: &agentGood})
	b.table.note("**Resident memory**: `VmRSS` %s after the agent has linked, with nothing asked for meanwhile; a page of the binary that agent and keeper share counts in both.", idleFor)
	return nil
}

// measureStart measures how long a server takes from its exec until it answers a question.
func measureStart(ctx context.Context, b *bench) error {
	var first, again samples
	var l limits
	const folders, starts = 3, 5
	for i := range folders {
		s, err := b.open(ctx, fmt.Sprintf("start-%d", i))
		if err != nil {
			return err
		}
		if err := s.stop(); err != nil {
			return err
		}
		if err := l.probe(b.home); err != nil {
			return err
		}
		for j := range starts + 1 {
			if j == 0 { // a fresh folder on an instance that is known to be free
				s.home = filepath.Join(b.home, fmt.Sprintf("start-%d-fresh", i))
				if err := mkdir(s.home); err != nil {
					return err
				}
				if err := s.connect(); err != nil {
					return err
				}
			}
			began := time.Now()
			if err := s.start(ctx); err != nil {
				return err
			}
			took := time.Since(began)
			if err := s.stop(); err != nil {
				return err
			}
			if j == 0 {
				first = append(first, took)
			} else {
				again = append(again, took)
			}
		}
	}
	const limit = 300 * time.Millisecond
	worst := max(first.at(0.5), again.at(0.5))
	good := worst <= limit
	b.table.add(row{
		figure: "start to ready", measured: fmt.Sprintf("%s (first start, fresh folder: %s)", seconds(again.at(0.5)), seconds(first.at(0.5))),
		limit: ms(l.exec.at(0.5)) + " (1 exec)", ratio: fmt.Sprintf("%.0f", float64(worst)/float64(l.exec.at(0.5))), reach: "≤ " + seconds(limit), reached: &good,
	})
	b.table.note("**Start to ready**: from before the server's fork to its first answer over its Unix socket, asked every millisecond; median of %d starts of a folder that has run before, and of %d first starts, which make the authority, the store and the first administrator's password. Both must reach the figure.", folders*starts, folders)
	return nil
}
