//go:build linux

package keeper

import (
	"sync"

	"github.com/reeve-scheduler/reeve/internal/wire"
)

// buffers are shared by all pipes of a keeper: one is held only while something is read or written.
type buffers struct{ pool sync.Pool }

func newBuffers() *buffers {
	return &buffers{pool: sync.Pool{New: func() any {
		b := make([]byte, 0, readSize+4*wire.RecordHeader)
		return &b
	}}}
}

func (b *buffers) take() *[]byte { return b.pool.Get().(*[]byte) }

func (b *buffers) give(one *[]byte) { b.pool.Put(one) }
