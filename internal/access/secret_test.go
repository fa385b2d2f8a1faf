package access_test

import (
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/access"
)

func TestSecrets(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		s, err := access.NewSecret(rand.Reader)
		if err != nil || len(s) != 32 || seen[s] {
			t.Fatalf("got %q, %v", s, err)
		}
		seen[s] = true
	}
	if _, err := access.NewSecret(strings.NewReader("too short")); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a source that runs dry: got %v, want an error", err)
	}
	if access.SameSecret("", "") || access.SameSecret("x", "") || !access.SameSecret("x", access.HashSecret("x")) {
		t.Error("SameSecret: an empty hash fits, or the right one does not")
	}
}

func FuzzParseToken(f *testing.F) {
	f.Add("reeve_01J8ZQ-4_0123456789abcdef")
	f.Add("reeve_a_b_c")
	f.Add("reeve__")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		id, secret, err := access.ParseToken(text)
		if err != nil {
			if id != "" || secret != "" {
				t.Errorf("an error with %q, %q", id, secret)
			}
			return
		}
		if back := access.FormatToken(id, secret); back != text {
			t.Errorf("%q came back as %q", text, back)
		}
	})
}
