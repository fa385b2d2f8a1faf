//go:build linux

package agent

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/link"
	"github.com/reeve-scheduler/reeve/internal/socket"
	"github.com/reeve-scheduler/reeve/internal/socket/sockettest"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

const testDomain = "test.example"

// fakeServer is a server's side of the real link: it takes what an agent sends and remembers it. Fields that change its
// answers are set under its lock.
type fakeServer struct {
	t         testing.TB
	net       *socket.Net
	authority *identity.Authority
	own       *identity.Credentials
	addr      string
	life      time.Duration // of certificates
	kind      string        // as which it enrols agents that wait

	mu        sync.Mutex
	news      chan struct{} // closed at each change
	welcome   wire.Welcome
	tokens    map[string]*fakeToken
	nodes     map[string]identity.Identity // by hash of the key
	joins     int
	renewals  int
	recovered int
	hellos    []wire.Hello
	beats     []wire.Heartbeat
	links     []*link.Link
	reports   []wire.Report // as they came, duplicates included
	output    map[wire.Attempt][]byte
	unwanted  map[wire.Attempt]bool
	offsets   map[wire.Attempt][]int64 // at which chunks came
	asked     int                      // questions how much output there is
	artifacts map[string][]byte
	fetched   int
	mark      int64
	intercept func(w http.ResponseWriter, r *http.Request) bool // true: it has answered
}

type fakeToken struct {
	secret, name, usedBy string
}

func newServer(t testing.TB) *fakeServer {
	t.Helper()
	dir := t.TempDir()
	now := time.Now()
	authority, err := identity.OpenAuthority(filepath.Join(dir, "authority"), testDomain, now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := identity.OpenKey(filepath.Join(dir, "server.key"))
	if err != nil {
		t.Fatal(err)
	}
	chain, err := authority.IssueServer(key.Public(), identity.Identity{Domain: testDomain, Role: identity.RoleServer, Name: "hq", ID: "server00001"}, []string{"127.0.0.1"}, time.Hour, now)
	if err != nil {
		t.Fatal(err)
	}
	own, err := identity.ParseCredentials(chain, key)
	if err != nil {
		t.Fatal(err)
	}
	s := &fakeServer{
		t: t, net: sockettest.Net(t), authority: authority, own: own, life: 24 * time.Hour,
		news: make(chan struct{}), tokens: map[string]*fakeToken{}, nodes: map[string]identity.Identity{},
		output: map[wire.Attempt][]byte{}, unwanted: map[wire.Attempt]bool{}, offsets: map[wire.Attempt][]int64{}, artifacts: map[string][]byte{},
		welcome: wire.Welcome{Version: "test", Epoch: 1, Heartbeat: 200 * time.Millisecond, Timeout: 5 * time.Second, Tenure: time.Minute},
	}
	l, err := s.net.Listen(t.Context(), sockettest.Service, "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	s.run(l)
	return s
}

// run serves until the test ends.
func (s *fakeServer) run(l net.Listener) {
	ctx, cancel := context.WithCancel(context.Background())
	endpoint := identity.Endpoint{
		Own: func() (*identity.Credentials, error) { return s.own, nil }, Domain: testDomain, Expect: []identity.Role{identity.RoleAgent},
	}
	server := &link.Server{
		Listener: l, TLS: endpoint.ServerConfig(), Web: s.web(),
		OnLink: func(ctx context.Context, l *link.Link) {
			s.change(func() { s.links = append(s.links, l) })
			<-ctx.Done()
		},
		Options: link.Options{Handler: s.handler(), Log: slog.New(slog.DiscardHandler)},
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	s.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("server: %v", err)
		}
	})
}

// change changes what the server knows and tells those who wait.
func (s *fakeServer) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.news)
	s.news = make(chan struct{})
}

// wait returns when cond holds; it is looked at under the lock, after each change.
func (s *fakeServer) wait(what string, cond func() bool) {
	s.t.Helper()
	limit := time.NewTimer(30 * time.Second)
	defer limit.Stop()
	for {
		s.mu.Lock()
		ok, news := cond(), s.news
		s.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-news:
		case <-limit.C:
			s.mu.Lock()
			defer s.mu.Unlock()
			s.t.Fatalf("never came: %s\nreports: %+v\nlinks: %d, hellos: %d", what, s.reports, len(s.links), len(s.hellos))
		}
	}
}

