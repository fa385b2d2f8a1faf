package socket

import "testing"

// Whatever comes over the wire is read without harm.
func FuzzParsePacket(f *testing.F) {
	syn4 := append([]byte{0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 2, 0, 1, 10, 1, 0, 1}, 0x9c, 0x40, 0x1c, 0xcd)
	f.Add(syn4)
	f.Add(append([]byte{0x4f}, make([]byte, 30)...))
	f.Add(append([]byte{0x60, 0, 0, 0, 0, 8, 17, 64}, make([]byte, 40)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, ok := parsePacket(b)
		if ok && (!a.From.IsValid() || !a.To.IsValid() || a.Protocol == "") {
			t.Errorf("%x is read as %+v", b, a)
		}
	})
	if a, ok := parsePacket(syn4); !ok || a.From.String() != "10.2.0.1:40000" || a.To.Port() != 7373 || a.Protocol != "tcp" {
		f.Errorf("a SYN is read as %+v, %t", a, ok)
	}
}
