package link

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// upgrade names what a stream is turned into: bytes both ways, until both ends have closed.
const upgrade = "reeve-bytes"

// maxRefusal is how much is read of why a peer takes no stream.
const maxRefusal = 1 << 10

// halfCloser is a connection one direction of which can be ended.
type halfCloser interface {
	net.Conn
	CloseWrite() error
}

// Stream opens a stream of bytes to the peer's handler at a path, which takes it with AcceptStream. What the handler
// answers instead is the error: Forbidden for 403, Busy for 503, NotFound for 404, else Unreachable. The stream ends
// with the link. It can be closed for writing alone (CloseWrite), and its Close loses nothing that was written.
func (l *Link) Stream(ctx context.Context, path string, header http.Header) (net.Conn, error) {
	s, err := l.session.OpenStream(ctx)
	if err != nil {
		return nil, fault.Wrap(fault.Unreachable, "opening a stream to "+l.peer.Name, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, BaseURL+path, nil)
	if err != nil {
		_ = s.Reset()
		return nil, fmt.Errorf("opening a stream to %s: %w", l.peer.Name, err)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", upgrade)
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	in, err := l.ask(s, request)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = s.Reset()
		return nil, fmt.Errorf("opening a stream to %s: %w", l.peer.Name, err)
	}
	return &stream{halfCloser: s, in: in, remote: l.remote}, nil
}

// ask sends the request for a stream and reads the answer.
func (l *Link) ask(s net.Conn, request *http.Request) (*bufio.Reader, error) {
	_ = s.SetDeadline(time.Now().Add(l.options.Timing.Timeout))
	if err := request.Write(s); err != nil {
		return nil, fault.Wrap(fault.Unreachable, "asking for it", err)
	}
	in := bufio.NewReaderSize(s, streamBuffer)
	response, err := http.ReadResponse(in, request) //nolint:bodyclose // the stream is its body, and ends with it
	if err != nil {
		return nil, fault.Wrap(fault.Unreachable, "reading the answer", err)
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		text, _ := io.ReadAll(io.LimitReader(response.Body, maxRefusal))
		return nil, fault.New(refusalKind(response.StatusCode), "the peer answers "+response.Status+": "+strings.TrimSpace(string(text)), "")
	}
	return in, s.SetDeadline(time.Time{})
}

func refusalKind(status int) fault.Kind {
	switch status {
	case http.StatusForbidden:
		return fault.Forbidden
	case http.StatusServiceUnavailable:
		return fault.Busy
	case http.StatusNotFound:
		return fault.NotFound
	}
	return fault.Unreachable
}

// streamBuffer is for the few bytes of an answer; what follows it is read past the buffer.
const streamBuffer = 512

// AcceptStream turns a request that came over a link into a stream of bytes, as Link.Stream asked for. It answers
// requests that did not ask for one itself, and returns an error. The handler may return before the stream ends.
func AcceptStream(w http.ResponseWriter, r *http.Request) (net.Conn, error) {
	l, ok := Of(r.Context())
	if !ok || !strings.EqualFold(r.Header.Get("Upgrade"), upgrade) {
		w.Header().Set("Upgrade", upgrade)
		http.Error(w, "this path takes only streams of bytes, over a link", http.StatusUpgradeRequired)
		return nil, fault.New(fault.Invalid, "the request is for no stream of bytes", "")
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, fmt.Errorf("taking a stream: %w", err)
	}
	s, ok := conn.(halfCloser)
	if !ok {
		return nil, errors.Join(fmt.Errorf("taking a stream: it is a %T", conn), conn.Close())
	}
	_ = s.SetDeadline(time.Time{})
	if _, err := io.WriteString(s, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+upgrade+"\r\n\r\n"); err != nil {
		return nil, errors.Join(fmt.Errorf("taking a stream: %w", err), s.Close())
	}
	return &stream{halfCloser: s, in: buffered.Reader, remote: l.remote}, nil
}

// stream is a stream of bytes of a link, of which a reader has taken the first.
type stream struct {
	halfCloser
	in     *bufio.Reader // nil: it is empty
	remote net.Addr
}

// Read reads what was buffered, then past the buffer.
func (s *stream) Read(b []byte) (int, error) {
	if s.in != nil {
		if n := s.in.Buffered(); n > 0 {
			return s.in.Read(b[:min(n, len(b))])
		}
		s.in = nil // kilobytes of each of a thousand streams
	}
	return s.halfCloser.Read(b)
}

// RemoteAddr returns the address of the link.
func (s *stream) RemoteAddr() net.Addr { return s.remote }
