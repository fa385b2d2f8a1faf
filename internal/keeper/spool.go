//go:build linux

package keeper

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

// readSize is what is read at once from a pipe, and so the most that one record holds.
const readSize = 32 << 10

// spool is the file that an attempt's output is kept in, as a sequence of records. It never blocks the job for
// long: what is past the limit, or has no room, is counted and dropped.
type spool struct {
	path   string
	limit  int64
	grown  func(size int64) // called after each write
	memory *buffers

	mu       sync.Mutex
	file     *os.File // nil until the first byte
	size     int64    // of the file, whole records only
	data     int64    // bytes of output kept
	lost     int64    // bytes of output dropped
	unmarked int64    // of these, not yet said in a gap record
	copy     *os.File // standard output goes there as well; nil: nowhere
	copyErr  error
}

// resume goes on with the spool of an earlier keeper: a record that it did not finish is cut off.
func (s *spool) resume() error {
	f, err := os.OpenFile(s.path, os.O_RDWR|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("opening spool: %w", err)
	}
	var buf []byte
	chunk := make([]byte, readSize+wire.RecordHeader)
	for {
		n, err := f.ReadAt(chunk, s.size+int64(len(buf)))
		buf = append(buf, chunk[:n]...)
		for {
			r, size, bad := wire.ParseRecord(buf)
			if bad != nil {
				n, buf = 0, nil // damage: what follows is cut off and said as a gap
				break
			}
			if size == 0 {
				break
			}
			s.size += int64(size)
			if r.Stream == wire.Gap && len(r.Data) == 8 {
				s.lost += int64(binary.BigEndian.Uint64(r.Data))
			} else {
				s.data += int64(len(r.Data))
			}
			buf = buf[size:]
		}
		if n == 0 || err != nil && !errors.Is(err, io.EOF) {
			break
		}
	}
	s.file = f
	if err := f.Truncate(s.size); err != nil {
		return fmt.Errorf("cutting off spool: %w", err)
	}
	return nil
}

// write keeps data as one record.
func (s *spool) write(stream wire.Stream, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stream == wire.Stdout && s.copy != nil && s.copyErr == nil {
		_, s.copyErr = s.copy.Write(data)
	}
	keep := min(int64(len(data)), max(s.limit-s.data, 0))
	if keep > 0 && s.put(wire.Record{Stream: stream, At: time.Now(), Data: data[:keep]}) {
		s.data += keep
		data = data[keep:]
	}
	s.lost += int64(len(data))
	s.unmarked += int64(len(data))
}

// put appends one record, and before it the gap that is still to be said. It reports whether there was room.
func (s *spool) put(r wire.Record) bool {
	if s.file == nil {
		f, err := os.OpenFile(s.path, os.O_RDWR|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return false
		}
		s.file = f
	}
	buf := s.memory.take()
	defer s.memory.give(buf)
	b := (*buf)[:0]
	if s.unmarked > 0 {
		b = wire.AppendRecord(b, gap(r.At, s.unmarked))
	}
	b = wire.AppendRecord(b, r)
	if _, err := s.file.WriteAt(b, s.size); err != nil {
		_ = s.file.Truncate(s.size) // whole records only
		return false
	}
	s.unmarked = 0
	s.size += int64(len(b))
	s.grown(s.size)
	return true
}

func gap(at time.Time, lost int64) wire.Record {
	return wire.Record{Stream: wire.Gap, At: at, Data: binary.BigEndian.AppendUint64(nil, uint64(lost))}
}

// mark writes a gap record: lost bytes were dropped; 0 says that an unknown number may be missing here.
func (s *spool) mark(lost int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil && lost == 0 {
		return
	}
	s.unmarked += lost
	if s.unmarked == 0 {
		s.put(gap(time.Now(), 0))
		return
	}
	lost, s.unmarked = s.unmarked, 0
	if !s.put(gap(time.Now(), lost)) {
		s.unmarked = lost
	}
}

// finish says the last gap and makes the spool durable. It returns its size and what was dropped.
func (s *spool) finish() (size, lost int64, err error) {
	s.mu.Lock()
	pending := s.unmarked > 0
	s.mu.Unlock()
	if pending {
		s.mark(0)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.copy != nil {
		err = errors.Join(s.copyErr, s.copy.Sync(), s.copy.Close())
		s.copy = nil
	}
	if s.file == nil {
		return 0, s.lost, err
	}
	syncErr := fdatasync(s.file)
	_ = s.file.Close()
	s.file = nil
	if syncErr != nil {
		return s.size, s.lost, fmt.Errorf("syncing spool: %w", syncErr)
	}
	return s.size, s.lost, err
}

// stream is one pipe of an attempt, read into its spool. Most attempts are over in a moment: reading begins only
// when one is not.
type stream struct {
	tag  wire.Stream
	fd   int
	file *os.File      // of fd, once reading has begun
	done chan struct{} // closed when it is read to its end, or was told to stop
}

func newStream(tag wire.Stream, fd int) *stream { return &stream{tag: tag, fd: fd} }

// begin reads from now on. It may be called again; the calls follow one another.
func (p *stream) begin(s *spool) {
	if !p.unread() {
		return
	}
	p.file, p.done = os.NewFile(uintptr(p.fd), "pipe"), make(chan struct{})
	go p.pump(s)
}

// unread reports whether reading has not begun.
func (p *stream) unread() bool { return p.file == nil }

func (p *stream) close() {
	if p.unread() {
		_ = unix.Close(p.fd)
		return
	}
	_ = p.file.Close()
}

// rest reads what there is now. It reports whether somebody may still write.
func (p *stream) rest(s *spool) bool {
	const pipeCapacity = 4 << 20 // more than that was written after now
	for range pipeCapacity / readSize {
		more, ready := readOnce(p.fd, p.tag, s)
		if !more || !ready {
			return more
		}
	}
	return true
}

func (p *stream) what() string {
	if p.tag == wire.Stderr {
		return whatStderr
	}
	return whatStdout
}

// pump reads until the last writer has closed its end, or stop is called. A buffer is held only while there is
// something to read.
func (p *stream) pump(s *spool) {
	defer close(p.done)
	raw, err := p.file.SyscallConn()
	if err != nil {
		return
	}
	for {
		more := false
		err := raw.Read(func(fd uintptr) bool {
			var ready bool
			more, ready = readOnce(int(fd), p.tag, s)
			return ready
		})
		if err != nil || !more {
			return
		}
	}
}

// readOnce reads what there is. more is false at the end; ready is false where nothing is there yet.
func readOnce(fd int, tag wire.Stream, s *spool) (more, ready bool) {
	buf := s.memory.take()
	defer s.memory.give(buf)
	b := (*buf)[:readSize]
	for {
		n, err := unix.Read(fd, b)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return true, false
		case err != nil || n == 0:
			return false, true
		default:
			s.write(tag, b[:n])
			return true, true
		}
	}
}

// stop ends the pump and reads what was written until now: whoever still holds the other end is not waited for.
func (p *stream) stop(s *spool) {
	_ = p.file.SetReadDeadline(time.Unix(1, 0))
	<-p.done
	p.rest(s)
}

// discard reads on and drops everything, so that who was let go on is not ended by a broken pipe.
func (p *stream) discard() {
	_ = p.file.SetReadDeadline(time.Time{})
	_, _ = io.Copy(io.Discard, p.file)
	_ = p.file.Close()
}
