package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/identity"
	"github.com/reeve-scheduler/reeve/internal/link"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// crowd are agents in this process that have links to a real server and take no jobs: each says hello and sends
// heartbeats, as real ones do.
type crowd struct {
	address string
	up      atomic.Int64
	stop    context.CancelFunc
	all     sync.WaitGroup
}

const (
	beatEvery = 10 * time.Second
	linksIdle = 45 * time.Second // heartbeats come and go, and what the handshakes took is given back
)

// measureLinks measures what a server has resident for each of a thousand links, and how long two thousand agents take
// to come back when their server was killed and started again. --agents is the two thousand, and its half the thousand.
func measureLinks(ctx context.Context, b *bench) error {
	s, err := b.open(ctx, "links")
	if err != nil {
		return err
	}
	all, half := int64(b.agents), int64(b.agents/2)
	own, address, err := s.enlist(ctx, b.agents)
	if err != nil {
		return err
	}
	// Again, so that what joining took is not counted.
	if err := s.restart(ctx); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(idleFor):
	}
	before, err := resident(s.server.cmd.Process.Pid)
	if err != nil {
		return err
	}
	c := &crowd{address: address}
	ctx, c.stop = context.WithCancel(ctx)
	defer c.all.Wait()
	defer c.stop()
	c.begin(ctx, own[:half])
	if err := c.wait(ctx, half); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(linksIdle):
	}
	after, err := resident(s.server.cmd.Process.Pid)
	if err != nil {
		return err
	}
	each := float64(after-before) / float64(half)
	const most = 80_000
	good := each <= most
	b.table.add(row{
		figure: fmt.Sprintf("resident memory of a link, at a server with %d", half), measured: fmt.Sprintf("%.1f KB", each/1e3), limit: fmt.Sprintf("%s without links, %s with them", mb(before), mb(after)),
		ratio: "-", reach: fmt.Sprintf("≤ %.1f KB", most/1e3), reached: &good,
	})
	b.table.note("**Memory of a link**: `VmRSS` of a server, %s after it has answered for the first time, and %s after %d agents in another process were linked; each has said hello and sends a heartbeat every %s.", idleFor, linksIdle, half, beatEvery)
	c.begin(ctx, own[half:])
	if err := c.wait(ctx, all); err != nil {
		return err
	}
	took, err := s.outlive(ctx, c, all)
	if err != nil {
		return err
	}
	const limit = time.Minute
	inTime := took <= limit
	b.table.add(row{figure: fmt.Sprintf("%d agents back at a server that was killed", all), measured: seconds(took), limit: "-", ratio: "-", reach: "≤ " + seconds(limit), reached: &inTime})
	b.table.note("**Agents back**: %d agents in one process are linked; the server is killed and started again 5 s later; from its start until all have said hello again.", all)
	return nil
}

// restart ends the server and starts it again.
func (s *site) restart(ctx context.Context) error {
	if err := s.server.end(); err != nil {
		return err
	}
	return s.start(ctx)
}

// outlive kills the server, starts it again and returns how long it took from then until all are linked.
func (s *site) outlive(ctx context.Context, c *crowd, all int64) (time.Duration, error) {
	_ = s.server.cmd.Process.Kill()
	<-s.server.done
	for c.up.Load() > 0 {
		if err := rest(ctx, 10*time.Millisecond); err != nil {
			return 0, err
		}
	}
	if err := rest(ctx, 5*time.Second); err != nil {
		return 0, err
	}
	began := time.Now()
	if err := s.start(ctx); err != nil {
		return 0, err
	}
	err := c.wait(ctx, all)
	return time.Since(began), err
}

