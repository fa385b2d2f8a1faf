package sqlite

import (
	"fmt"

	"github.com/klauspost/compress/zstd"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// smallest is how many bytes are worth compressing.
const smallest = 128

// codec compresses chunks. It holds one encoder and one decoder with small windows: a server's memory is promised.
// It may be used by several goroutines; they wait for each other.
type codec struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
}

func newCodec() (*codec, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithWindowSize(chunkSize), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("preparing compression: %w", err)
	}
	// A damaged frame must not make the decoder allocate more than a chunk can hold.
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(chunkSize), zstd.WithDecoderMaxWindow(chunkSize))
	if err != nil {
		return nil, fmt.Errorf("preparing decompression: %w", err)
	}
	return &codec{enc: enc, dec: dec}, nil
}

// pack makes a chunk of raw, which it keeps.
func (z *codec) pack(offset int64, raw []byte) chunk {
	ch := chunk{offset: offset, raw: raw, codec: codecPlain, data: raw}
	if len(raw) < smallest {
		return ch
	}
	if data := z.enc.EncodeAll(raw, nil); len(data) < len(raw) {
		ch.codec, ch.data = codecZstd, data
	}
	return ch
}

// unpack returns the bytes of a chunk, which must be as many as size.
func (z *codec) unpack(kind int, data []byte, size int64) ([]byte, error) {
	if size < 0 || size > chunkSize {
		return nil, fmt.Errorf("size %d", size)
	}
	if kind == codecZstd {
		raw, err := z.dec.DecodeAll(data, make([]byte, 0, size))
		if err != nil {
			return nil, err
		}
		data = raw
	}
	if int64(len(data)) != size {
		return nil, fmt.Errorf("%d bytes, expected %d", len(data), size)
	}
	return data, nil
}

func (z *codec) close() {
	_ = z.enc.Close() // it writes to nothing
	z.dec.Close()
}

// damaged is for output whose stored form is not what was written.
func damaged(err error) error {
	return &fault.Error{Kind: fault.Internal, Msg: outputFile + " is damaged", Err: err, Fix: "the rest of the store is not touched by it"}
}
