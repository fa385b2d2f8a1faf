package identity

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func openAuthority(t testing.TB, dir, domain string, now time.Time) *Authority {
	t.Helper()
	a, err := OpenAuthority(dir, domain, now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func request(t testing.TB, template *x509.CertificateRequest, key any) *x509.CertificateRequest {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := ParseRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	return csr
}

func agentID(name string) Identity {
	return Identity{Domain: "test", Role: RoleAgent, Name: name, ID: "abcdefgh2345"}
}

func serverID(name string) Identity {
	return Identity{Domain: "test", Role: RoleServer, Name: name, ID: "abcdefgh7654"}
}

func TestAuthorityIsMadeOnceAndLoadedAfter(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "ca")
	first := openAuthority(t, dir, "test", noon)
	again := openAuthority(t, dir, "", noon.Add(time.Hour))
	if first.Fingerprint() != again.Fingerprint() || again.Domain() != "test" {
		t.Errorf("loaded %s of %q, want %s of test", again.Fingerprint(), again.Domain(), first.Fingerprint())
	}
	other := openAuthority(t, filepath.Join(t.TempDir(), "ca"), "test", noon)
	if first.Fingerprint() == other.Fingerprint() || first.key.Equal(other.key) {
		t.Error("two installations have the same authority")
	}
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, authorityFile): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, %v; want %v", path, info.Mode().Perm(), err, want)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("the folder holds %v, %v; want one file", left, err)
	}
}

// Whoever loses the race must use the winner's authority, not overwrite it.
func TestAuthorityMadeAtOnceByMany(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "ca")
	var group sync.WaitGroup
	prints := make([]string, 8)
	for i := range prints {
		group.Go(func() {
			if a, err := OpenAuthority(dir, "test", noon, rand.Reader); err != nil {
				t.Error(err)
			} else {
				prints[i] = a.Fingerprint()
			}
		})
	}
	group.Wait()
	for _, got := range prints {
		if got != prints[0] {
			t.Errorf("fingerprints differ: %s and %s", got, prints[0])
		}
	}
}

func TestAuthorityRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil  func(t *testing.T, dir, file string)
		domain string
		now    time.Time
		want   string
	}{
		"readable file":     {func(t *testing.T, _, file string) { chmod(t, file, 0o640) }, "test", noon, "chmod 600"},
		"readable folder":   {func(t *testing.T, dir, _ string) { chmod(t, dir, 0o755) }, "test", noon, "chmod 700"},
		"another domain":    {nil, "other", noon, `belongs to the domain "test"`},
		"a clock behind":    {nil, "test", noon.Add(-time.Hour), "set this machine's clock"},
		"a clock far ahead": {nil, "test", noon.AddDate(11, 0, 0), "set this machine's clock"},
		"an empty file":     {func(t *testing.T, _, file string) { overwrite(t, file, nil) }, "test", noon, "restore it from a backup"},
		"half a file": {func(t *testing.T, _, file string) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			overwrite(t, file, text[:len(text)/2])
		}, "test", noon, "restore it from a backup"},
		"another's key": {func(t *testing.T, _, file string) {
			text, err := encodeKey(newKey(t))
			if err != nil {
				t.Fatal(err)
			}
			cert := openAuthority(t, filepath.Dir(file), "test", noon).Bundle()
			overwrite(t, file, append(text, cert...))
		}, "test", noon, "restore it from a backup"},
		"a huge file":   {func(t *testing.T, _, file string) { overwrite(t, file, make([]byte, maxFile+1)) }, "test", noon, "larger than"},
		"a link":        {func(t *testing.T, _, file string) { relink(t, file) }, "test", noon, "not a regular file"},
		"a bad domain":  {nil, "Bad Domain", noon, "not valid"},
		"nothing there": {func(t *testing.T, _, file string) { remove(t, file) }, "", noon, "opening authority"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "ca")
			openAuthority(t, dir, "test", noon)
			if test.spoil != nil {
				test.spoil(t, dir, filepath.Join(dir, authorityFile))
			}
			_, err := OpenAuthority(dir, test.domain, test.now, rand.Reader)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("OpenAuthority: %v; want an error with %q", err, test.want)
			}
		})
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func overwrite(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func relink(t *testing.T, path string) {
	t.Helper()
	target := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.Rename(path, target); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

// A request can ask for everything; it gets a certificate for its key, and nothing else of it is read.
func TestIssueTakesOnlyTheKey(t *testing.T) {
	t.Parallel()
	a := openAuthority(t, filepath.Join(t.TempDir(), "ca"), "test", noon)
	key := newKey(t)
	evil, err := url.Parse("reeve://test/server/hq1/abcdefgh2345")
	if err != nil {
		t.Fatal(err)
	}
	csr := request(t, &x509.CertificateRequest{
		Subject:        pkix.Name{CommonName: "hq1", Organization: []string{"test"}},
		DNSNames:       []string{"hq1.example.com"},
		IPAddresses:    []net.IP{net.IPv4(10, 0, 0, 1)},
		EmailAddresses: []string{"root@example.com"},
		URIs:           []*url.URL{evil},
		ExtraExtensions: []pkix.Extension{
			{Id: []int{2, 5, 29, 19}, Critical: true, Value: []byte{0x30, 0x03, 0x01, 0x01, 0xff}}, // CA:TRUE
			{Id: []int{2, 5, 29, 15}, Critical: true, Value: []byte{0x03, 0x02, 0x01, 0x06}},       // signs certificates
		},
	}, key)
	chain, err := a.Issue(csr, agentID("north"), AgentLife, noon)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseCredentials(chain, key)
	if err != nil {
		t.Fatal(err)
	}
	if c.Identity != agentID("north") {
		t.Errorf("identity is %v, want %v", c.Identity, agentID("north"))
	}
	leaf := c.Leaf
	if leaf.IsCA || len(leaf.DNSNames)+len(leaf.IPAddresses)+len(leaf.EmailAddresses) > 0 || len(leaf.URIs) != 1 || leaf.Subject.CommonName != "north" {
		t.Errorf("the certificate has taken over something of the request: %+v", leaf.Subject)
	}
	if !leaf.NotBefore.Equal(noon.Add(-time.Minute)) || !leaf.NotAfter.Equal(noon.Add(24*time.Hour)) {
		t.Errorf("valid from %v to %v, want a minute before %v to 24 h after", leaf.NotBefore, leaf.NotAfter, noon)
	}
	if got, want := RenewAt(leaf), noon.Add(-time.Minute).Add((24*time.Hour+time.Minute)/3*2); !got.Equal(want) {
		t.Errorf("RenewAt = %v, want %v", got, want)
	}
}

func TestIssueRefuses(t *testing.T) {
	t.Parallel()
	a := openAuthority(t, filepath.Join(t.TempDir(), "ca"), "test", noon)
	plain := &x509.CertificateRequest{}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := request(t, plain, newKey(t))
	forged := *good
	forged.PublicKey = &newKey(t).PublicKey // somebody else's key under this signature
	other := agentID("north")
	other.Domain = "other"
	for name, test := range map[string]struct {
		csr *x509.CertificateRequest
		id  Identity
		ttl time.Duration
		now time.Time
	}{
		"an Ed25519 key":      {request(t, plain, edKey), agentID("north"), time.Hour, noon},
		"a P-384 key":         {request(t, plain, p384), agentID("north"), time.Hour, noon},
		"a forged request":    {&forged, agentID("north"), time.Hour, noon},
		"the authority's key": {request(t, plain, a.key), agentID("north"), time.Hour, noon},
		"the role server":     {good, serverID("hq1"), time.Hour, noon},
		"another domain":      {good, other, time.Hour, noon},
		"a bad name":          {good, agentID("../north"), time.Hour, noon},
		"no life":             {good, agentID("north"), 0, noon},
		"a life too long":     {good, agentID("north"), 1000 * time.Hour * 24, noon},
		"a wrong clock":       {good, agentID("north"), time.Hour, noon.AddDate(-1, 0, 0)},
	} {
		if chain, err := a.Issue(test.csr, test.id, test.ttl, test.now); err == nil {
			t.Errorf("%s: Issue gave a certificate %s, want an error", name, chain[:30])
		}
	}
	for _, host := range []string{"*.example.com", "a b", "", "evil\x00.example.com", "-x"} {
		if _, err := a.IssueServer(&newKey(t).PublicKey, serverID("hq1"), []string{host}, time.Hour, noon); err == nil {
			t.Errorf("IssueServer took the host %q, want an error", host)
		}
	}
	if _, err := a.IssueServer(&newKey(t).PublicKey, agentID("north"), nil, time.Hour, noon); err == nil {
		t.Error("IssueServer took an agent, want an error")
	}
}

func TestServerCertificateSuitsBrowsers(t *testing.T) {
	t.Parallel()
	a := openAuthority(t, filepath.Join(t.TempDir(), "ca"), "test", noon)
	key := newKey(t)
	chain, err := a.IssueServer(&key.PublicKey, serverID("hq1"), []string{"HQ1.example.com", "10.1.0.5", "::1"}, time.Hour, noon)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseCredentials(chain, key)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"hq1.example.com", "10.1.0.5", "[::1]"} {
		if _, err := c.Leaf.Verify(x509.VerifyOptions{Roots: c.pool, DNSName: host, CurrentTime: noon}); err != nil {
			t.Errorf("a browser at %s: %v", host, err)
		}
	}
}

func TestKeyIsMadeOnceAndGuarded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "node.key")
	first, err := OpenKey(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := OpenKey(path)
	if err != nil || !first.Equal(again) {
		t.Errorf("OpenKey gave another key at the second time, %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode is %v, %v; want 0600", info.Mode(), err)
	}
	chmod(t, path, 0o644)
	if _, err := OpenKey(path); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("OpenKey of a readable key: %v; want it refused with what to do", err)
	}
	overwrite(t, path, []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
	chmod(t, path, 0o600)
	if _, err := OpenKey(path); !fault.Is(err, fault.Invalid) {
		t.Errorf("OpenKey of a broken key: %v; want kind invalid", err)
	}
}

