package executor

import (
	"bytes"
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

func itoa(n int) string { return strconv.Itoa(n) }

// held is a process that its number cannot be taken from: signals go to it or to nobody.
type held struct {
	pid int
	fd  int
}

// hold opens a pidfd. ok is false where the process is gone.
func hold(pid int) (held, bool) {
	fd, err := unix.PidfdOpen(pid, 0)
	return held{pid, fd}, err == nil
}

func (h held) close() { _ = unix.Close(h.fd) }

func (h held) signal(s unix.Signal) { _ = unix.PidfdSendSignal(h.fd, s, nil, 0) }

// signalGroup signals its process group, which also reaches what the group forks meanwhile. Kernels before 6.9
// cannot do that by pidfd: then only the process itself is signalled.
func (h held) signalGroup(s unix.Signal) {
	const processGroup = 1 << 2 // PIDFD_SIGNAL_PROCESS_GROUP
	if unix.PidfdSendSignal(h.fd, s, nil, processGroup) != nil {
		h.signal(s)
	}
}

// alive reports whether the process has not ended; a zombie has.
func (h held) alive() bool { return !ended(h.fd) }

// ended reports whether the process of a pidfd has ended.
func ended(fd int) bool {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		if !errors.Is(err, unix.EINTR) {
			return err == nil && n > 0
		}
	}
}

// stat is what /proc/PID/stat says of a process.
type stat struct {
	state         byte
	parent, group int
	session       int
	ticks         uint64
}

func readStat(pid int) (stat, bool) {
	fd, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/stat", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return stat{}, false
	}
	defer unix.Close(fd)
	var line [1024]byte // the longest that the kernel writes is shorter
	n, err := unix.Read(fd, line[:])
	if err != nil {
		return stat{}, false
	}
	return parseStat(line[:n])
}

// parseStat reads the line. The name in it may hold anything, brackets and spaces included: the last one counts.
func parseStat(b []byte) (stat, bool) {
	i := bytes.LastIndexByte(b, ')')
	if i < 0 {
		return stat{}, false
	}
	f := bytes.Fields(b[i+1:])
	if len(f) < 20 || len(f[0]) != 1 {
		return stat{}, false
	}
	s := stat{state: f[0][0]}
	var errs [4]error
	s.parent, errs[0] = strconv.Atoi(string(f[1]))
	s.group, errs[1] = strconv.Atoi(string(f[2]))
	s.session, errs[2] = strconv.Atoi(string(f[3]))
	s.ticks, errs[3] = strconv.ParseUint(string(f[19]), 10, 64)
	return s, errors.Join(errs[:]...) == nil
}

// hasMarker reports whether marker is an entry of the process's environment. What may not be read has none.
func hasMarker(pid int, marker string) bool {
	if marker == "" {
		return false
	}
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return false
	}
	for len(b) > 0 {
		entry, rest, _ := bytes.Cut(b, []byte{0})
		if string(entry) == marker {
			return true
		}
		b = rest
	}
	return false
}

// allProcesses returns the processes of this host that have not ended.
func allProcesses() map[int]stat {
	d, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	all := make(map[int]stat, len(names))
	for _, n := range names {
		pid, err := strconv.Atoi(n)
		if err != nil {
			continue
		}
		if s, ok := readStat(pid); ok && s.state != 'Z' && s.state != 'X' {
			all[pid] = s
		}
	}
	return all
}

// children returns the children of this process's first thread: what loses its parent comes there.
func children() ([]int, error) {
	self := strconv.Itoa(os.Getpid())
	b, err := os.ReadFile("/proc/" + self + "/task/" + self + "/children")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, f := range bytes.Fields(b) {
		if pid, err := strconv.Atoi(string(f)); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
