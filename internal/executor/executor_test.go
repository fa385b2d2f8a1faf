package executor

import (
	"slices"
	"strings"
	"testing"
)

func TestAllow(t *testing.T) {
	t.Parallel()
	a, err := ParseAllow([]byte("allow:\n- {user: batch, nets: ['census/*', one]}\n- {user: root, nets: ['ops/backup'], env: [PATH]}\n- {user: any, nets: ['*']}\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		user, net string
		want      bool
	}{
		{"batch", "census/packages", true},
		{"batch", "census/deep/er", true},
		{"batch", "census", false},
		{"batch", "censusx/packages", false},
		{"batch", "one", true},
		{"batch", "ops/backup", false},
		{"root", "ops/backup", true},
		{"root", "census/packages", false},
		{"", "census/packages", false},
		{"any", "what/ever", true},
	} {
		if _, got := a.Permits(c.user, c.net); got != c.want {
			t.Errorf("%s, %s: got %v, want %v", c.user, c.net, got, c.want)
		}
	}
	for text, want := range map[string]string{
		"allow: [{user: batch}]":                    "names no nets",
		"allow: [{nets: ['*']}]":                    "names no user",
		"allow: [{user: a, nets: ['*'], group: x}]": "group",
		"allowed: []":                               "allowed",
		"allow: [{user: a, nets: ['[']}]":           "pattern",
		"allow: {user: a}":                          "reading",
		strings.Repeat(" ", maxAllowFile+1):         "at most",
		"allow: [{user: a, user: b, nets: ['*']}]":  "reading",
	} {
		if _, err := ParseAllow([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: got %v, want %q in it", text, err, want)
		}
	}
	if empty, err := ParseAllow(nil); err != nil || len(empty.Rules) > 0 {
		t.Errorf("nothing: got %v, %v", empty, err)
	}
}

func TestLoaders(t *testing.T) {
	t.Parallel()
	env := []string{"LD_PRELOAD=x", "PATH=/x", "BASH_ENV=y", "top=20", "ENV=z", "IFS=,", "LDX=1"}
	if got, want := Loaders(env, []string{"PATH"}), []string{"LD_PRELOAD", "BASH_ENV", "ENV", "IFS"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestEnvironmentRefuses(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"novalue", "=x", "REEVE_RUN=1", "REEVE_X=1", "a=b\x00c"} {
		if env, err := Environment(User{}, Facts{}, []string{bad}); err == nil {
			t.Errorf("%q: got %v", bad, env)
		}
	}
	env, err := Environment(User{Name: "u"}, Facts{}, []string{"PATH=/mine", "x=1", "x=2"})
	if err != nil || env[0] != "PATH=/mine" || !slices.Contains(env, "x=2") || slices.Contains(env, "x=1") {
		t.Errorf("got %v, %v", env, err)
	}
}

func FuzzParseAllow(f *testing.F) {
	f.Add([]byte("allow: [{user: batch, nets: ['census/*']}]"))
	f.Add([]byte("allow: &a [*a]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := ParseAllow(b)
		if err != nil {
			return
		}
		for _, r := range a.Rules {
			if r.User == "" || len(r.Nets) == 0 {
				t.Fatalf("got %+v", r)
			}
			a.Permits(r.User, "a/b")
		}
	})
}
