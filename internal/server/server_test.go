package server_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/server"
	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
)

// running is a server that runs until the test ends.
type running struct {
	*server.Server
	data     string
	password string
	stop     func()
}

func start(t *testing.T, data string) *running { return startAt(t, data, time.Now) }

// startAt starts a server with a clock of the test's.
func startAt(t *testing.T, data string, now func() time.Time) *running {
	t.Helper()
	r := &running{data: data}
	cfg := server.Default()
	cfg.Data, cfg.Bind = data, []string{"127.0.0.1"}
	var err error
	r.Server, err = server.Open(t.Context(), cfg, server.Env{
		Plan: sockettest.Plan(t), Version: "test", Log: slog.New(slog.DiscardHandler), Now: now, Rand: rand.Reader,
		Secret: func(_, password string) { r.password = password },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	stopped := false
	r.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the server ended: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("the server does not end")
		}
	}
	t.Cleanup(r.stop)
	return r
}

// local is a client of the socket for local administration.
func (r *running) local(t *testing.T) *api.Client {
	t.Helper()
	c, err := api.NewClient(&http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		short, clean, err := server.ShortPath(filepath.Join(r.data, "admin.sock"))
		if err != nil {
			return nil, err
		}
		defer clean()
		return (&net.Dialer{}).DialContext(ctx, "unix", short)
	}, DisableKeepAlives: true}}, "http://local", "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestStartStopStart: a server stops within seconds, leaves its data, and starts again from it; the first
// administrator is made once.
func TestStartStopStart(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	r := start(t, data)
	if r.password == "" {
		t.Error("the first start shows no password")
	}
	if _, err := r.local(t).ApplyNets(t.Context(), "x", []byte("net: a/b\njobs: [{name: a, command: [\"true\"]}]\n"), false); err != nil {
		t.Fatal(err)
	}
	fingerprint := r.Fingerprint()
	r.stop()
	if _, err := r.local(t).Domain(t.Context()); !fault.Is(err, fault.Unreachable) {
		t.Errorf("asking a stopped server: got %v, want unreachable", err)
	}
	r = start(t, data)
	if r.password != "" {
		t.Error("the second start made an administrator again")
	}
	if n, err := r.local(t).Net(t.Context(), "a/b", 0); err != nil || n.Version != 1 {
		t.Errorf("after a restart: version %d, %v", n.Version, err)
	}
	if r.Fingerprint() != fingerprint {
		t.Error("the authority has changed")
	}
	if info, err := os.Stat(data); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the data folder: %v, %v", info.Mode(), err)
	}
	for _, secret := range []string{"node.key", "admin.sock"} {
		if info, err := os.Stat(filepath.Join(data, secret)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", secret, info, err)
		}
	}
}

// TestLongPath: a data folder whose path is too long for a socket has one all the same.
func TestLongPath(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), strings.Repeat("long/", 60), "data")
	if err := os.MkdirAll(filepath.Dir(data), 0o700); err != nil {
		t.Fatal(err)
	}
	r := start(t, data)
	if d, err := r.local(t).Domain(t.Context()); err != nil || d.Name != "reeve" {
		t.Errorf("got %q, %v", d.Name, err)
	}
}

// TestShortPath: a path that fits stays as it is; what stands for a longer one is removed.
func TestShortPath(t *testing.T) {
	t.Parallel()
	short, clean, err := server.ShortPath("/tmp/x.sock")
	if err != nil || short != "/tmp/x.sock" {
		t.Errorf("got %q, %v", short, err)
	}
	clean()
	folder := t.TempDir()
	short, clean, err = server.ShortPath(filepath.Join(folder, strings.Repeat("x", 120)))
	if err != nil || len(short) > 107+100 {
		t.Fatalf("got %q, %v", short, err)
	}
	clean()
	if _, err := os.Lstat(filepath.Dir(filepath.Dir(short))); !os.IsNotExist(err) {
		t.Errorf("the short path is still there: %v", err)
	}
}

