package access

import "testing"

func FuzzParseHash(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=4294967295,t=4294967295,p=255$$")
	f.Add("$argon2i$v=16$m=1,t=1,p=1$AA$AA")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parseHash(text)
		if err != nil {
			return
		}
		if p.memory > maxArgonMemory || p.time > maxArgonTime || p.threads > maxArgonThreads || p.threads == 0 || len(p.key) < 16 {
			t.Errorf("%q asks for %+v", text, p)
		}
		if back := p.String(); back != text {
			t.Errorf("%q came back as %q", text, back)
		}
	})
}
