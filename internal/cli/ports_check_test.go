package cli_test

import (
	"net"

	"github.com/rogpeppe/go-internal/testscript"
)

// occupyCommand listens on an address until the script ends: `occupy 127.0.0.1:$PORT`. The test program is then the
// other product that has the port.
func occupyCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: occupy ADDRESS")
	}
	l, err := net.Listen("tcp", args[0])
	ts.Check(err)
	ts.Defer(func() { _ = l.Close() })
}
