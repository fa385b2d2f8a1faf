package directory

import (
	"encoding/binary"
	"errors"
)

var errXDR = errors.New("the arguments are not what the procedure takes")

// decoder reads XDR (RFC 4506). After a mistake it returns zeros, and err says so.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) uint32() uint32 {
	if len(d.b) < 4 {
		d.b, d.err = nil, errXDR
		return 0
	}
	v := binary.BigEndian.Uint32(d.b)
	d.b = d.b[4:]
	return v
}

// opaque reads bytes of variable length, at most longest of them.
func (d *decoder) opaque(longest uint32) []byte {
	n := d.uint32()
	padded := (uint64(n) + 3) &^ 3
	if n > longest || padded > uint64(len(d.b)) {
		d.b, d.err = nil, errXDR
		return nil
	}
	v := d.b[:n]
	d.b = d.b[padded:]
	return v
}

// longestText bounds each text of a request: a network's name, a universal address, an owner.
const longestText = 256

func (d *decoder) text() string { return string(d.opaque(longestText)) }

// encoder writes XDR.
type encoder []byte

func (e *encoder) uint32(values ...uint32) {
	for _, v := range values {
		*e = binary.BigEndian.AppendUint32(*e, v)
	}
}

func (e *encoder) opaque(v []byte) {
	e.uint32(uint32(len(v))) //nolint:gosec // what is written is short
	*e = append(*e, v...)
	for len(*e)%4 != 0 {
		*e = append(*e, 0)
	}
}

func (e *encoder) text(v string) { e.opaque([]byte(v)) }