// TestRefusedAtStart: what is wrong at a start is one clear error, and nothing stays open.
func TestRefusedAtStart(t *testing.T) {
	t.Parallel()
	open := t.TempDir()
	if err := os.Chmod(open, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, filepath.Join(t.TempDir(), "data"))
	for name, test := range map[string]struct {
		change func(*server.Config)
		want   string
	}{
		"open to others":  {func(c *server.Config) { c.Data = open }, "chmod 700"},
		"a file":          {func(c *server.Config) { c.Data = file }, "making the data folder"},
		"a second server": {func(c *server.Config) { c.Data = r.data }, fmt.Sprintf("pid %d", os.Getpid())},
		"no such address": {func(c *server.Config) { c.Bind = []string{"192.0.2.1"} }, "192.0.2.1"},
		"configuration":   {func(c *server.Config) { c.Log.Level = "loud" }, "log.level"},
		"domain":          {func(c *server.Config) { c.Domain = "No Domain" }, "domain"},
	} {
		cfg := server.Default()
		cfg.Data, cfg.Bind = filepath.Join(t.TempDir(), "data"), []string{"127.0.0.1"}
		test.change(&cfg)
		_, err := server.Open(t.Context(), cfg, server.Env{Plan: sockettest.Plan(t), Log: slog.New(slog.DiscardHandler), Now: time.Now, Rand: rand.Reader, Secret: func(string, string) {}})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want something about %q", name, err, test.want)
		}
	}
}

