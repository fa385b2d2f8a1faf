package discovery

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/internal/responder"
)

func abouts() *rapid.Generator[About] {
	return rapid.Custom(func(t *rapid.T) About {
		return About{
			Name: rapid.String().Draw(t, "name"), Role: rapid.String().Draw(t, "role"), Version: rapid.StringN(0, 2000, -1).Draw(t, "version"),
			Domain: rapid.String().Draw(t, "domain"), Fingerprint: rapid.String().Draw(t, "fingerprint"), Joined: rapid.Bool().Draw(t, "joined"), Port: rapid.IntRange(0, 65535).Draw(t, "port"),
		}
	})
}

// TestAnswerNeverLonger: whatever a node tells of itself, an answer is at most as long as its question, and can be read.
func TestAnswerNeverLonger(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		about, n := abouts().Draw(t, "about"), nonce(rapid.SliceOfN(rapid.Byte(), nonceSize, nonceSize).Draw(t, "nonce"))
		p := &Post{cfg: Config{About: func() About { return about }}}
		asked := request(n)
		got := p.Answer(asked, responder.Asked{Room: len(asked)})
		if len(got) == 0 || len(got) > len(asked) {
			t.Fatalf("%d bytes for %d", len(got), len(asked))
		}
		back, read, ok := readAnswer(got)
		if !ok || back != n || read.Joined != about.Joined || read.Port != about.Port || read.Name != printable(about.Name) {
			t.Fatalf("read %v, %+v, %v; want %+v", back, read, ok, about)
		}
	})
}

// TestLongestAnswer: every text at its longest fits.
func TestLongestAnswer(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1000)
	got := answer(nonce{}, About{Name: long, Role: long, Version: long, Domain: long, Fingerprint: long, Joined: true, Port: 65535})
	if len(got) > requestSize {
		t.Errorf("%d bytes, want at most %d", len(got), requestSize)
	}
}

// TestSilence: what is no question of the full length is not answered, nor is a node's own broadcast, nor an answer.
func TestSilence(t *testing.T) {
	t.Parallel()
	heard := 0
	n := nonce{1}
	p := &Post{cfg: Config{About: func() About { return About{Name: "a"} }}, waiting: map[nonce]func(netip.AddrPort, About){n: func(netip.AddrPort, About) { heard++ }}}
	whole := request(nonce{2})
	for name, b := range map[string][]byte{
		"short": whole[:requestSize-1], "long": append(bytes.Clone(whole), 0), "empty": {}, "other words": append([]byte("REEVE-DISCOVERY 2\n"), whole[18:]...),
		"filled with something": append(bytes.Clone(whole[:requestSize-1]), 1), "its own": request(n), "an answer": answer(n, About{}), "an answer to nobody": answer(nonce{9}, About{}),
	} {
		if got := p.Answer(b, responder.Asked{Room: 4096}); got != nil {
			t.Errorf("%s: answered with %q", name, got)
		}
	}
	if heard != 1 {
		t.Errorf("%d answers heard, want the one that was asked for", heard)
	}
	if got := (&Post{}).Answer(whole, responder.Asked{Room: 4096}); got != nil {
		t.Errorf("a node that tells nothing answered %q", got)
	}
}

// TestReadAnswerRefuses: what an answer may not say.
func TestReadAnswerRefuses(t *testing.T) {
	t.Parallel()
	zeros := hex.EncodeToString(make([]byte, nonceSize))
	for _, text := range []string{"", "{}", `{"nonce":"00"}`, `{"nonce":"` + zeros + `","port":65536}`, `{"nonce":"` + zeros + `","port":-1}`, `{"nonce":"` + zeros + `"`, `[]`} {
		if _, a, ok := readAnswer([]byte(answers + text)); ok {
			t.Errorf("%q was read as %+v", text, a)
		}
	}
}

// FuzzMessage: nothing that comes in breaks a node, or is answered with more.
func FuzzMessage(f *testing.F) {
	f.Add(request(nonce{1}))
	f.Add(answer(nonce{1}, About{Name: "a", Role: "agent", Version: "1", Port: 7373}))
	f.Add([]byte(answers + `{"nonce":"","port":1e9}`))
	p := &Post{cfg: Config{About: func() About { return About{Name: "a", Version: strings.Repeat("v", 500)} }}, waiting: map[nonce]func(netip.AddrPort, About){}}
	f.Fuzz(func(t *testing.T, b []byte) {
		if got := p.Answer(b, responder.Asked{Room: len(b)}); len(got) > len(b) {
			t.Errorf("%d bytes for %d", len(got), len(b))
		}
		if _, a, ok := readAnswer(b); ok && (len(a.Name) > longest || strings.ContainsAny(a.Name, "\x1b<")) {
			t.Errorf("read the name %q", a.Name)
		}
	})
}
