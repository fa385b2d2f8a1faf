package sqlite_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// childEnv makes the test binary one of the programs below instead, in a process that a test may kill, confine or
// leave without room.
const childEnv = "REEVE_SQLITE_CHILD"

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(childEnv) {
	case "":
		m.Run() // the testing package ends the process by its result
		return
	case "commit":
		err = commitForever(os.Args[1])
	case "hold":
		err = holdOpen(os.Args[1])
	case "sync":
		err = failSyncs(os.Args[1])
	case "full":
		err = fillDisk(os.Args[1])
	default:
		err = fmt.Errorf("no such child")
	}
	if err != nil {
		panic(err) // a status that is not 0, and the trace for the parent
	}
}

// child returns a command that runs this binary as one of TestMain's programs on a folder.
func child(t *testing.T, program, folder string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, folder)
	cmd.Env = append(os.Environ(), childEnv+"="+program)
	cmd.Stderr = os.Stderr
	return cmd
}