// token makes a join token for an agent.
func (s *fakeServer) token(name string) identity.Token {
	s.t.Helper()
	token, err := identity.MintToken(rand.Reader, identity.Token{
		Name: name, Domain: testDomain, Addresses: []string{s.addr}, Fingerprint: s.authority.Fingerprint(),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[token.ID] = &fakeToken{secret: token.Secret, name: name}
	return token
}

// web is what is served without a certificate.
func (s *fakeServer) web() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+wire.PathJoin, func(w http.ResponseWriter, r *http.Request) {
		var in wire.JoinRequest
		if !read(w, r, &in) {
			return
		}
		csr, key := s.request(w, in.CSR)
		if csr == nil {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		token := s.tokens[in.TokenID]
		switch {
		case token == nil || token.secret != in.Secret || token.name != in.Name:
			http.Error(w, "the token is not known", http.StatusForbidden)
			return
		case token.usedBy != "" && token.usedBy != key:
			http.Error(w, "the token was used already", http.StatusConflict)
			return
		}
		if token.usedBy == "" {
			token.usedBy = key
			s.nodes[key] = identity.Identity{Domain: testDomain, Role: identity.RoleAgent, Name: in.Name, ID: fmt.Sprintf("agent%07d", len(s.nodes))}
		}
		s.joins++
		s.issue(w, csr, s.nodes[key])
	})
	mux.HandleFunc("POST "+wire.PathRenew, func(w http.ResponseWriter, r *http.Request) {
		var in wire.RenewRequest
		if !read(w, r, &in) {
			return
		}
		csr, key := s.request(w, in.CSR)
		if csr == nil {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		node, ok := s.nodes[key]
		if !ok || node.ID != in.NodeID {
			http.Error(w, "the node is not part of the domain", http.StatusForbidden)
			return
		}
		s.recovered++
		s.issue(w, csr, node)
	})
	return mux
}

func (s *fakeServer) request(w http.ResponseWriter, text string) (*x509.CertificateRequest, string) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		http.Error(w, "no request", http.StatusBadRequest)
		return nil, ""
	}
	csr, err := identity.ParseRequest(block.Bytes)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return nil, ""
	}
	sum := sha256.Sum256(csr.RawSubjectPublicKeyInfo)
	return csr, hex.EncodeToString(sum[:])
}

func (s *fakeServer) issue(w http.ResponseWriter, csr *x509.CertificateRequest, id identity.Identity) {
	chain, err := s.authority.Issue(csr, id, s.life, time.Now())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	block, rest := pem.Decode(chain)
	write(w, wire.Certificate{NodeID: id.ID, Certificate: string(pem.EncodeToMemory(block)), Authority: string(rest)})
}

// handler is what is served on links.
func (s *fakeServer) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+wire.PathHello, serve(s, func(in wire.Hello) wire.Welcome {
		s.hellos = append(s.hellos, in)
		w := s.welcome
		w.Now = time.Now()
		return w
	}))
	mux.HandleFunc("POST "+wire.PathHeartbeat, serve(s, func(in wire.Heartbeat) wire.HeartbeatReply {
		s.beats = append(s.beats, in)
		return wire.HeartbeatReply{Epoch: 1, Mark: s.mark, Now: time.Now()}
	}))
	mux.HandleFunc("POST "+wire.PathReports, serve(s, func(in wire.Reports) wire.ReportsReply {
		var reply wire.ReportsReply
		for _, r := range in.Reports {
			s.reports = append(s.reports, r)
			reply.Acked = append(reply.Acked, r.ID)
		}
		return reply
	}))
	mux.HandleFunc("POST "+wire.PathOutput, serve(s, func(in wire.OutputChunks) wire.OutputReply {
		var reply wire.OutputReply
		for _, c := range in.Chunks {
			reply.Have = append(reply.Have, wire.OutputOffset{Attempt: c.Attempt, Have: s.append(c)})
		}
		return reply
	}))
	mux.HandleFunc("POST "+wire.PathOutputHave, serve(s, func(in []wire.Attempt) wire.OutputReply {
		s.asked++
		var reply wire.OutputReply
		for _, a := range in {
			have := int64(len(s.output[a]))
			if s.unwanted[a] {
				have = -1
			}
			reply.Have = append(reply.Have, wire.OutputOffset{Attempt: a, Have: have})
		}
		return reply
	}))
	mux.HandleFunc("POST "+wire.PathLinkRenew, func(w http.ResponseWriter, r *http.Request) {
		var in wire.RenewRequest
		if !read(w, r, &in) {
			return
		}
		csr, key := s.request(w, in.CSR)
		if csr == nil {
			return
		}
		s.change(func() {
			s.renewals++
			s.issue(w, csr, s.nodes[key])
		})
	})
	mux.HandleFunc("PUT "+wire.PathArtifacts+"{sum}", s.put)
	mux.HandleFunc("GET "+wire.PathArtifacts+"{sum}", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		data, ok := s.artifacts[r.PathValue("sum")]
		s.fetched++
		s.mu.Unlock()
		if !ok {
			http.Error(w, "no such artifact", http.StatusNotFound)
			return
		}
		_, _ = w.Write(data)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		intercept := s.intercept
		s.mu.Unlock()
		if intercept == nil || !intercept(w, r) {
			mux.ServeHTTP(w, r)
		}
	})
}

