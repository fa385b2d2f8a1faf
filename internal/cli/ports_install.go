package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/ports/render"
)

// maxServices bounds what is read of a services file. The longest that a system comes with has half a megabyte.
const maxServices = 16 << 20

// installFlags say what `ports install` adds where.
type installFlags struct {
	os, host  string
	all, undo bool
	dryRun    bool
}

// installed is what `ports install` did, or with --dry-run would do.
type installed struct {
	File      string                   `json:"file"`
	OS        string                   `json:"os"`
	Changed   bool                     `json:"changed"` // the file was written; with --dry-run: would be
	Added     []render.ServiceLine     `json:"added"`
	Removed   []string                 `json:"removed"`
	Present   []render.ServiceLine     `json:"present"`   // others have entered them already
	Shared    []render.ServiceConflict `json:"shared"`    // others have another name for the number
	Conflicts []render.ServiceConflict `json:"conflicts"` // others have another number for the name
}

func (a *app) portsInstall() *cobra.Command {
	var plan *planFlags
	var f installFlags
	c := &cobra.Command{
		Use: "install [--os linux|windows] [--services FILE] [--all] [--undo] [--dry-run]", Args: cobra.NoArgs,
		Short: "enter the plan's names and numbers in the services file, or take them back",
		Long: "Add to a services file the lines that the plan adds by itself (Y in its page's column for the system), with --all also those that it adds on request, in a block " +
			"between two marks. With --undo it takes back just that: the file is what it was before. Lines of others stay as they are, and what they have entered already " +
			"is not entered twice; where they have another number for a planned name, nothing is written, and both remedies are shown. Doing it again changes nothing.\n\n" + exitHelp,
		RunE: func(_ *cobra.Command, _ []string) error {
			done, err := a.install(plan, f)
			if err != nil {
				return err
			}
			if err := a.print(done, func(w io.Writer) { done.print(w, f.dryRun) }); err != nil {
				return err
			}
			if len(done.Conflicts) > 0 {
				return &exitError{1}
			}
			return nil
		},
	}
	plan = a.planFlags(c)
	c.Flags().StringVar(&f.os, "os", thisOS(), "whose column of the plan: linux or windows")
	c.Flags().StringVar(&f.host, "host", "", "the numbers of this host of the inventory")
	c.Flags().BoolVar(&f.all, "all", false, "also the lines that the plan adds on request only")
	c.Flags().BoolVar(&f.undo, "undo", false, "take back what was added")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "only show what would be changed")
	return c
}

// thisOS is the column of the plan for the system that runs this.
func thisOS() string {
	if runtime.GOOS == "windows" {
		return "windows"
	}
	return "linux"
}

// install works out what becomes of the file, and writes it where something does.
func (a *app) install(plan *planFlags, f installFlags) (installed, error) {
	if f.os != "linux" && f.os != "windows" {
		return installed{}, fault.New(fault.Invalid, fmt.Sprintf("--os is %q", f.os), "it is linux or windows")
	}
	path := plan.services
	if path == "" {
		if f.os != thisOS() {
			return installed{}, fault.New(fault.Invalid, "--os "+f.os+" is not the system of this host", "name the file: --services FILE")
		}
		path = servicesPath()
	}
	done := installed{File: path, OS: f.os}
	text, err := readServices(path)
	if err != nil {
		return done, err
	}
	site, found, err := plan.load()
	if err != nil {
		return done, err
	}
	if err := a.usable(plan, found); err != nil {
		return done, err
	}
	edit, err := render.EditServices(text, render.Input{Site: site, Host: f.host, OS: f.os, All: f.all, Undo: f.undo})
	var omitted *render.Omitted
	switch {
	case errors.As(err, &omitted):
		fmt.Fprintln(a.errs, printable(omitted.Error()))
	case errors.Is(err, render.ErrUnknown):
		return done, fault.Wrap(fault.NotFound, "reading "+path, err)
	case errors.Is(err, render.ErrBlock):
		return done, fault.Wrap(fault.Conflict, "reading "+path, err)
	case err != nil:
		return done, fault.Wrap(fault.Invalid, "reading "+path, err)
	}
	done.Added, done.Removed, done.Present = orEmpty(edit.Added), orEmpty(edit.Removed), orEmpty(edit.Present)
	done.Shared, done.Conflicts = orEmpty(edit.Shared), orEmpty(edit.Conflicts)
	done.Changed = !bytes.Equal(text, edit.Text)
	if done.Changed && !f.dryRun {
		err = rewriteFile(path, text, edit.Text)
	} else {
		err = nil
	}
	return done, err
}

