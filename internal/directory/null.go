package directory

import (
	"bytes"
	"io"
	"net"
	"time"

	"github.com/reeve-scheduler/reeve/internal/responder"
)

// Greet returns a listener for a registered program's row, on which TLS is spoken: a connection that begins with a record
// of ONC RPC instead is answered as the program's null procedure, and nothing else, so that `rpcinfo -t` finds what the
// port mapper tells. The two cannot be taken for one another: a record's mark begins with a bit that no record of TLS has.
func Greet(l net.Listener, program, version uint32) net.Listener {
	return &greeter{Listener: l, answer: Null(program, version)}
}

type greeter struct {
	net.Listener
	answer responder.Answer
}

// Accept does not wait for the first byte: that is left to who reads it.
func (g *greeter) Accept() (net.Conn, error) {
	conn, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &greeted{Conn: conn, answer: g.answer}, nil
}

// greeted is a connection of which nobody has read yet.
type greeted struct {
	net.Conn
	answer responder.Answer
	known  bool
}

// maxNulls is how many calls one connection may make: rpcinfo makes one, and one for each version.
const maxNulls = 16

// Read reads; where the first bytes are a record of ONC RPC, it answers until the caller ends, and is at its end.
func (c *greeted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.known || n == 0 {
		return n, err
	}
	if c.known = true; b[0]&0x80 == 0 {
		return n, err
	}
	rest := io.MultiReader(bytes.NewReader(bytes.Clone(b[:n])), c.Conn)
	for range maxNulls {
		request, err := responder.Records{}.Read(rest)
		if err != nil {
			break
		}
		reply := c.answer(request, responder.Asked{Stream: true, Room: len(request)})
		if len(reply) == 0 || len(reply) > len(request) {
			break
		}
		_ = c.SetWriteDeadline(time.Now().Add(time.Second)) // a few bytes, into a buffer that was empty
		if _, err := c.Write(responder.Records{}.Frame(nil, reply)); err != nil {
			break
		}
	}
	return 0, io.EOF
}
