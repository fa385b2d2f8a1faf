package callback

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

// Booth is the other end: a command line tool that listens for the one call of its server.
type Booth struct {
	Listener net.Listener
	TLS      *tls.Config
	Token    string
	// Silence is after how long without a word the call is given up; 0: 30 s.
	Silence time.Duration
	// Arrive is how long the server may take to come; 0: 10 s.
	Arrive time.Duration
}

// The bounds of what a tool takes.
const (
	maxReads   = wire.MaxMessage >> 10 // of one line; each brings a buffer or a record of TLS, mostly
	boothQuiet = 30 * time.Second
	boothWait  = 10 * time.Second
)

// Listen takes the call and hands on each run that the server tells, until hear returns true or the call ends: then the
// error says why. The listener is closed when the server has come, and at the end.
func (b *Booth) Listen(ctx context.Context, hear func(run json.RawMessage) (done bool, err error)) error {
	quiet, wait := b.Silence, b.Arrive
	if quiet <= 0 {
		quiet = boothQuiet
	}
	if wait <= 0 {
		wait = boothWait
	}
	var once sync.Once
	came, ended := make(chan struct{}), make(chan error, 1)
	srv := &http.Server{
		ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 8 << 10, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Reeve ")
			first := false
			if ok && r.Method == http.MethodPost && r.URL.Path == wire.PathCallbackRun && subtle.ConstantTimeCompare([]byte(given), []byte(b.Token)) == 1 {
				once.Do(func() { first = true })
			}
			if !first {
				w.Header().Set("Connection", "close")
				http.Error(w, "not awaited here", http.StatusForbidden)
				return
			}
			close(came)
			_ = b.Listener.Close() // its purpose is fulfilled
			ended <- b.take(w, r, quiet, hear)
		}),
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = srv.Serve(tls.NewListener(b.Listener, b.TLS)) // it ends with its listener
	}()
	defer func() {
		_ = srv.Close() // all is said
		<-served
	}()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return fmt.Errorf("the server did not call back within %s", wait)
	case <-came:
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case err := <-ended:
		return err
	}
}

// take reads the lines of a call.
func (b *Booth) take(w http.ResponseWriter, r *http.Request, quiet time.Duration, hear func(run json.RawMessage) (bool, error)) error {
	control := http.NewResponseController(w)
	left := 0
	lines := json.NewDecoder(&patient{r.Body, func() error {
		if left--; left < 0 {
			return errors.New("it is too long")
		}
		return control.SetReadDeadline(time.Now().Add(quiet))
	}})
	for {
		left = maxReads
		var news wire.RunNews
		switch err := lines.Decode(&news); {
		case errors.Is(err, io.EOF):
			return errors.New("the server ended the call before the run")
		case err != nil:
			return fmt.Errorf("the call of the server broke: %w", err)
		case len(news.Run) == 0:
			continue
		}
		done, err := hear(news.Run)
		if done || err != nil {
			return err
		}
	}
}
