package socket

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// Observe returns every TCP and UDP socket that a process has open, whatever it is used for. Other users' processes
// need root. TIME_WAIT and the like are not listed: no process has them any more.
func Observe(pid int) ([]Observed, error) {
	inodes, err := inodesOf(pid)
	if err != nil {
		return nil, fmt.Errorf("observing sockets of process %d: %w", pid, err)
	}
	all, err := table("/proc/" + strconv.Itoa(pid) + "/net")
	if err != nil {
		return nil, fmt.Errorf("observing sockets of process %d: %w", pid, err)
	}
	return slices.DeleteFunc(all, func(o Observed) bool { return !inodes[o.Inode] }), nil
}

// inodesOf returns the sockets that a process has open.
func inodesOf(pid int) (map[uint64]bool, error) {
	dir := "/proc/" + strconv.Itoa(pid) + "/fd"
	names, err := readNames(dir)
	if err != nil {
		return nil, err
	}
	inodes := map[uint64]bool{}
	for _, name := range names {
		// A descriptor that was closed since is no error, and no socket.
		if target, err := os.Readlink(filepath.Join(dir, name)); err == nil {
			if inode, ok := socketInode(target); ok {
				inodes[inode] = true
			}
		}
	}
	return inodes, nil
}

func readNames(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	names, err := d.Readdirnames(-1)
	return names, errors.Join(err, d.Close())
}

func socketInode(target string) (uint64, bool) {
	s, ok := strings.CutPrefix(target, "socket:[")
	if !ok {
		return 0, false
	}
	inode, err := strconv.ParseUint(strings.TrimSuffix(s, "]"), 10, 64)
	return inode, err == nil
}

// table reads the socket tables of one network namespace, by the name of its folder.
func table(dir string) ([]Observed, error) { return tables(os.DirFS(dir)) }

// parseTable reads the format of /proc/net/tcp and its sisters (proc_net_tcp.txt of the kernel): a heading, then one
// socket a line. Sockets that no process has (inode 0) are left out.
func parseTable(r io.Reader, protocol string) ([]Observed, error) {
	var all []Observed
	lines := bufio.NewScanner(r)
	for first := true; lines.Scan(); first = false {
		if first {
			continue
		}
		o, err := parseLine(lines.Bytes(), protocol)
		if err != nil {
			return nil, err
		}
		if o.Inode != 0 {
			all = append(all, o)
		}
	}
	return all, lines.Err()
}

// The columns of a socket table.
const (
	colLocal  = 1
	colRemote = 2
	colState  = 3
	colQueues = 4
	colUID    = 7
	colInode  = 9
)

func parseLine(line []byte, protocol string) (Observed, error) {
	f := bytes.Fields(line)
	if len(f) <= colInode {
		return Observed{}, fmt.Errorf("socket line %q is too short", line)
	}
	local, err1 := parseAddress(string(f[colLocal]))
	remote, err2 := parseAddress(string(f[colRemote]))
	state, err3 := strconv.ParseUint(string(f[colState]), 16, 8)
	uid, err4 := strconv.ParseUint(string(f[colUID]), 10, 32)
	inode, err5 := strconv.ParseUint(string(f[colInode]), 10, 64)
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return Observed{}, fmt.Errorf("socket line %q: %w", line, err)
	}
	o := Observed{Protocol: protocol, Local: local, UID: uint32(uid), Inode: inode, State: stateOf(protocol, state)}
	if remote.Port() != 0 {
		o.Remote = remote
	}
	if o.State == StateListening {
		_, waiting, _ := strings.Cut(string(f[colQueues]), ":")
		n, err := strconv.ParseUint(waiting, 16, 32)
		if err != nil {
			return Observed{}, fmt.Errorf("socket line %q: %w", line, err)
		}
		o.Waiting = int(n)
	}
	return o, nil
}

