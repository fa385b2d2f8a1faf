package access

import "context"

type peerKey struct{}

// WithPeer notes in the context of a connection who is at its other end, where the kernel says so: on a Unix socket.
// It is meant for http.Server.ConnContext. conn is the net.Conn; whatever is not a Unix socket is left alone.
func WithPeer(ctx context.Context, conn any) context.Context {
	uid, ok := peerUID(conn)
	if !ok {
		return ctx
	}
	return context.WithValue(ctx, peerKey{}, uid)
}

// peerOf returns the user at the other end of a Unix socket.
func peerOf(ctx context.Context) (uid uint32, ok bool) {
	uid, ok = ctx.Value(peerKey{}).(uint32)
	return uid, ok
}
