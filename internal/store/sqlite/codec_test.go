package sqlite

import (
	"bytes"
	"testing"
)

// FuzzUnpack reads chunks that a damaged file may hold: an error or as many bytes as were said, never more memory.
func FuzzUnpack(f *testing.F) {
	z, err := newCodec()
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(z.close)
	text := bytes.Repeat([]byte("one line of output\n"), 100)
	f.Add(codecZstd, z.pack(0, text).data, int64(len(text)))
	f.Add(codecPlain, []byte("short"), int64(5))
	f.Add(codecPlain, []byte("short"), int64(6))
	f.Add(codecZstd, []byte("no frame"), int64(8))
	f.Add(7, []byte{}, int64(-1))
	f.Fuzz(func(t *testing.T, kind int, data []byte, size int64) {
		raw, err := z.unpack(kind, data, size)
		if err == nil && int64(len(raw)) != size {
			t.Errorf("got %d bytes, want %d", len(raw), size)
		}
		if kind == codecZstd && cap(raw) > 4*chunkSize { // a plain chunk is not copied
			t.Errorf("%d bytes were allocated for a chunk", cap(raw))
		}
	})
}

// FuzzPack finds every input again.
func FuzzPack(f *testing.F) {
	z, err := newCodec()
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(z.close)
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte("ab"), 1000))
	f.Fuzz(func(t *testing.T, raw []byte) {
		raw = raw[:min(len(raw), chunkSize)]
		ch := z.pack(0, raw)
		got, err := z.unpack(ch.codec, ch.data, int64(len(raw)))
		if err != nil || !bytes.Equal(got, raw) {
			t.Errorf("got %d bytes of %d, error %v", len(got), len(raw), err)
		}
	})
}