// stateOf translates the kernel's TCP states (include/net/tcp_states.h); a UDP socket has state 7, or 1 if connected.
func stateOf(protocol string, state uint64) State {
	switch state {
	case 1:
		return StateEstablished
	case 2, 3, 12:
		return StateConnecting
	case 10:
		return StateListening
	case 7:
		if protocol == "udp" {
			return StateBound
		}
	}
	return StateClosing
}

// parseAddress reads ADDRESS:PORT in hexadecimal; the address is in words of 32 bits in the machine's byte order.
func parseAddress(s string) (netip.AddrPort, error) {
	a, p, ok := strings.Cut(s, ":")
	port, err := strconv.ParseUint(p, 16, 16)
	if !ok || err != nil || len(a) != 8 && len(a) != 32 {
		return netip.AddrPort{}, fmt.Errorf("%q is no address", s)
	}
	raw, err := hex.DecodeString(a)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q is no address: %w", s, err)
	}
	for i := 0; i < len(raw); i += 4 {
		// The text is the word as a number; its bytes in memory are the address.
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	addr, _ := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(addr.Unmap(), uint16(port)), nil
}

// holdersOf returns who has a TCP port in a way that keeps us from listening on the address, and why not all of them
// could be seen.
func holdersOf(addr netip.Addr, port ports.Port) (holders []Holder, unseen string) {
	all, err := table("/proc/self/net")
	if err != nil {
		return nil, err.Error()
	}
	inWay := map[uint64]Observed{}
	listening := false
	for _, o := range all {
		if o.Protocol != "tcp" || o.Local.Port() != uint16(port) || !meets(addr, o.Local.Addr()) {
			continue
		}
		inWay[o.Inode] = o
		listening = listening || o.State == StateListening
	}
	for inode, o := range inWay {
		// Accepted connections stand beside their listener and have its program; the listener is the answer.
		if listening && o.State != StateListening {
			delete(inWay, inode)
		}
	}
	if len(inWay) == 0 {
		return nil, "it may be bound without listening, or just have been closed"
	}
	holders, complete := ownersOf(inWay)
	if !complete {
		unseen = "needs root"
	}
	return holders, unseen
}

// meets reports whether a listener on one address keeps another from the same port: a wildcard meets every address,
// and the wildcard of IPv6 meets IPv4 too.
func meets(want, have netip.Addr) bool {
	return !want.IsValid() || want.IsUnspecified() || have.IsUnspecified() || want == have
}

// ownersOf finds the processes that have sockets open, by their inodes. It is not complete if a socket's owner could
// not be seen; that one is given with its user alone.
func ownersOf(sockets map[uint64]Observed) (holders []Holder, complete bool) {
	pids, err := readNames("/proc")
	if err != nil {
		pids = nil
	}
	found := map[uint64]bool{}
	for _, name := range pids {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		inodes, err := inodesOf(pid)
		if err != nil {
			continue // ended, or another user's
		}
		for inode, o := range sockets {
			if inodes[inode] {
				found[inode] = true
				holders = append(holders, Holder{PID: pid, Program: programOf(pid), UID: o.UID, Socket: o})
			}
		}
	}
	complete = true
	for inode, o := range sockets {
		if !found[inode] {
			complete = false
			holders = append(holders, Holder{UID: o.UID, Socket: o})
		}
	}
	slices.SortFunc(holders, func(a, b Holder) int { return a.PID - b.PID })
	holders = slices.CompactFunc(holders, func(a, b Holder) bool { return a.PID == b.PID && a.PID != 0 })
	return holders, complete
}

// programOf returns the name of a process's program.
func programOf(pid int) string {
	dir := "/proc/" + strconv.Itoa(pid)
	if exe, err := os.Readlink(dir + "/exe"); err == nil {
		return filepath.Base(strings.TrimSuffix(exe, " (deleted)"))
	}
	comm, err := os.ReadFile(dir + "/comm")
	if err != nil {
		return "unknown program"
	}
	return strings.TrimSpace(string(comm))
}
