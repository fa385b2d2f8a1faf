//go:build linux

package keeper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// Client is an agent's connection to its keeper. It holds what the keeper needs to survive its own death: the read
// ends of the pipes and the pidfds of what runs. Its methods may be called at once.
type Client struct {
	folders folders
	conn    *wireConn
	hello   Hello
	held    *holder
	running atomic.Int64
	reports chan []wire.Report
	sizes   chan []Size
	done    chan struct{}
	all     sync.WaitGroup

	mu      sync.Mutex
	nextID  int64
	waiting map[int64]chan frame
	err     error
	queued  []wire.Report // received, and not yet taken
	grown   map[wire.Attempt]int64
	wake    chan struct{}
}

// Connect connects to the keeper of a data folder. An error of kind Unreachable says that none runs: Spawn one.
func Connect(ctx context.Context, dataDir string, opts ...Option) (*Client, error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	data, err := filepath.Abs(dataDir)
	if err != nil {
		return nil, fmt.Errorf("connecting to the keeper: %w", err)
	}
	c := &Client{
		folders: folders{data}, held: newHolder(), reports: make(chan []wire.Report), sizes: make(chan []Size),
		done: make(chan struct{}), waiting: map[int64]chan frame{}, grown: map[wire.Attempt]int64{}, wake: make(chan struct{}, 1),
	}
	conn, err := dial(ctx, c.folders.keeper(), o.wait)
	if err != nil {
		return nil, err
	}
	c.conn = &wireConn{conn: conn}
	if o.after != nil {
		_ = o.after.Close()
		c.held = o.after.held
	}
	if err := c.greet(ctx); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("connecting to the keeper: %w", err)
	}
	c.all.Add(2)
	go c.read()
	go c.hand()
	return c, nil
}

func dial(ctx context.Context, folder string, wait time.Duration) (*net.UnixConn, error) {
	deadline := time.Now().Add(wait)
	for {
		var conn net.Conn
		err := socketPath(folder, func(path string) error {
			var d net.Dialer
			var err error
			conn, err = d.DialContext(ctx, "unix", path)
			return err
		})
		if err == nil {
			return conn.(*net.UnixConn), nil
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			return nil, fault.Wrap(fault.Unreachable, "connecting to the keeper", err)
		}
		timer := time.NewTimer(10 * time.Millisecond)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// greet brings what is held to the keeper and learns who it is.
func (c *Client) greet(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = c.conn.conn.Close() })
	defer stop()
	if err := c.held.send(c.conn); err != nil {
		return err
	}
	if err := c.conn.send(frame{Kind: frameHello}); err != nil {
		return err
	}
	_ = c.conn.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	f, fds, err := c.conn.receive()
	if err != nil {
		return err
	}
	closeAll(fds)
	if f.Kind != frameHello || f.Hello == nil {
		return fmt.Errorf("the keeper answered %q", f.Kind)
	}
	_ = c.conn.conn.SetReadDeadline(time.Time{})
	c.hello = *f.Hello
	c.running.Store(int64(f.Running))
	return nil
}

// read takes what the keeper sends until the connection ends.
func (c *Client) read() {
	defer c.all.Done()
	defer func() { closeAll(c.conn.fds) }()
	for {
		f, fds, err := c.conn.receive()
		if err != nil {
			c.fail(err)
			return
		}
		switch f.Kind {
		case frameAnswer:
			c.mu.Lock()
			ch := c.waiting[f.ID]
			delete(c.waiting, f.ID)
			c.mu.Unlock()
			if ch != nil {
				ch <- f
			}
		case frameReport:
			c.running.Store(int64(f.Running))
			c.held.drop(f.Reports)
			c.mu.Lock()
			c.queued = append(c.queued, f.Reports...)
			c.mu.Unlock()
			c.signal()
		case frameSize:
			c.mu.Lock()
			for _, s := range f.Sizes {
				c.grown[s.Attempt] = s.Bytes
			}
			c.mu.Unlock()
			c.signal()
		case framePass:
			c.held.take(f.Passed, fds)
			fds = nil
		}
		closeAll(fds)
	}
}

func (c *Client) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// hand gives reports and sizes to whoever takes them, without keeping the connection waiting.
func (c *Client) hand() {
	defer c.all.Done()
	defer close(c.sizes)
	defer close(c.reports)
	for {
		c.mu.Lock()
		var reports chan []wire.Report
		var sizes chan []Size
		batch, grown := c.queued, make([]Size, 0, len(c.grown))
		if len(batch) > 0 {
			reports = c.reports
		}
		for a, n := range c.grown {
			grown = append(grown, Size{a, n})
		}
		if len(grown) > 0 {
			sizes = c.sizes
		}
		c.mu.Unlock()
		select {
		case <-c.done:
			return
		case <-c.wake:
		case reports <- batch:
			c.mu.Lock()
			c.queued = c.queued[len(batch):]
			c.mu.Unlock()
		case sizes <- grown:
			c.mu.Lock()
			for _, s := range grown {
				if c.grown[s.Attempt] == s.Bytes {
					delete(c.grown, s.Attempt)
				}
			}
			c.mu.Unlock()
		}
	}
}

func (c *Client) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = err
	_ = c.conn.conn.Close()
	c.held.watch()
	close(c.done)
	for id, ch := range c.waiting {
		delete(c.waiting, id)
		close(ch)
	}
}

