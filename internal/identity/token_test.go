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

func mint(t testing.TB) Token {
	t.Helper()
	token, err := MintToken(rand.Reader, Token{
		Name: "north", Domain: "test",
		Addresses:   []string{"hq1.example.com:7373", "10.1.0.5:7373", "[fe80::1%eth0]:7373"},
		Fingerprint: strings.Repeat("ab", 32),
	})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestTokenIsReadBack(t *testing.T) {
	t.Parallel()
	want := mint(t)
	got, err := ParseToken("  " + want.Text() + "\r\n")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the token changed on its way (-want +got):\n%s", diff)
	}
	if mint(t).Secret == want.Secret || mint(t).ID == want.ID {
		t.Error("two tokens have the same secret or id")
	}
}

func TestParseTokenRefuses(t *testing.T) {
	t.Parallel()
	token := mint(t)
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token.Text(), tokenPrefix))
	if err != nil {
		t.Fatal(err)
	}
	pack := func(json string) string { return tokenPrefix + base64.RawURLEncoding.EncodeToString([]byte(json)) }
	swap := func(old, with string) string {
		if !bytes.Contains(raw, []byte(old)) {
			t.Fatalf("%s is not in the token", old)
		}
		return pack(strings.Replace(string(raw), old, with, 1))
	}
	for name, text := range map[string]string{
		"empty":              "",
		"only the prefix":    tokenPrefix,
		"another version":    "reeve2." + strings.TrimPrefix(token.Text(), tokenPrefix),
		"cut":                token.Text()[:len(token.Text())-3],
		"padded":             token.Text() + "=",
		"a line break in it": token.Text()[:50] + "\n" + token.Text()[50:],
		"not JSON":           pack("hello"),
		"null":               pack("null"),
		"an array":           pack("[]"),
		"an empty object":    pack("{}"),
		"a trailer":          pack(string(raw) + "{}"),
		"white space":        pack(string(raw) + " "),
		"an unknown field":   swap(`"id"`, `"role":"server","id"`),
		"a double field":     swap(`"name":"north"`, `"name":"south","name":"north"`),
		"another case":       swap(`"name"`, `"Name"`),
		"a number":           swap(`"name":"north"`, `"name":7`),
		"an empty secret":    swap(token.Secret, ""),
		"a short secret":     swap(token.Secret, token.Secret[:20]),
		"a bad name":         swap(`"north"`, `"../north"`),
		"an escaped name":    swap(`"north"`, `"n\u006frth"`),
		"no address":         swap(`"hq1.example.com:7373","10.1.0.5:7373","[fe80::1%eth0]:7373"`, ""),
		"no port":            swap("10.1.0.5:7373", "10.1.0.5"),
		"port 0":             swap("10.1.0.5:7373", "10.1.0.5:0"),
		"port 65536":         swap("10.1.0.5:7373", "10.1.0.5:65536"),
		"port 080":           swap("10.1.0.5:7373", "10.1.0.5:080"),
		"a URL":              swap("10.1.0.5:7373", "https://10.1.0.5:7373"),
		"a host with a path": swap("hq1.example.com:7373", "hq1/x:7373"),
		"a fingerprint":      swap(token.Fingerprint, strings.ToUpper(token.Fingerprint)),
		"no fingerprint":     swap(token.Fingerprint, ""),
		"too long":           tokenPrefix + strings.Repeat("A", maxToken),
		"deep":               pack(strings.Repeat("[", 3000)),
	} {
		got, err := ParseToken(text)
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: ParseToken = %v, %v; want an error of kind invalid", name, got, err)
		} else if strings.Contains(err.Error(), token.Secret) {
			t.Errorf("%s: the message tells the secret: %v", name, err)
		}
	}
}

func TestTokenKeepsItsSecret(t *testing.T) {
	t.Parallel()
	token := mint(t)
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("made", slog.Any("token", token))
	slog.New(slog.NewTextHandler(&out, nil)).Info("made", slog.Any("token", &token))
	_, _ = fmt.Fprintf(&out, "%v %+v %#v %s %v", token, token, token, token, &token)
	if strings.Contains(out.String(), token.Secret) {
		t.Errorf("the secret was printed: %s", out.String())
	}
}

func TestSecretMatches(t *testing.T) {
	t.Parallel()
	token := mint(t)
	hash := HashSecret(token.Secret)
	for _, test := range []struct {
		hash, secret string
		want         bool
	}{
		{hash, token.Secret, true},
		{hash, token.Secret + "x", false},
		{hash, "", false},
		{"", "", false},
		{HashSecret(""), "", false},
		{"null", "null", false},
		{hash, hash, false},
	} {
		if got := SecretMatches(test.hash, test.secret); got != test.want {
			t.Errorf("SecretMatches(%q, %q) = %t, want %t", test.hash, test.secret, got, test.want)
		}
	}
}

func FuzzParseToken(f *testing.F) {
	f.Add(mint(f).Text())
	f.Add(tokenPrefix + "e30")
	f.Fuzz(func(t *testing.T, text string) {
		token, err := ParseToken(text)
		if err == nil && token.Text() != strings.TrimSpace(text) {
			t.Errorf("%q reads as %q: two spellings of one token", text, token.Text())
		}
	})
}