func serve[In, Out any](s *fakeServer, f func(In) Out) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in In
		if !read(w, r, &in) {
			return
		}
		var out Out
		s.change(func() { out = f(in) })
		write(w, out)
	}
}

// append takes a chunk as the store does. The lock is held.
func (s *fakeServer) append(c wire.OutputChunk) int64 {
	if s.unwanted[c.Attempt] {
		return -1
	}
	s.offsets[c.Attempt] = append(s.offsets[c.Attempt], c.Offset)
	have := s.output[c.Attempt]
	if skip := int64(len(have)) - c.Offset; skip >= 0 && skip < int64(len(c.Data)) {
		s.output[c.Attempt] = append(have, c.Data[skip:]...)
	}
	return int64(len(s.output[c.Attempt]))
}

func (s *fakeServer) put(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(io.LimitReader(r.Body, 64<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != r.PathValue("sum") {
		http.Error(w, "the content has another SHA-256", http.StatusUnprocessableEntity)
		return
	}
	s.change(func() { s.artifacts[r.PathValue("sum")] = data })
	w.WriteHeader(http.StatusNoContent)
}

// store puts an artifact where agents fetch from.
func (s *fakeServer) store(job, name, content string) wire.Artifact {
	sum := sha256.Sum256([]byte(content))
	sha := hex.EncodeToString(sum[:])
	s.change(func() { s.artifacts[sha] = []byte(content) })
	return wire.Artifact{Job: job, Name: name, Size: int64(len(content)), SHA256: sha}
}

// linked waits for the n-th link, from 1, on which an agent has said hello.
func (s *fakeServer) linked(n int) *link.Link {
	s.t.Helper()
	s.wait(fmt.Sprintf("link %d", n), func() bool { return len(s.links) >= n && len(s.hellos) >= n })
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.links[n-1]
}

// command sends commands over a link.
func (s *fakeServer) command(l *link.Link, cmd wire.Commands) wire.CommandsReply {
	s.t.Helper()
	reply, err := s.tryCommand(l, cmd)
	if err != nil {
		s.t.Fatalf("commands: %v", err)
	}
	return reply
}

func (s *fakeServer) tryCommand(l *link.Link, cmd wire.Commands) (wire.CommandsReply, error) {
	var reply wire.CommandsReply
	cmd.Epoch = 1
	err := post(s.t.Context(), l.Client(), peerBase+wire.PathCommands, cmd, &reply)
	return reply, err
}

// ends returns the reports that end an attempt, as they came. The lock is held.
func (s *fakeServer) ends(a wire.Attempt) []wire.Report {
	var all []wire.Report
	for _, r := range s.reports {
		if r.Attempt == a && r.Kind != wire.Started {
			all = append(all, r)
		}
	}
	return all
}

// ended waits for the end of an attempt.
func (s *fakeServer) ended(a wire.Attempt) wire.Report {
	s.t.Helper()
	s.wait("end of "+a.Run, func() bool { return len(s.ends(a)) > 0 })
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ends(a)[0]
}

// text returns what an attempt wrote to a stream, as far as it is here. The lock is held.
func (s *fakeServer) text(a wire.Attempt, stream wire.Stream) string {
	var b strings.Builder
	for rest := s.output[a]; len(rest) > 0; {
		r, n, err := wire.ParseRecord(rest)
		if err != nil {
			s.t.Errorf("output of %v: %v", a, err)
		}
		if n == 0 {
			break
		}
		if r.Stream == stream {
			b.Write(r.Data)
		}
		rest = rest[n:]
	}
	return b.String()
}

// get calls a route of the agent.
func (s *fakeServer) get(l *link.Link, path string, out any) error {
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, peerBase+path, nil)
	if err != nil {
		return err
	}
	resp, err := l.Client().Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	return json.NewDecoder(bytes.NewReader(text)).Decode(out)
}
