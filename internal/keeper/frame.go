//go:build linux

package keeper

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

// The kinds of frame. The first ones go from agent to keeper, the last ones back.
const (
	frameHeld   = "held"   // descriptors that the agent holds of attempts
	frameHello  = "hello"  // all held ones were sent; answered with hello
	frameStart  = "start"  // answered when the intents are synced
	frameCancel = "cancel" // answered when the tombstones are synced
	frameAck    = "ack"
	frameMark   = "mark"
	frameRenew  = "renew"
	frameForget = "forget"
	frameStop   = "stop"
	frameAnswer = "answer"
	frameReport = "report"
	framePass   = "pass" // descriptors for the agent to hold
	frameSize   = "size"
)

// frame is one message between agent and keeper: four bytes of length, big endian, then JSON. The descriptors that
// it speaks of travel with its first bytes.
type frame struct {
	Kind     string         `json:"k"`
	ID       int64          `json:"id,omitempty"` // of a question, and of its answer
	Hello    *Hello         `json:"hello,omitempty"`
	Orders   []wire.Order   `json:"orders,omitempty"`
	Cancels  []wire.Cancel  `json:"cancels,omitempty"`
	Refused  []wire.Refusal `json:"refused,omitempty"`
	Error    string         `json:"error,omitempty"`
	Reports  []wire.Report  `json:"reports,omitempty"`
	Sizes    []Size         `json:"sizes,omitempty"`
	IDs      []int64        `json:"ids,omitempty"`
	Attempts []wire.Attempt `json:"attempts,omitempty"`
	Epoch    int64          `json:"epoch,omitempty"`
	Mark     int64          `json:"mark,omitempty"`
	Tenure   time.Duration  `json:"tenure,omitempty"`
	Passed   []passed       `json:"passed,omitempty"`
	Running  int            `json:"running,omitempty"`
}

// passed says what one descriptor is.
type passed struct {
	Attempt wire.Attempt `json:"a"`
	What    string       `json:"w"`              // stdout, stderr or pid
	Ended   time.Time    `json:"ended,omitzero"` // of pid: when the process was seen to have ended
}

// What a descriptor is.
const (
	whatStdout = "stdout"
	whatStderr = "stderr"
	whatPid    = "pid"
)

const (
	maxDescriptors = 240 // in one frame; the kernel's limit is 253
	sendTimeout    = 5 * time.Second
)

// wireConn carries frames over a unix socket. One goroutine reads; many may send.
type wireConn struct {
	conn *net.UnixConn
	mu   sync.Mutex // of sending

	buf []byte // read, and not yet taken
	fds []int  // received, and not yet taken
}

// send writes one frame. The descriptors stay the caller's. An error ends the connection.
func (c *wireConn) send(f frame, fds ...int) error {
	if len(fds) != len(f.Passed) || len(fds) > maxDescriptors {
		return fmt.Errorf("sending frame: %d descriptors for %d, at most %d", len(fds), len(f.Passed), maxDescriptors)
	}
	b, err := encodeFrame(f)
	if err != nil {
		return err
	}
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.conn.SetWriteDeadline(time.Now().Add(sendTimeout))
	n, _, err := c.conn.WriteMsgUnix(b, rights, nil)
	if err == nil && n < len(b) {
		_, err = c.conn.Write(b[n:])
	}
	if err != nil {
		_ = c.conn.Close()
		return fmt.Errorf("sending frame: %w", err)
	}
	return nil
}

func encodeFrame(f frame) ([]byte, error) {
	b, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("sending frame: %w", err)
	}
	if len(b) > wire.MaxMessage {
		return nil, fmt.Errorf("sending frame: %d bytes, at most %d", len(b), wire.MaxMessage)
	}
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(b)), uint32(len(b))), b...), nil
}

// parseFrame reads the first frame of b and returns its length in bytes, or 0 where b ends inside it.
func parseFrame(b []byte) (frame, int, error) {
	if len(b) < 4 {
		return frame{}, 0, nil
	}
	size := binary.BigEndian.Uint32(b)
	if size > wire.MaxMessage {
		return frame{}, 0, fmt.Errorf("reading frame: %d bytes, at most %d", size, wire.MaxMessage)
	}
	end := 4 + int(size)
	if len(b) < end {
		return frame{}, 0, nil
	}
	var f frame
	if err := json.Unmarshal(b[4:end], &f); err != nil {
		return frame{}, 0, fmt.Errorf("reading frame: %w", err)
	}
	if len(f.Passed) > maxDescriptors {
		return frame{}, 0, fmt.Errorf("reading frame: %d descriptors, at most %d", len(f.Passed), maxDescriptors)
	}
	return f, end, nil
}

// receive reads one frame with its descriptors, which become the caller's.
func (c *wireConn) receive() (frame, []int, error) {
	for {
		f, n, err := parseFrame(c.buf)
		if err != nil {
			return frame{}, nil, err
		}
		if n > 0 {
			rest := copy(c.buf, c.buf[n:])
			c.buf = c.buf[:rest]
			if rest == 0 && cap(c.buf) > 1<<20 {
				c.buf = nil // one long frame is no reason to keep its memory
			}
			if len(f.Passed) > len(c.fds) {
				return frame{}, nil, fmt.Errorf("reading frame: %d descriptors named, %d came", len(f.Passed), len(c.fds))
			}
			fds := slices.Clone(c.fds[:len(f.Passed)])
			c.fds = c.fds[len(f.Passed):]
			return f, fds, nil
		}
		if err := c.fill(); err != nil {
			return frame{}, nil, err
		}
	}
}

func (c *wireConn) fill() error {
	c.buf = slices.Grow(c.buf, 64<<10)
	oob := make([]byte, unix.CmsgSpace(4*maxDescriptors))
	n, oobn, flags, _, err := c.conn.ReadMsgUnix(c.buf[len(c.buf):cap(c.buf)], oob)
	if oobn > 0 {
		if err := c.take(oob[:oobn]); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	if flags&unix.MSG_CTRUNC != 0 {
		return errors.New("reading frame: descriptors were cut off; the limit of open files is too low")
	}
	if n == 0 {
		return io.EOF
	}
	c.buf = c.buf[:len(c.buf)+n]
	return nil
}

func (c *wireConn) take(oob []byte) error {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return fmt.Errorf("reading frame: %w", err)
	}
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			continue // not descriptors
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd) // Go asks for MSG_CMSG_CLOEXEC; another kernel may not give it
		}
		c.fds = append(c.fds, fds...)
	}
	return nil
}

// close ends the connection and drops what came and was not taken.
func (c *wireConn) close() { _ = c.conn.Close() }

func closeAll(fds []int) {
	for _, fd := range fds {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}
