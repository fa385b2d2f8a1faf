package relay

import (
	"context"
	"errors"
	"io"
	"net"
	"time"
)

const (
	firstRead = 2 << 10  // of a buffer: most connections are silent most of the time
	mostRead  = 32 << 10 // of one that has filled it
	// lingering is how long one direction goes on once the other has ended.
	lingering = 30 * time.Second
)

// Splice carries bytes both ways between two connections until both directions have ended, ctx has, or one has ended
// and the other does not follow. It closes both. An end is passed on: what was sent before it still gets there.
// A slow reader slows the writer; nothing is kept but one buffer each way.
func Splice(ctx context.Context, a, b net.Conn) {
	done := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{a, b}, {b, a}} {
		go func() {
			pass(way[0], way[1])
			done <- struct{}{}
		}()
	}
	over := 0
	select {
	case <-done:
		over++
		timer := time.NewTimer(lingering)
		defer timer.Stop()
		select {
		case <-done:
			over++
		case <-timer.C:
		case <-ctx.Done():
		}
	case <-ctx.Done():
	}
	closeBoth(a, b)
	for ; over < 2; over++ {
		<-done
	}
}

// pass carries bytes one way, and the end. What breaks on the way breaks both directions.
func pass(from, to net.Conn) {
	if err := copyAll(from, to); err != nil {
		closeBoth(from, to)
		return
	}
	if half, ok := to.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		return
	}
	_ = to.Close()
}

// copyAll copies until the end, with a buffer that is as large as it needs to be.
func copyAll(from, to net.Conn) error {
	buffer := make([]byte, firstRead)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case n == len(buffer) && n < mostRead:
			buffer = make([]byte, 4*n)
		}
	}
}

func closeBoth(a, b net.Conn) {
	_ = a.Close()
	_ = b.Close()
}
