//go:build linux

package access_test

import (
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// callAs connects to a server on a Unix socket as a user (root only) or, with uid negative, as whoever runs the test,
// and returns what the gate says of it.
func callAs(t *testing.T, g *access.Gate, uid int, header http.Header) (access.Subject, error) {
	t.Helper()
	dir, err := os.MkdirTemp("", "peer") //nolint:usetesting // the path of a socket has 108 bytes at most, and others must reach it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o777); err != nil {
		t.Fatal(err)
	}
	var got access.Subject
	var gotErr error
	srv := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got, gotErr = g.Authenticate(r)
			w.WriteHeader(http.StatusNoContent)
		}),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return access.WithPeer(ctx, c) },
	}
	served := make(chan struct{})
	go func() { defer close(served); _ = srv.Serve(ln) }()
	defer func() { _ = srv.Close(); <-served }()

	conns := make(chan net.Conn, 1)
	go func() {
		defer close(conns)
		if uid >= 0 {
			// The thread takes on the user and is never given back: it ends with the goroutine.
			runtime.LockOSThread()
			if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); errno != 0 {
				t.Errorf("becoming user %d: %v", uid, errno)
				return
			}
		}
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Errorf("connecting: %v", err)
			return
		}
		conns <- c
	}()
	conn, ok := <-conns
	if !ok {
		t.FailNow()
	}
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil },
	}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://local/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header.Clone()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return got, gotErr
}

func TestLocalAdministration(t *testing.T) {
	t.Parallel()
	dir := newDirectory()
	me, other := uint32(os.Geteuid()), uint32(os.Geteuid()+1)

	s, err := callAs(t, access.NewGate(dir, access.Options{Random: rand.Reader}), -1, http.Header{})
	if err != nil || s.Address != "local" || !s.May(access.ManageUsers, "") || !s.May(access.Define, "any/folder") {
		t.Errorf("the server's own user: got %+v, %v; want every permission", s, err)
	}
	// A token that is shown counts instead, so that a script can ask for less than it could have.
	_, err = callAs(t, access.NewGate(dir, access.Options{Random: rand.Reader}), -1, http.Header{"Authorization": {"Bearer reeve_x_0123456789abcdef"}})
	wantKind(t, err, fault.Unauthenticated)

	if me != 0 {
		_, err = callAs(t, access.NewGate(dir, access.Options{Random: rand.Reader, Owner: &other}), -1, http.Header{})
		wantKind(t, err, fault.Forbidden)
		return
	}
	s, err = callAs(t, access.NewGate(dir, access.Options{Random: rand.Reader, Owner: &other}), -1, http.Header{})
	if err != nil || s.Name != "local:0" {
		t.Errorf("root, where the server is another user's: got %+v, %v", s, err)
	}
	_, err = callAs(t, access.NewGate(dir, access.Options{Random: rand.Reader}), 65534, http.Header{})
	wantKind(t, err, fault.Forbidden)
	nobody := uint32(65534)
	s, err = callAs(t, access.NewGate(dir, access.Options{Random: rand.Reader, Owner: &nobody}), 65534, http.Header{})
	if err != nil || s.Name != "local:65534" {
		t.Errorf("a server of user 65534, asked by that user: got %+v, %v", s, err)
	}
}

// TestLoopbackIsNotLocal: SO_PEERCRED answers for TCP too, and must not be believed there.
func TestLoopbackIsNotLocal(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	peer, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = peer.Close() }()
	g := access.NewGate(newDirectory(), access.Options{Random: rand.Reader})
	r := request(t, peer.RemoteAddr().String())
	_, err = g.Authenticate(r.WithContext(access.WithPeer(r.Context(), peer)))
	wantKind(t, err, fault.Unauthenticated)
}
