package identity

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

func mintCode(t testing.TB) Code {
	t.Helper()
	code, err := MintCode(rand.Reader, &newKey(t).PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func TestCodeIsReadBack(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	want, err := MintCode(rand.Reader, &key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseCode("\t" + want.Text() + "\r\n")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the code changed on its way (-want +got):\n%s", diff)
	}
	if hash, err := KeyHash(&key.PublicKey); err != nil || hash != got.Key {
		t.Errorf("the code has the key %s, want %s (%v)", got.Key, hash, err)
	}
	if raw, err := base64.RawURLEncoding.DecodeString(got.Secret); err != nil || len(raw) != 16 {
		t.Errorf("the secret has %d bytes (%v), want 128 bits", len(raw), err)
	}
	again, err := MintCode(rand.Reader, &key.PublicKey)
	if err != nil || again.Secret == want.Secret {
		t.Errorf("two codes have the same secret (%v)", err)
	}
	if _, err := MintCode(strings.NewReader("short"), &key.PublicKey); err == nil {
		t.Error("a code was made where there was no chance")
	}
}

func TestParseCodeRefuses(t *testing.T) {
	t.Parallel()
	code := mintCode(t)
	text := code.Text()
	body := strings.TrimPrefix(text, codePrefix)
	for name, bad := range map[string]string{
		"empty":              "",
		"only the prefix":    codePrefix,
		"another version":    "reeve-enrol2." + body,
		"a token":            mint(t).Text(),
		"cut":                text[:len(text)-1],
		"longer":             text + "A",
		"padded":             text + "=",
		"a line break in it": text[:40] + "\n" + text[41:],
		"a space in it":      text[:40] + " " + text[41:],
		"standard base64":    codePrefix + strings.Repeat("+", len(body)),
		"upper case prefix":  strings.ToUpper(codePrefix) + body,
		"very long":          codePrefix + strings.Repeat("A", 1<<20),
	} {
		got, err := ParseCode(bad)
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: ParseCode = %v, %v; want an error of kind invalid", name, got, err)
		} else if strings.Contains(err.Error(), code.Secret) {
			t.Errorf("%s: the message tells the secret: %v", name, err)
		}
	}
}

func TestCodeKeepsItsSecret(t *testing.T) {
	t.Parallel()
	code := mintCode(t)
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("made", slog.Any("code", code))
	slog.New(slog.NewTextHandler(&out, nil)).Info("made", slog.Any("code", &code))
	_, _ = fmt.Fprintf(&out, "%v %+v %#v %s %v", code, code, code, code, &code)
	if strings.Contains(out.String(), code.Secret) {
		t.Errorf("the secret was printed: %s", out.String())
	}
}

func FuzzParseCode(f *testing.F) {
	f.Add(mintCode(f).Text())
	f.Add(codePrefix + strings.Repeat("A", 64))
	f.Fuzz(func(t *testing.T, text string) {
		code, err := ParseCode(text)
		if err == nil && code.Text() != strings.TrimSpace(text) {
			t.Errorf("%q reads as %q: two spellings of one code", text, code.Text())
		}
	})
}