// ask sends a question and waits for its answer.
func (c *Client) ask(ctx context.Context, f frame) (frame, error) {
	ch := make(chan frame, 1)
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return frame{}, c.lost()
	}
	c.nextID++
	f.ID = c.nextID
	c.waiting[f.ID] = ch
	c.mu.Unlock()
	if err := c.conn.send(f); err != nil {
		return frame{}, err
	}
	select {
	case answer, ok := <-ch:
		if !ok {
			return frame{}, c.lost()
		}
		if answer.Error != "" {
			return frame{}, errors.New("the keeper says: " + answer.Error)
		}
		return answer, nil
	case <-ctx.Done():
		c.mu.Lock()
		delete(c.waiting, f.ID)
		c.mu.Unlock()
		return frame{}, context.Cause(ctx)
	}
}

func (c *Client) lost() error { return fault.Wrap(fault.Unreachable, "talking to the keeper", c.Err()) }

// Hello returns what the keeper told of itself.
func (c *Client) Hello() Hello { return c.hello }

// Start hands over orders. It returns when each is in the journal, synced, or refused; the ends come as reports.
// An order may be handed over any number of times: it is executed at most once.
func (c *Client) Start(ctx context.Context, orders []wire.Order) ([]wire.Refusal, error) {
	var refused []wire.Refusal
	for len(orders) > 0 {
		n := fit(orders)
		answer, err := c.ask(ctx, frame{Kind: frameStart, Orders: orders[:n]})
		if err != nil {
			return refused, fmt.Errorf("handing starts to the keeper: %w", err)
		}
		refused = append(refused, answer.Refused...)
		orders = orders[n:]
	}
	return refused, nil
}

// fit returns how many orders go into one frame.
func fit(orders []wire.Order) int {
	size := 0
	for i, o := range orders {
		size += 1024 + 2*len(o.Script) // as JSON; a control character takes more, and the frame has room
		for _, s := range o.Command {
			size += 2*len(s) + 8
		}
		for _, s := range o.Env {
			size += 2*len(s) + 8
		}
		if size > wire.MaxMessage/4 {
			return max(i, 1)
		}
	}
	return len(orders)
}

// Cancel ends attempts, or sees to it that they are never started. It returns when that is in the journal, synced.
func (c *Client) Cancel(ctx context.Context, cancels []wire.Cancel) error {
	if _, err := c.ask(ctx, frame{Kind: frameCancel, Cancels: cancels}); err != nil {
		return fmt.Errorf("handing cancels to the keeper: %w", err)
	}
	return nil
}

// Reports yields all reports that are not acknowledged, first those of before, then what comes. It is closed when
// the connection is lost.
func (c *Client) Reports() <-chan []wire.Report { return c.reports }

// Sizes yields how long the spools have grown, the latest of each. It is closed when the connection is lost.
func (c *Client) Sizes() <-chan []Size { return c.sizes }

// Ack says that a server has committed reports. They are not told again.
func (c *Client) Ack(ids []int64) error { return c.conn.send(frame{Kind: frameAck, IDs: ids}) }

// Mark says at and below which sequence every start is ended or withdrawn, and acknowledged.
func (c *Client) Mark(epoch, mark int64) error {
	return c.conn.send(frame{Kind: frameMark, Epoch: epoch, Mark: mark})
}

// Renew says for how long from now attempts with on_lost: stop may run without another word.
func (c *Client) Renew(tenure time.Duration) error {
	return c.conn.send(frame{Kind: frameRenew, Tenure: tenure})
}

// Forget lets the folders of attempts be removed, spools included. Those that are not over are left.
func (c *Client) Forget(attempts ...wire.Attempt) error {
	return c.conn.send(frame{Kind: frameForget, Attempts: attempts})
}

// Stop asks the keeper to start nothing more and to end once nothing runs.
func (c *Client) Stop(ctx context.Context) error {
	if _, err := c.ask(ctx, frame{Kind: frameStop}); err != nil {
		return fmt.Errorf("stopping the keeper: %w", err)
	}
	return nil
}

// Running returns how many attempts are not over, as the keeper said last.
func (c *Client) Running() int { return int(c.running.Load()) }

// SpoolPath returns where the output of an attempt is: a sequence of records. It is not there before the first byte.
func (c *Client) SpoolPath(a wire.Attempt) string { return c.folders.of(a, "").spool() }

// WorkFolder returns the working folder of an attempt.
func (c *Client) WorkFolder(a wire.Attempt) string {
	beside := place{job: filepath.Join(c.folders.jobs(), filepath.Base(c.folders.of(a, "").own))}
	if _, err := os.Lstat(beside.work()); err == nil {
		return beside.work()
	}
	return c.folders.of(a, "").work()
}

// InputFolder makes and returns the folder that an order's inputs belong in, as JOB/FILE; before Start.
func (c *Client) InputFolder(o wire.Order) (string, error) {
	if err := checkAttempt(o.Attempt); err != nil {
		return "", fault.Wrap(fault.Invalid, "making the folder for inputs", err)
	}
	p := c.folders.of(o.Attempt, o.RunAs)
	if err := os.MkdirAll(p.own, 0o700); err != nil {
		return "", fmt.Errorf("making the folder for inputs: %w", err)
	}
	if p.other {
		if err := p.makeJob(); err != nil {
			return "", err
		}
	}
	if err := os.MkdirAll(p.input(), 0o755); err != nil {
		return "", fmt.Errorf("making the folder for inputs: %w", err)
	}
	return p.input(), nil
}

// Done is closed when the connection is lost.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err says why the connection was lost; nil before.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close ends the connection. What it holds stays held, for a client that comes After it.
func (c *Client) Close() error {
	c.fail(net.ErrClosed)
	c.all.Wait()
	return nil
}
