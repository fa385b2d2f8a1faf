// Package cli answers: what can be typed?
//
// A command is a file: options, arguments, run. It parses, calls one thing, prints. For people by default, -o json
// for programs; errors go to standard error, and their kind is the exit code.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/reeve-scheduler/reeve/internal/fault"
)

// exitCodes is the table of the contract.
func exitCode(err error) int {
	var code *exitError
	if errors.As(err, &code) {
		return code.code
	}
	switch fault.KindOf(err) {
	case fault.Finding, fault.Internal, fault.Busy, fault.Disk:
		return 1
	case fault.Invalid:
		return 2
	case fault.Unreachable:
		return 3
	case fault.Unauthenticated, fault.Forbidden:
		return 4
	case fault.NotFound, fault.Conflict:
		return 5
	case fault.Unknown:
		return 6
	case fault.Interrupted:
		return 130
	}
	return 1
}

// exitError ends the program with a code and without a message: what there is to say has been printed.
type exitError struct{ code int }

func (e *exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

const exitHelp = `Exit codes: 0 good (also with warnings) · 1 something bad was found, or the run failed or was cancelled ·
2 wrong use or an invalid document · 3 the server cannot be reached · 4 not allowed · 5 not found, or a conflict ·
6 unknown · 130 interrupted while waiting; the run goes on`

// app is what all commands share.
type app struct {
	in     io.Reader
	out    io.Writer
	errs   io.Writer
	output string // table, json, yaml
	data   string // the data folder of a server on this host
	server string // address of a server, as logged in to
}

// Main runs a command line and returns its exit code.
func Main(args []string, in io.Reader, out, errs io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := &app{in: in, out: out, errs: errs}
	root := a.root()
	root.SetArgs(args)
	c, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	err = asTyped(c, err)
	var silent *exitError
	var mistakes fault.Mistakes
	switch {
	case errors.As(err, &silent):
	case errors.As(err, &mistakes): // places are for standard output, where editors look
		fmt.Fprintln(out, mistakes.Error())
	default:
		fmt.Fprintln(errs, "reeve: "+err.Error())
	}
	return exitCode(err)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "reeve",
		Short:         "Reeve runs job nets on many machines and plans every port that it uses",
		Long:          "Reeve runs job nets on many machines and plans every port that it uses.\n\n" + exitHelp,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version(),
	}
	root.SetOut(a.out)
	root.SetErr(a.errs)
	root.SetIn(a.in)
	root.SetVersionTemplate("reeve {{.Version}}\n")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		var value *pflag.InvalidValueError
		if what := expected(err); what != "" && errors.As(err, &value) {
			return fault.New(fault.Invalid, fmt.Sprintf("--%s is %q", value.GetFlag().Name, value.GetValue()), what+"; see `"+c.CommandPath()+" --help`")
		}
		return fault.New(fault.Invalid, err.Error(), "see `"+c.CommandPath()+" --help`")
	})
	root.PersistentFlags().StringVarP(&a.output, "output", "o", "table", "table, json or yaml")
	root.PersistentFlags().StringVar(&a.server, "server", os.Getenv("REEVE_SERVER"), "address of a server that you are logged in to (REEVE_SERVER)")
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error {
		if err := c.ValidateRequiredFlags(); err != nil {
			return fault.New(fault.Invalid, err.Error(), "see `"+c.CommandPath()+" --help`")
		}
		if err := c.ValidateFlagGroups(); err != nil {
			return fault.New(fault.Invalid, err.Error(), "see `"+c.CommandPath()+" --help`")
		}
		if err := noEmptyFlags(c); err != nil {
			return err
		}
		return a.checkOutput(c)
	}
	root.AddCommand(
		a.serverCommand(), a.agentCommand(), a.keeperCommand(), a.launchCommand(),
		a.netCommand(), a.runCommand(), a.whyCommand(), a.scheduleCommand(), a.occurrenceCommand(), a.agendaCommand(), a.calendarCommand(), a.forecastCommand(), a.nodeCommand(), a.tokenCommand(), a.userCommand(), a.domainCommand(), a.planCommand(),
		a.loginCommand(), a.logoutCommand(), a.auditCommand(), a.portsCommand(), a.backupCommand(), a.restoreCommand(), a.versionCommand(),
	)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd(nil...)
	strict(root)
	return root
}

// expected says what the value of a flag should have been; empty, where the error says so itself.
func expected(err error) string {
	var number *strconv.NumError
	if !errors.As(err, &number) {
		return ""
	}
	switch number.Func {
	case "ParseBool":
		return "it is true or false"
	case "ParseFloat":
		return "it is a number"
	}
	return "it is a whole number"
}

// strict makes wrong use an error of kind Invalid everywhere, also for a noun without a verb.
func strict(c *cobra.Command) {
	check := c.Args
	c.Args = func(c *cobra.Command, args []string) error {
		if check == nil {
			return nil
		}
		if err := check(c, args); err != nil {
			return fault.New(fault.Invalid, err.Error(), "see `"+c.CommandPath()+" --help`")
		}
		return nil
	}
	if c.HasSubCommands() && c.Run == nil && c.RunE == nil {
		c.Args = cobra.ArbitraryArgs // else cobra refuses them for the root, in words and with a code of its own
		c.RunE = func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fault.New(fault.Invalid, fmt.Sprintf("%s has no command %q", c.CommandPath(), args[0]), "see `"+c.CommandPath()+" --help`")
			}
			if err := c.Help(); err != nil {
				return err
			}
			if c.HasParent() {
				return &exitError{2}
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		if sub.Name() != "help" && sub.Name() != "completion" {
			strict(sub)
		}
	}
}

// print writes v as JSON or YAML where that was asked for; else it calls table.
func (a *app) print(v any, table func(w io.Writer)) error {
	switch a.output {
	case "json":
		enc := json.NewEncoder(a.out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	case "yaml":
		// By way of JSON, so that names and nulls are the same in both.
		text, err := json.Marshal(v)
		if err != nil {
			return err
		}
		out, err := yaml.JSONToYAML(text)
		if err != nil {
			return err
		}
		_, err = a.out.Write(out)
		return err
	}
	w := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	table(w)
	return w.Flush()
}

// line writes one line of a table; cells are cleaned of what would break it or steer the terminal.
func line(w io.Writer, cells ...any) {
	parts := make([]string, len(cells))
	for i, c := range cells {
		parts[i] = printable(cell(c))
	}
	fmt.Fprintln(w, strings.Join(parts, "\t"))
}

func cell(c any) string {
	switch c := c.(type) {
	case nil:
		return "-"
	case string:
		if c == "" {
			return "-"
		}
		return c
	case *string:
		if c == nil || *c == "" {
			return "-"
		}
		return *c
	case *int:
		if c == nil {
			return "-"
		}
		return fmt.Sprint(*c)
	case time.Time:
		return c.UTC().Format(time.RFC3339)
	case *time.Time:
		if c == nil {
			return "-"
		}
		return c.UTC().Format(time.RFC3339)
	case map[string]string:
		return pairs(c)
	}
	return fmt.Sprint(c)
}

// printable replaces control characters: what a job or a host called itself must not steer a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 {
			return '·'
		}
		return r
	}, s)
}
