// Reeve runs job nets on many machines and plans every port that it uses. This is its one program.
package main

import (
	"os"

	"github.com/reeve-scheduler/reeve/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