// TestConsoleLogin: the console's login makes a session, and ends the one that the browser still shows.
func TestConsoleLogin(t *testing.T) {
	t.Parallel()
	r := start(t, filepath.Join(t.TempDir(), "data"))
	conf, err := identity.Pinned(r.Fingerprint(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	address := r.Addresses()[0]
	client := &http.Client{
		Transport: &http.Transport{DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&tls.Dialer{Config: conf}).DialContext(ctx, "tcp", address)
		}, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	login := func(password string, shown *http.Cookie) (int, *http.Cookie) {
		t.Helper()
		form := url.Values{"name": {"admin"}, "password": {password}}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+address+"/login", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		if shown != nil {
			req.AddCookie(shown)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		for _, c := range resp.Cookies() {
			if c.Name == access.CookieName {
				return resp.StatusCode, c
			}
		}
		return resp.StatusCode, nil
	}
	knows := func(c *http.Cookie) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+address+"/api/v1/self", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.AddCookie(c)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	if status, c := login("wrong", nil); c != nil || status != http.StatusUnauthorized {
		t.Errorf("a wrong password: status %d, cookie %v", status, c)
	}
	status, first := login(r.password, nil)
	if first == nil || status != http.StatusSeeOther {
		t.Fatalf("status %d, cookie %v", status, first)
	}
	if status := knows(first); status != http.StatusOK {
		t.Errorf("with the session: status %d", status)
	}
	_, second := login(r.password, first)
	if second == nil || knows(second) != http.StatusOK {
		t.Error("the second login has no session")
	}
	if status := knows(first); status != http.StatusUnauthorized {
		t.Errorf("the session that was shown at the second login: status %d, want 401", status)
	}
}

// TestRestoreRefuses: what is no backup, or wants to write elsewhere, is refused, and nothing is written outside.
func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	archive := func(headers ...tar.Header) []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range headers {
			body := strings.Repeat("x", int(h.Size))
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(w, body); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	file := func(name string) tar.Header {
		return tar.Header{Name: name, Typeflag: tar.TypeReg, Size: 4, Mode: 0o600}
	}
	folder := tar.Header{Name: "store/", Typeflag: tar.TypeDir, Mode: 0o700}
	for name, text := range map[string][]byte{
		"empty":      archive(),
		"rubbish":    []byte("this is no tar stream, but it is a text that is longer than nothing"),
		"cut":        archive(folder, file("store/reeve.db"))[:700],
		"upwards":    archive(file("../outside")),
		"hidden up":  archive(folder, file("store/../../outside")),
		"absolute":   archive(file("/tmp/reeve-outside")),
		"other":      archive(file("run-as.yaml")),
		"symlink":    archive(folder, tar.Header{Name: "store/reeve.db", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}),
		"hard link":  archive(folder, tar.Header{Name: "store/reeve.db", Typeflag: tar.TypeLink, Linkname: "../../outside"}),
		"device":     archive(folder, tar.Header{Name: "store/null", Typeflag: tar.TypeChar}),
		"twice":      archive(folder, file("store/reeve.db"), file("store/reeve.db")),
		"no store":   archive(tar.Header{Name: "authority/", Typeflag: tar.TypeDir, Mode: 0o700}),
		"fake store": archive(folder, file("store/reeve.db")),
	} {
		base := t.TempDir()
		data := filepath.Join(base, "data")
		if err := server.Restore(t.Context(), bytes.NewReader(text), data, 0); err == nil {
			t.Errorf("%s: restored", name)
		} else if len(err.Error()) > 1000 {
			t.Errorf("%s: a long error: %v", name, err)
		}
		if entries, err := os.ReadDir(base); err != nil || len(entries) > 1 {
			t.Errorf("%s: something was written outside of the data folder: %v, %v", name, entries, err)
		}
	}
	if _, err := os.Stat("/tmp/reeve-outside"); err == nil {
		t.Error("something was written to an absolute path")
	}
}

// TestBackupRestore: a restored server is held, in a later epoch, with the same authority and what was in the backup.
func TestBackupRestore(t *testing.T) {
	t.Parallel()
	r := start(t, filepath.Join(t.TempDir(), "data"))
	if _, err := r.local(t).ApplyNets(t.Context(), "x", []byte("net: a/b\njobs: [{name: a, command: [\"true\"]}]\n"), false); err != nil {
		t.Fatal(err)
	}
	var backup bytes.Buffer
	if err := r.local(t).Backup(t.Context(), &backup); err != nil {
		t.Fatal(err)
	}
	fingerprint := r.Fingerprint()
	r.stop()
	data := filepath.Join(t.TempDir(), "restored")
	if err := server.Restore(t.Context(), bytes.NewReader(backup.Bytes()), data, 7); err != nil {
		t.Fatal(err)
	}
	if err := server.Restore(t.Context(), bytes.NewReader(backup.Bytes()), data, 7); !fault.Is(err, fault.Conflict) {
		t.Errorf("restoring over it: got %v, want a conflict", err)
	}
	r = start(t, data)
	d, err := r.local(t).Domain(t.Context())
	if err != nil || d.Held == nil || d.Epoch <= 7 || d.Fingerprint != fingerprint {
		t.Errorf("the restored domain: %+v, %v", d, err)
	}
	if _, err := r.local(t).Net(t.Context(), "a/b", 0); err != nil {
		t.Error(err)
	}
}

// TestRetention: what ended long ago goes when the server starts, and what has not ended stays.
func TestRetention(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	r := start(t, data)
	c := r.local(t)
	if _, err := c.ApplyNets(t.Context(), "x", []byte("net: a/b\njobs: [{name: a, command: [\"true\"]}]\n"), false); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for range 2 {
		one, err := c.StartRun(t.Context(), api.StartRun{Net: "a/b"})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, one.ID)
	}
	if _, err := c.ControlRun(t.Context(), ids[0], "cancel"); err != nil {
		t.Fatal(err)
	}
	r.stop()
	r = startAt(t, data, func() time.Time { return time.Now().Add(server.Default().Retention.Runs.Age - time.Hour) })
	if _, err := r.local(t).Run(t.Context(), ids[0]); err != nil {
		t.Errorf("a run that ended less than the retention ago: %v", err)
	}
	r.stop()
	// The certificates of the server's clock are good then, too: only the local socket is asked.
	r = startAt(t, data, func() time.Time { return time.Now().Add(server.Default().Retention.Runs.Age + time.Hour) })
	deadline := time.Now().Add(20 * time.Second)
	for {
		_, err := r.local(t).Run(t.Context(), ids[0])
		if fault.Is(err, fault.NotFound) {
			break
		}
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("a run that ended longer ago is still there: %v", err)
		}
	}
	if _, err := r.local(t).Run(t.Context(), ids[1]); err != nil {
		t.Errorf("a run that has not ended: %v", err)
	}
}
