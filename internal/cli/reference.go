package cli

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Reference returns the reference page of the command line in Markdown: every command with its flags, in the order
// of the help, and the exit codes. Hidden commands are left out.
func Reference() []byte {
	a := &app{in: strings.NewReader(""), out: io.Discard, errs: io.Discard}
	root := a.root()
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s.\n\n%s\n\n## Flags of every command\n\n", root.Short, table(exitTable()))
	b.WriteString(flagTable(root.PersistentFlags()))
	for _, c := range root.Commands() {
		describe(&b, c)
	}
	return b.Bytes()
}

func exitTable() [][2]string {
	return [][2]string{
		{"exit code", "meaning"},
		{"0", "good, also with warnings"},
		{"1", "the input is valid, and something bad was found: the run failed or was cancelled, or the server could not do it"},
		{"2", "wrong use, or a document or configuration that is not valid by itself"},
		{"3", "the server cannot be reached"},
		{"4", "not allowed, or not logged in"},
		{"5", "not found, or a conflict with the state of the thing"},
		{"6", "unknown: the end of the run cannot be known"},
		{"130", "interrupted while waiting; the run goes on"},
	}
}

func table(rows [][2]string) string {
	var b strings.Builder
	for i, r := range rows {
		fmt.Fprintf(&b, "| %s | %s |\n", r[0], strings.ReplaceAll(r[1], "|", `\|`))
		if i == 0 {
			b.WriteString("| --- | --- |\n")
		}
	}
	return strings.TrimRight(b.String(), "\n")
}

// describe writes a command and what stands below it.
func describe(b *bytes.Buffer, c *cobra.Command) {
	if c.Hidden || c.Name() == "help" {
		return
	}
	if c.Name() == "completion" { // cobra's own: one line says all
		fmt.Fprintf(b, "\n## reeve completion SHELL\n\n%s: bash, zsh, fish or powershell.\n", sentence(c.Short))
		return
	}
	level := "##"
	if c.Parent().HasParent() {
		level = "###"
	}
	fmt.Fprintf(b, "\n%s %s\n\n%s.\n", level, usage(c), sentence(c.Short))
	if flags := flagTable(c.LocalNonPersistentFlags()); flags != "" {
		fmt.Fprintf(b, "\n%s", flags)
	}
	if own := ownPersistent(c); own != "" {
		fmt.Fprintf(b, "\nOf it and of all commands below it:\n\n%s", own)
	}
	for _, sub := range c.Commands() {
		describe(b, sub)
	}
}

func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// usage is a command's path with its arguments.
func usage(c *cobra.Command) string {
	_, args, _ := strings.Cut(c.Use, " ")
	return strings.TrimSpace(c.CommandPath() + " " + args)
}

func ownPersistent(c *cobra.Command) string {
	if !c.HasParent() || c.Parent().HasParent() {
		return ""
	}
	return flagTable(c.PersistentFlags())
}

// flagTable writes flags with their defaults; "" where there are none.
func flagTable(flags *pflag.FlagSet) string {
	var b strings.Builder
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		if b.Len() == 0 {
			b.WriteString("| flag | default | meaning |\n| --- | --- | --- |\n")
		}
		name := "`--" + f.Name + "`"
		if f.Shorthand != "" {
			name = "`-" + f.Shorthand + "`, " + name
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, defaultOf(f), strings.ReplaceAll(f.Usage, "|", `\|`))
	})
	return b.String()
}

// defaultOf is a flag's default as the page shows it: what this machine or its environment decides is named, not shown.
func defaultOf(f *pflag.Flag) string {
	switch {
	case f.Name == "slots":
		return "4 × processors"
	case strings.HasSuffix(f.Usage, "(REEVE_DATA)"), strings.HasSuffix(f.Usage, "(REEVE_SERVER)"):
		return ""
	case f.DefValue == "", f.DefValue == "[]", f.DefValue == "false":
		return ""
	}
	return "`" + f.DefValue + "`"
}
