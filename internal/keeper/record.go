//go:build linux

package keeper

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/reeve-scheduler/reeve/internal/executor"
	"github.com/reeve-scheduler/reeve/internal/wire"
)

// The kinds of record in the journal.
const (
	recordIntent    = "intent"    // synced before exec
	recordStarted   = "started"   // the first proof of exec
	recordEnding    = "ending"    // a cancel of what runs
	recordExit      = "exit"      // the end, with its report; synced before it is reported
	recordTombstone = "tombstone" // will never be executed, with its report
	recordAck       = "ack"       // a server has committed these reports
	recordForget    = "forget"    // the attempt's folder is gone
	recordMark      = "mark"      // epoch, mark, and the last report id given
	recordTenure    = "tenure"    // until when what is fenced may run
	recordNoStarts  = "no_starts" // nothing more is started under this journal's keeper
	recordDoubt     = "doubt"     // part of the journal was lost: what it does not know cannot be known
)

// record is one entry of the journal. Only the fields of its kind are filled.
type record struct {
	Kind     string             `json:"k"`
	Attempt  *wire.Attempt      `json:"a,omitempty"`
	Position *wire.Position     `json:"p,omitempty"`
	Order    *wire.Order        `json:"o,omitempty"` // without command, script, env and inputs
	Boot     string             `json:"b,omitempty"` // boot id
	Identity *executor.Identity `json:"i,omitempty"`
	At       time.Time          `json:"t,omitzero"`
	Clock    time.Duration      `json:"c,omitempty"` // CLOCK_BOOTTIME, of the start or the deadline
	Grace    time.Duration      `json:"g,omitempty"`
	Report   *wire.Report       `json:"r,omitempty"`
	Acked    bool               `json:"d,omitempty"` // in a rewritten journal
	IDs      []int64            `json:"n,omitempty"`
	Epoch    int64              `json:"e,omitempty"`
	Mark     int64              `json:"m,omitempty"`
	LastID   int64              `json:"l,omitempty"`
}

// A record on disk: magic, length of the payload, CRC32C of the payload, CRC32C of these 12 bytes, then the payload
// as JSON. What follows the last record is zero: the file is filled ahead, so that a sync changes no size and a
// full disk leaves room for the ends of what runs.
const (
	magic      = 0x314a4552 // "REJ1", little endian
	headerSize = 16
	maxPayload = 4 << 20
)

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// appendRecord appends the written form of r to b.
func appendRecord(b []byte, r record) ([]byte, error) {
	payload, err := json.Marshal(r)
	if err != nil {
		return b, fmt.Errorf("writing journal record: %w", err)
	}
	if len(payload) > maxPayload {
		return b, fmt.Errorf("writing journal record: %d bytes, at most %d", len(payload), maxPayload)
	}
	return append(appendHeader(b, payload), payload...), nil
}

func appendHeader(b, payload []byte) []byte {
	table := castagnoli()
	at := len(b)
	b = binary.LittleEndian.AppendUint32(b, magic)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(payload, table))
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[at:at+12], table))
}

// scanned is what was read from a journal.
type scanned struct {
	records []record
	end     int64   // where the next record goes
	damaged []int64 // where it did not read
	lost    int64   // bytes that could not be saved: what they said is not known
}

// scan reads a journal's bytes. A record that ends early, followed by nothing, was being written when its writer
// ended: nobody was told of it, and it is left out. Every other place that does not read is damage: what can be
// read around it is, and the record itself where its payload is whole.
func scan(b []byte) scanned {
	var s scanned
	lose := func(from, to int) {
		s.damaged = append(s.damaged, int64(from))
		s.lost += int64(to - from)
	}
	for pos := 0; ; s.end = int64(pos) {
		next := nonZero(b, pos)
		if next < 0 {
			return s
		}
		if next > pos { // a hole: records are written one behind the other
			lose(pos, next)
			pos = next
		}
		r, size, whole := readRecord(b[pos:])
		if size > 0 {
			if !whole {
				s.damaged = append(s.damaged, int64(pos))
			}
			s.records = append(s.records, r)
			pos += size
			continue
		}
		next = nextRecord(b, pos+1)
		if next >= 0 {
			lose(pos, next)
			pos = next
			continue
		}
		if !torn(b[pos:]) {
			lose(pos, lastNonZero(b)+1)
		}
		return s
	}
}

// readRecord reads the record at the beginning of b. size 0: there is none. whole is false where it was saved from
// damage: the payload read as JSON although a checksum failed.
func readRecord(b []byte) (r record, size int, whole bool) {
	if len(b) <= headerSize {
		return record{}, 0, false
	}
	table := castagnoli()
	length := binary.LittleEndian.Uint32(b[4:])
	headerOK := binary.LittleEndian.Uint32(b) == magic && crc32.Checksum(b[:12], table) == binary.LittleEndian.Uint32(b[12:])
	if headerOK && length <= maxPayload && int(length) <= len(b)-headerSize {
		payload := b[headerSize : headerSize+int(length)]
		if crc32.Checksum(payload, table) == binary.LittleEndian.Uint32(b[8:]) && json.Unmarshal(payload, &r) == nil {
			return r, headerSize + int(length), true
		}
		return record{}, 0, false
	}
	if headerOK {
		return record{}, 0, false
	}
	// The header is damaged. The payload behind it is whole if the header that belongs to it differs from what is
	// here only before, or only in, the header's own checksum.
	decoder := json.NewDecoder(bytes.NewReader(b[headerSize:min(len(b), headerSize+maxPayload)]))
	if b[headerSize] != '{' || decoder.Decode(&r) != nil || r.Kind == "" {
		return record{}, 0, false
	}
	n := int(decoder.InputOffset())
	want := appendHeader(nil, b[headerSize:headerSize+n])
	if !bytes.Equal(want[:12], b[:12]) && !bytes.Equal(want[12:], b[12:headerSize]) {
		return record{}, 0, false
	}
	return r, headerSize + n, false
}

// nextRecord returns where the next whole record begins, or -1.
func nextRecord(b []byte, from int) int {
	var mark [4]byte
	binary.LittleEndian.PutUint32(mark[:], magic)
	for from < len(b) {
		i := bytes.Index(b[from:], mark[:])
		if i < 0 {
			return -1
		}
		if _, size, whole := readRecord(b[from+i:]); size > 0 && whole {
			return from + i
		}
		from += i + 1
	}
	return -1
}

// torn reports whether b may be the beginning of a record whose rest was never written.
func torn(b []byte) bool {
	var mark [4]byte
	binary.LittleEndian.PutUint32(mark[:], magic)
	n := min(len(b), 4)
	if !bytes.Equal(b[:n], mark[:n]) && nonZero(b, n) >= 0 {
		return false
	}
	if len(b) < headerSize || nonZero(b, 12) < 0 {
		return true
	}
	if crc32.Checksum(b[:12], castagnoli()) != binary.LittleEndian.Uint32(b[12:]) {
		return nonZero(b, headerSize) < 0
	}
	length := int(binary.LittleEndian.Uint32(b[4:]))
	// Written from front to back: if it was cut off, its last bytes are not there.
	return length > len(b)-headerSize || length > 0 && b[headerSize+length-1] == 0
}

func nonZero(b []byte, from int) int {
	for i := from; i < len(b); i++ {
		if b[i] != 0 {
			return i
		}
	}
	return -1
}

func lastNonZero(b []byte) int {
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] != 0 {
			return i
		}
	}
	return -1
}
