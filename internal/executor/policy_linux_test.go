package executor

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWithoutAnAllowFile: an agent that is root and has no allow file runs jobs as its own user and grants nobody else.
func TestWithoutAnAllowFile(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "run-as.yaml")
	for _, path := range []string{"", missing} {
		p := &policy{path: path, self: User{Name: "root", Home: "/root", Shell: "/bin/sh"}}
		u, err := p.resolve("", "a/net", nil)
		if err != nil || u.UID != 0 || !u.Switch {
			t.Errorf("a job without run_as: got %+v, %v, want root", u, err)
		}
		for what, call := range map[string]func() (User, error){
			"another user":  func() (User, error) { return p.resolve("nobody", "a/net", nil) },
			"root by name":  func() (User, error) { return p.resolve("root", "a/net", nil) },
			"what it loads": func() (User, error) { return p.resolve("", "a/net", []string{"LD_PRELOAD=/x"}) },
		} {
			_, err := call()
			var refused *StartError
			if !errors.As(err, &refused) || refused.Reason != "run_as" {
				t.Errorf("%s: got %v, want a refusal for run_as", what, err)
			}
		}
	}
	// The file is law from the moment that it is there.
	if err := os.WriteFile(missing, []byte("allow: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &policy{path: missing, self: User{Name: "root"}}
	if _, err := p.resolve("", "a/net", nil); err == nil || !strings.Contains(err.Error(), "not permitted") && !strings.Contains(err.Error(), "owned by uid") {
		t.Errorf("with an empty allow file: got %v, want a refusal", err)
	}
}
