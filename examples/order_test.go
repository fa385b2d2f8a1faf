package examples_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The order of examples/order.yaml asks the command for what it says it does; the command itself is played.
func TestOrder(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "reeve"), []byte("#!/bin/sh\necho \"$@\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	output, codes := pretend(t, "order.yaml", map[string]string{"top": "5"})
	allGood(t, codes, "")
	want := "run start census/packages --server https://hq2.example.com:4455 --param top=5 --key r1 --wait --plan jobscheduler --advertise hq1.example.com"
	if got := strings.TrimSpace(output["order"]); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
