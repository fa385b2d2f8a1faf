package directory

// What a message of ONC RPC says of itself (RFC 5531, 9).
const (
	rpcCall     = 0
	rpcReply    = 1
	rpcVersion  = 2
	accepted    = 0
	denied      = 1
	mismatch    = 0 // of a denied call: the version of RPC itself
	authError   = 1
	authTooWeak = 5
	longestAuth = 400
)

// The ends of an accepted call.
const (
	success      = 0
	progUnavail  = 1
	progMismatch = 2
	procUnavail  = 3
	garbageArgs  = 4
	systemErr    = 5
)

// procNull is the procedure that every program has: it does nothing, and says that the program is there.
const procNull = 0

// call is one call of ONC RPC. What it says of who calls is read over: nobody proves anything with it.
type call struct {
	xid                       uint32
	rpcVersion                uint32
	program, version, process uint32
	args                      decoder
}

// readCall reads a call; it is false for what is none, which is not answered.
func readCall(b []byte) (call, bool) {
	d := decoder{b: b}
	c := call{xid: d.uint32()}
	if d.uint32() != rpcCall || d.err != nil {
		return call{}, false
	}
	if c.rpcVersion = d.uint32(); d.err != nil {
		return call{}, false
	}
	if c.rpcVersion != rpcVersion {
		return c, true // the rest is of a form that nobody knows
	}
	c.program, c.version, c.process = d.uint32(), d.uint32(), d.uint32()
	for range 2 { // credential and verifier
		d.uint32()
		d.opaque(longestAuth)
	}
	c.args = d
	return c, d.err == nil
}

// accept begins the reply to a call that was taken.
func (c call) accept(how uint32) encoder {
	var e encoder
	e.uint32(c.xid, rpcReply, accepted, 0, 0, how) // 0, 0: a verifier of AUTH_NONE
	return e
}

// mismatched is the reply to another version of the program.
func (c call) mismatched(low, high uint32) encoder {
	e := c.accept(progMismatch)
	e.uint32(low, high)
	return e
}

// deny is the reply to a call that a stranger may not make.
func (c call) deny() encoder {
	var e encoder
	e.uint32(c.xid, rpcReply, denied, authError, authTooWeak)
	return e
}

// otherRPC is the reply to another version of ONC RPC.
func (c call) otherRPC() encoder {
	var e encoder
	e.uint32(c.xid, rpcReply, denied, mismatch, rpcVersion, rpcVersion)
	return e
}
