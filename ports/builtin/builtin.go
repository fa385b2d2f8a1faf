// Package builtin answers: which plans come with the program?
package builtin

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/planfile"
)

//go:embed *.yaml
var files embed.FS

// Default is the name of the plan that is used where none is asked for.
const Default = "default"

// ErrUnknown says that no plan of that name comes with the program.
var ErrUnknown = errors.New("no such built-in plan")

// Names lists the built-in plans.
func Names() []string {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil // cannot be: the folder is part of the program
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return names
}

// Load returns a built-in plan. The error is ErrUnknown if there is none of that name.
func Load(name string) (ports.Plan, error) {
	data, err := source(name)
	if err != nil {
		return ports.Plan{}, err
	}
	return planfile.Parse(name+".yaml", data, Load)
}

func source(name string) ([]byte, error) {
	for _, known := range Names() {
		if known == name {
			return files.ReadFile(name + ".yaml")
		}
	}
	return nil, fmt.Errorf("%w: %q; there are %s", ErrUnknown, name, strings.Join(Names(), ", "))
}

// maxFile bounds what is read of a plan file: one byte more than planfile takes, so that it says what is wrong.
const maxFile = 4<<20 + 1

// Resolve returns the plan that a person named: a built-in one, else the file of that name, which open opens. Its
// error is a planfile.Mistakes if the file could be read and is not a valid plan.
func Resolve(name string, open func(string) (io.ReadCloser, error)) (ports.Plan, error) {
	if name == "" {
		name = Default
	}
	p, err := Load(name)
	if !errors.Is(err, ErrUnknown) {
		return p, err
	}
	f, err := open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return ports.Plan{}, fmt.Errorf("the plan %q is neither built in (%s) nor a file: %w", name, strings.Join(Names(), ", "), err)
	}
	if err != nil {
		return ports.Plan{}, fmt.Errorf("opening plan %s: %w", name, err)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return ports.Plan{}, fmt.Errorf("reading plan %s: %w", name, err)
	}
	return planfile.Parse(name, data, Load)
}
