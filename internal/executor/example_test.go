package executor_test

import (
	"os"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/executor"
)

// TestExampleAllowFile reads the allow file that ships, and asks it what its comments say.
func TestExampleAllowFile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../examples/config/run-as.yaml")
	if err != nil {
		t.Fatal(err)
	}
	allow, err := executor.ParseAllow(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		user, net string
		want      bool
	}{
		{"nobody", "census/packages", true},
		{"nobody", "census/deep/er", true},
		{"nobody", "maintenance/rotate", false},
		{"root", "maintenance/rotate", true},
		{"root", "backup/nightly", true},
		{"root", "census/packages", false},
		{"daemon", "census/packages", false},
	} {
		if _, got := allow.Permits(c.user, c.net); got != c.want {
			t.Errorf("Permits(%s, %s) = %v, want %v", c.user, c.net, got, c.want)
		}
	}
	if rule, _ := allow.Permits("root", "backup/nightly"); len(executor.Loaders([]string{"GCONV_PATH=/x", "LD_PRELOAD=/y"}, rule.Env)) != 1 {
		t.Error("root's rule permits GCONV_PATH and nothing else")
	}
}