func TestCredentialsAreSavedAndLoaded(t *testing.T) {
	t.Parallel()
	a := openAuthority(t, filepath.Join(t.TempDir(), "ca"), "test", noon)
	path := filepath.Join(t.TempDir(), "node.pem")
	key := newKey(t)
	if _, err := LoadCredentials(path, key); !fault.Is(err, fault.NotFound) {
		t.Errorf("LoadCredentials of nothing: %v; want kind not found", err)
	}
	chain, err := a.Issue(request(t, &x509.CertificateRequest{}, key), agentID("north"), AgentLife, noon)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseCredentials(chain, key)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // a renewal writes over the last
		if err := SaveCredentials(path, c); err != nil {
			t.Fatal(err)
		}
	}
	loaded, err := LoadCredentials(path, key)
	if err != nil || loaded.Identity != c.Identity || !loaded.Leaf.Equal(c.Leaf) || len(loaded.Roots) != 1 {
		t.Errorf("LoadCredentials = %+v, %v; want what was saved", loaded, err)
	}
	if _, err := LoadCredentials(path, newKey(t)); err == nil || !strings.Contains(err.Error(), "another key") {
		t.Errorf("LoadCredentials with another key: %v; want it refused", err)
	}
}

func TestParseCredentialsRefuses(t *testing.T) {
	t.Parallel()
	a := openAuthority(t, filepath.Join(t.TempDir(), "ca"), "test", noon)
	stranger := openAuthority(t, filepath.Join(t.TempDir(), "ca"), "test", noon)
	key := newKey(t)
	chain, err := a.Issue(request(t, &x509.CertificateRequest{}, key), agentID("north"), AgentLife, noon)
	if err != nil {
		t.Fatal(err)
	}
	leaf := chain[:len(chain)-len(a.Bundle())]
	join := func(parts ...[]byte) []byte {
		var all []byte
		for _, part := range parts {
			all = append(all, part...)
		}
		return all
	}
	secret, err := encodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"nothing":              nil,
		"no authority":         leaf,
		"another authority":    join(leaf, stranger.Bundle()),
		"a leaf as authority":  join(leaf, leaf),
		"authority first":      join(a.Bundle(), leaf),
		"a trailer":            join(chain, []byte("x")),
		"a key in it":          join(chain, secret),
		"too many authorities": join(leaf, []byte(strings.Repeat(string(a.Bundle()), 9))),
		"too long":             make([]byte, maxFile+1),
	} {
		if c, err := ParseCredentials(text, key); err == nil {
			t.Errorf("%s: ParseCredentials = %v, want an error", name, c.Identity)
		}
	}
}

func FuzzParseCredentials(f *testing.F) {
	a := openAuthority(f, filepath.Join(f.TempDir(), "ca"), "test", noon)
	key := newKey(f)
	chain, err := a.Issue(request(f, &x509.CertificateRequest{}, key), agentID("north"), AgentLife, noon)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(chain)
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := ParseCredentials(text, key)
		if err == nil && c.Identity != agentID("north") {
			t.Errorf("a certificate for %v came out of nothing", c.Identity)
		}
	})
}

// FuzzRequest: whatever the request says, the certificate says what the authority was told.
func FuzzRequest(f *testing.F) {
	a := openAuthority(f, filepath.Join(f.TempDir(), "ca"), "test", noon)
	der, err := NewRequest(newKey(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(der)
	f.Fuzz(func(t *testing.T, der []byte) {
		csr, err := ParseRequest(der)
		if err != nil {
			return
		}
		chain, err := a.Issue(csr, agentID("north"), time.Hour, noon)
		if err != nil {
			return
		}
		certs, err := decodeCertificates(chain)
		if err != nil {
			t.Fatal(err)
		}
		if id, err := FromCertificate(certs[0]); err != nil || id != agentID("north") {
			t.Errorf("the certificate is %v, %v", id, err)
		}
	})
}

func TestSerialNumbersDiffer(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 100 {
		serial, err := newSerial(rand.Reader)
		if err != nil || serial.Sign() <= 0 || serial.Cmp(new(big.Int).Lsh(big.NewInt(1), 127)) >= 0 || seen[serial.String()] {
			t.Fatalf("newSerial = %v, %v; want a new positive number below 2^127", serial, err)
		}
		seen[serial.String()] = true
	}
}
