package wire

import (
	"encoding/binary"
	"fmt"
	"time"
)

// Stream tags a record of output.
type Stream uint8

// The streams. Gap marks bytes that were dropped: its payload is 8 bytes, their count, big endian.
const (
	Stdout Stream = 1
	Stderr Stream = 2
	Gap    Stream = 3
)

// RecordHeader is the size of a record's header in bytes: stream (1), time in µs since 1970 UTC (8), length (4), big endian.
const RecordHeader = 13

// Record is one piece of output of an attempt: what was read at once from one stream.
type Record struct {
	Stream Stream
	At     time.Time
	Data   []byte
}

// AppendRecord appends the written form of r to b.
func AppendRecord(b []byte, r Record) []byte {
	b = append(b, byte(r.Stream))
	b = binary.BigEndian.AppendUint64(b, uint64(r.At.UnixMicro()))
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.Data)))
	return append(b, r.Data...)
}

// ParseRecord reads the first record of b and returns it with its length in bytes. It returns length 0 and no
// error where b ends inside the record: more must be read. Data aliases b.
func ParseRecord(b []byte) (Record, int, error) {
	if len(b) < RecordHeader {
		return Record{}, 0, nil
	}
	stream := Stream(b[0])
	if stream < Stdout || stream > Gap {
		return Record{}, 0, fmt.Errorf("reading output record: stream %d, expected 1 to 3", b[0])
	}
	size := binary.BigEndian.Uint32(b[9:13])
	if size > MaxChunk {
		return Record{}, 0, fmt.Errorf("reading output record: %d bytes, at most %d", size, MaxChunk)
	}
	end := RecordHeader + int(size)
	if len(b) < end {
		return Record{}, 0, nil
	}
	at := time.UnixMicro(int64(binary.BigEndian.Uint64(b[1:9]))).UTC()
	return Record{Stream: stream, At: at, Data: b[RecordHeader:end]}, end, nil
}
