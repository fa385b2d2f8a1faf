package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// counts are the flags of which zero means nothing: a list without entries, the next no days. The API takes 0 for "not given".
func counts() []string { return []string{"days", "hours", "limit", "replications"} }

// noEmptyFlags refuses what was typed and says nothing: a count below one, and a flag that must be given and is empty.
func noEmptyFlags(c *cobra.Command) error {
	for _, name := range counts() {
		f := c.Flags().Lookup(name)
		if f == nil || !f.Changed {
			continue
		}
		if n, err := strconv.Atoi(f.Value.String()); err == nil && n < 1 {
			return fault.New(fault.Invalid, fmt.Sprintf("--%s is %d", name, n), "it is at least 1; see `"+c.CommandPath()+" --help`")
		}
	}
	var empty *pflag.Flag
	c.Flags().Visit(func(f *pflag.Flag) {
		if _, needed := f.Annotations[cobra.BashCompOneRequiredFlag]; needed && f.Value.String() == "" && empty == nil {
			empty = f
		}
	})
	if empty != nil {
		return fault.New(fault.Invalid, "--"+empty.Name+" is empty", empty.Usage)
	}
	return nil
}

// asTyped says what a server refused of a request in the words in which a person typed it: by flag, or by argument.
func asTyped(c *cobra.Command, err error) error {
	var refused *api.Refused
	if !errors.As(err, &refused) {
		return err
	}
	said := make([]string, len(refused.Fields))
	for i, field := range refused.Fields {
		_, name, _ := strings.Cut(field.Name, ".") // query.limit
		name, _, _ = strings.Cut(name, "[")        // of a list
		said[i] = field.Name + ": " + field.Message
		if f := c.Flags().Lookup(strings.ReplaceAll(name, "_", "-")); f != nil && f.Changed {
			said[i] = fmt.Sprintf("--%s is %s: %s", f.Name, valueText(f.Value), field.Message)
		} else if argument := strings.ToUpper(name); strings.Contains(c.Use, argument) {
			said[i] = argument + ": " + field.Message
		}
	}
	return fault.New(fault.KindOf(err), strings.Join(said, "; "), "see `"+c.CommandPath()+" --help`")
}

// valueText writes what a flag was given, shortened.
func valueText(v pflag.Value) string {
	const most = 60
	text := []rune(v.String())
	if v.Type() == "int" || v.Type() == "int64" {
		return string(text)
	}
	if len(text) > most {
		return strconv.Quote(string(text[:most])) + "..."
	}
	return strconv.Quote(string(text))
}