func rest(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// enlist joins agents to the server's domain, each with a token of its own, and returns what they show.
func (s *site) enlist(ctx context.Context, count int) ([]*identity.Credentials, string, error) {
	domain, err := s.client.Domain(ctx)
	if err != nil {
		return nil, "", err
	}
	own := make([]*identity.Credentials, count)
	address := ""
	config, err := identity.Pinned(domain.Fingerprint, time.Now)
	if err != nil {
		return nil, "", err
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, MaxIdleConnsPerHost: 8}, Timeout: time.Minute}
	defer client.CloseIdleConnections()
	for i := range own {
		order, err := s.client.CreateToken(ctx, api.CreateToken{Kind: "agent", Name: fmt.Sprint("agent-", i), Addresses: []string{"127.0.0.1"}})
		if err != nil {
			return nil, "", fmt.Errorf("making a token: %w", err)
		}
		token, err := identity.ParseToken(order.Secret)
		if err != nil {
			return nil, "", err
		}
		address = token.Addresses[0]
		if own[i], err = enlistOne(ctx, client, token, filepath.Join(s.home, "key-"+strconv.Itoa(i))); err != nil {
			return nil, "", err
		}
	}
	return own, address, nil
}

func enlistOne(ctx context.Context, client *http.Client, token identity.Token, keyFile string) (*identity.Credentials, error) {
	key, err := identity.OpenKey(keyFile)
	if err != nil {
		return nil, err
	}
	der, err := identity.NewRequest(key)
	if err != nil {
		return nil, err
	}
	csr := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	var answer wire.Certificate
	if err := post(ctx, client, "https://"+token.Addresses[0]+wire.PathJoin, wire.JoinRequest{TokenID: token.ID, Secret: token.Secret, Name: token.Name, CSR: csr}, &answer); err != nil {
		return nil, fmt.Errorf("joining %s: %w", token.Name, err)
	}
	return identity.ParseCredentials([]byte(strings.TrimSpace(answer.Certificate)+"\n"+strings.TrimSpace(answer.Authority)+"\n"), key)
}

// begin links agents.
func (c *crowd) begin(ctx context.Context, own []*identity.Credentials) {
	for _, credentials := range own {
		endpoint := identity.Endpoint{
			Own: func() (*identity.Credentials, error) { return credentials, nil }, Domain: credentials.Identity.Domain, Expect: []identity.Role{identity.RoleServer},
		}
		d := &link.Dialer{
			Targets: func() []link.Target { return []link.Target{{Address: c.address}} },
			Dial: func(ctx context.Context, to link.Target) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "tcp", to.Address)
			},
			TLS: endpoint.ClientConfig, Backoff: link.Backoff{Chance: mathrand.Float64},
		}
		view := new(atomic.Value) // ID of the plan's view that it was given
		view.Store("")
		c.all.Go(func() { _ = d.Run(ctx, func(ctx context.Context, l *link.Link) { c.session(ctx, l, view) }) }) // it ends with ctx, with nil
	}
}

// session is the life of one link.
func (c *crowd) session(ctx context.Context, l *link.Link, view *atomic.Value) {
	hello := wire.Hello{Version: "bench", Protocol: 1, Incarnation: 1, BootID: rand.Text(), Slots: 1, View: view.Load().(string), Now: time.Now()}
	var welcome wire.Welcome
	if err := post(ctx, l.Client(), link.BaseURL+wire.PathHello, hello, &welcome); err != nil {
		l.Close("no welcome: " + err.Error())
		return
	}
	if welcome.View != nil {
		view.Store(welcome.View.ID)
	}
	c.up.Add(1)
	defer c.up.Add(-1)
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = post(ctx, l.Client(), link.BaseURL+wire.PathHeartbeat, wire.Heartbeat{Slots: 1, Now: time.Now()}, &wire.HeartbeatReply{}) // a link that is broken ends
		}
	}
}

// wait waits until so many are linked.
func (c *crowd) wait(ctx context.Context, count int64) error {
	for c.up.Load() < count {
		if err := rest(ctx, 5*time.Millisecond); err != nil {
			return fmt.Errorf("%d of %d agents are linked: %w", c.up.Load(), count, err)
		}
	}
	return nil
}

func post(ctx context.Context, client *http.Client, url string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() // read only
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusCreated {
		return fmt.Errorf("%s: %s", response.Status, bytes.TrimSpace(text))
	}
	return json.Unmarshal(text, out)
}
