package ledger

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// The file begins with a head, which names its format. Then come frames, each with a length and a checksum, on
// multiples of eight bytes; zeros follow up to the end, written ahead so that a sync has little to do.
const (
	format    = 1
	magic     = "reeve ledger\r\n\x1a\x00"
	headSize  = 64
	frameHead = 8
	align     = 8
	maxRecord = 1 << 20
)

// head is the beginning of the file.
type head struct {
	format   uint32
	id       uint64 // of this file; a rewritten ledger has another
	base     uint64 // the sequence number of the records of the snapshot
	snapshot int64  // where the snapshot ends
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

func (h head) encode() []byte {
	b := make([]byte, headSize)
	copy(b, magic)
	binary.LittleEndian.PutUint32(b[16:], h.format)
	binary.LittleEndian.PutUint64(b[24:], h.id)
	binary.LittleEndian.PutUint64(b[32:], h.base)
	binary.LittleEndian.PutUint64(b[40:], uint64(h.snapshot))
	binary.LittleEndian.PutUint32(b[20:], checksum(b))
	return b
}

// decodeHead reads a head. A newer format is told apart from damage: its checksum may stand elsewhere.
func decodeHead(b []byte) (head, error) {
	if len(b) < headSize || string(b[:len(magic)]) != magic {
		return head{}, &damage{offset: 0, what: "the head of the ledger cannot be read"}
	}
	h := head{format: binary.LittleEndian.Uint32(b[16:])}
	sum := binary.LittleEndian.Uint32(b[20:])
	own := append([]byte(nil), b[:headSize]...)
	clear(own[20:24])
	if checksum(own) != sum && h.format <= format {
		return head{}, &damage{offset: 0, what: "the head of the ledger cannot be read"}
	}
	if h.format > format {
		return head{}, newer(fmt.Sprintf("it has format %d, and this version reads %d", h.format, format))
	}
	h.id, h.base = binary.LittleEndian.Uint64(b[24:]), binary.LittleEndian.Uint64(b[32:])
	h.snapshot = int64(binary.LittleEndian.Uint64(b[40:]))
	return h, nil
}

func newer(detail string) error {
	return &Refusal{Outcome: NewerFormat, Text: "a newer version of reeve wrote this ledger: " + detail + "; use that version"}
}

// damage is what the file says where a record should be that was acknowledged.
type damage struct {
	offset int64
	what   string
}

func (d *damage) Error() string { return fmt.Sprintf("offset %d: %s", d.offset, d.what) }

// appendFrame appends a record to b, framed.
func appendFrame(b []byte, r record) []byte {
	start := len(b)
	e := encoder{b: append(b, make([]byte, frameHead)...)}
	e.record(r)
	b = e.b
	binary.LittleEndian.PutUint32(b[start:], uint32(len(b)-start-frameHead))
	binary.LittleEndian.PutUint32(b[start+4:], frameSum(b[start:]))
	for (len(b)-start)%align != 0 {
		b = append(b, 0)
	}
	return b
}

// frameSum covers the length too: no length, no sense.
func frameSum(frame []byte) uint32 {
	return crc32.Update(checksum(frame[:4]), crc32.MakeTable(crc32.Castagnoli), frame[frameHead:])
}

// frameState says what stands at a place of the file.
type frameState int

const (
	frameWhole frameState = iota
	frameEnd              // zeros, or the end of the file
	frameMore             // it goes on behind what was read
	frameBad
)

// readFrame looks at the frame at the beginning of b. The payload is a part of b; size is what the frame takes.
func readFrame(b []byte) (payload []byte, size int, state frameState) {
	if len(b) < frameHead {
		if nonZero(b) < 0 {
			return nil, 0, frameEnd
		}
		return nil, 0, frameMore
	}
	n := int(binary.LittleEndian.Uint32(b))
	sum := binary.LittleEndian.Uint32(b[4:])
	switch {
	case n == 0 && sum == 0:
		return nil, 0, frameEnd
	case n == 0 || n > maxRecord:
		return nil, 0, frameBad
	}
	size = (frameHead + n + align - 1) / align * align
	if size > len(b) {
		return nil, size, frameMore
	}
	if frameSum(b[:frameHead+n]) != sum {
		return nil, 0, frameBad
	}
	return b[frameHead : frameHead+n], size, frameWhole
}

// nonZero returns the index of the first byte that is not zero, -1 if there is none.
func nonZero(b []byte) int {
	for i, c := range b {
		if c != 0 {
			return i
		}
	}
	return -1
}
