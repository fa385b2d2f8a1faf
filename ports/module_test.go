package ports_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const otherModule = `package main

import (
	"fmt"

	"github.com/reeve-scheduler/reeve/ports"
)

func main() {
	plan := ports.Plan{Name: "mine", Roles: []ports.Role{{ID: "server"}}, Services: []ports.Service{
		{ID: "one", Port: "25001", Protocols: []ports.Protocol{ports.TCP}, Binds: true, RunsOn: []string{"server"}},
	}}
	compiled, findings := ports.Compile(plan, ports.Inventory{}, 0)
	fmt.Println(compiled.Rows()[0].Port, len(findings))
}
`

// The package is a library: a program of another module uses it, with replace until the repository has its home. It
// needs no module beside it, so that nothing is downloaded.
func TestOtherModule(t *testing.T) {
	t.Parallel()
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("there is no go command: ", err)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":  "module example.com/other\n\ngo 1.26\n\nrequire github.com/reeve-scheduler/reeve v0.0.0\n\nreplace github.com/reeve-scheduler/reeve => " + root + "\n",
		"main.go": otherModule,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := exec.CommandContext(t.Context(), goTool, "run", "-mod=mod", ".")
	run.Dir = dir
	run.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=", "GOWORK=off")
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got := strings.TrimSpace(string(out)); got != "25001 0" {
		t.Errorf("got %q", got)
	}
}