// orEmpty makes a list of nothing an empty list, as programs expect it.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func readServices(path string) ([]byte, error) {
	file, err := openFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "there is no services file "+path, "name one with --services, or make an empty one")
	}
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "reading the services file", err)
	}
	defer file.Close() // only read
	text, err := io.ReadAll(io.LimitReader(file, maxServices+1))
	if err == nil && len(text) > maxServices {
		err = fmt.Errorf("%s has more than %d bytes", path, maxServices)
	}
	return text, fault.Wrap(fault.Invalid, "reading the services file", err)
}

// print says for people what was done, as lines that are added and removed.
func (d installed) print(w io.Writer, dryRun bool) {
	for _, c := range d.Conflicts {
		fmt.Fprintf(w, "%s:%d: %s is %d/%s here, and %d/%s in the plan (row %s)\n", printable(d.File), c.At, printable(c.Name), c.Port, c.Line.Protocol, c.Line.Port, c.Line.Protocol, printable(c.Line.Service))
		fmt.Fprintf(w, "    either give that line the number %d, if it is for the same program, or its program another name;\n", c.Line.Port)
		fmt.Fprintf(w, "    or give the row that number, in a plan that extends this one: services: [{id: %s, port: %d}]\n", printable(c.Line.Service), c.Port)
	}
	if len(d.Conflicts) > 0 {
		fmt.Fprintln(w, "nothing was written")
		return
	}
	for _, s := range d.Shared {
		fmt.Fprintf(w, "%s:%d: %d/%s is called %s here: programs that ask for the number are told that name; release it there, or give the row %s another number, in a plan that extends this one\n",
			printable(d.File), s.At, s.Port, s.Line.Protocol, printable(s.Name), printable(s.Line.Service))
	}
	for _, l := range d.Removed {
		fmt.Fprintln(w, "-", printable(l))
	}
	for _, l := range d.Added {
		fmt.Fprintln(w, "+", printable(l.String()))
	}
	for _, l := range d.Present {
		fmt.Fprintln(w, " ", printable(l.String()), "(of others, and left to them)")
	}
	switch {
	case !d.Changed:
		fmt.Fprintf(w, "%s: nothing to change\n", printable(d.File))
	case dryRun:
		fmt.Fprintf(w, "%s: nothing was written (--dry-run)\n", printable(d.File))
	default:
		fmt.Fprintf(w, "%s: written\n", printable(d.File))
	}
}

// rewriteFile replaces the content of a file that was read: a reader finds the old or the new one, never a part. Links
// stay links, and mode and owner what they were. A file with several names, or one that is mounted, is written in place:
// anything else would leave the other names with the old content.
func rewriteFile(path string, was, text []byte) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return writeFault(path, err)
	}
	info, err := os.Stat(real)
	if err != nil {
		return writeFault(path, err)
	}
	if !info.Mode().IsRegular() {
		return fault.New(fault.Invalid, path+" is no file that could be replaced", "name another one with --services")
	}
	if now, err := os.ReadFile(real); err != nil || !bytes.Equal(now, was) {
		return fault.New(fault.Conflict, path+" has been changed meanwhile", "nothing was written: try again")
	}
	if names(info) > 1 {
		return writeFault(path, writeInPlace(real, text))
	}
	temp, err := os.CreateTemp(filepath.Dir(real), "."+filepath.Base(real)+"-*")
	if err != nil {
		return writeFault(path, err)
	}
	_, err = temp.Write(text)
	if err == nil {
		err = temp.Chmod(info.Mode().Perm())
	}
	if err == nil {
		err = giveTo(temp, info)
	}
	if err == nil {
		err = temp.Sync()
	}
	if closed := temp.Close(); err == nil {
		err = closed
	}
	if err == nil {
		if err = os.Rename(temp.Name(), real); err == nil {
			return nil
		}
	}
	_ = os.Remove(temp.Name()) // the error that matters is returned
	if mounted(err) {
		err = writeInPlace(real, text)
	}
	return writeFault(path, err)
}

func writeInPlace(path string, text []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if synced := file.Sync(); err == nil {
		err = synced
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	return err
}

// writeFault gives an error of writing a file its kind.
func writeFault(path string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return &fault.Error{Kind: fault.Forbidden, Msg: "writing " + path, Fix: "run it as the administrator", Err: err}
	}
	return fault.Wrap(fault.Disk, "writing "+path, err)
}
