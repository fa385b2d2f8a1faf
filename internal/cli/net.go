package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/jobfile"
)

func (a *app) netCommand() *cobra.Command {
	c := a.dataFlag(&cobra.Command{Use: "net", Short: "definitions: validate, apply, show"})
	c.AddCommand(a.netValidate(), a.netApply(), a.netList(), a.netShow(), a.netExport(), a.netImport(), a.netSchema())
	return c
}

const maxDefinition = 4 << 20

// readDefinition reads a file, or standard input for "-".
func (a *app) readDefinition(path string) (string, []byte, error) {
	in := a.in
	name := "<stdin>"
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return "", nil, fault.Wrap(fault.Invalid, "reading a definition", err)
		}
		defer f.Close() // read only
		in, name = f, path
	}
	text, err := io.ReadAll(io.LimitReader(in, maxDefinition+1))
	if err != nil {
		return "", nil, fault.Wrap(fault.Invalid, "reading "+name, err)
	}
	if len(text) > maxDefinition {
		return "", nil, fault.Newf(fault.Invalid, "%s is larger than %d bytes", name, maxDefinition)
	}
	return name, text, nil
}

// readDefinitions reads files that are one request.
func (a *app) readDefinitions(paths []string) ([]api.File, error) {
	files := make([]api.File, len(paths))
	for i, path := range paths {
		var err error
		if files[i].Name, files[i].Text, err = a.readDefinition(path); err != nil {
			return nil, err
		}
	}
	return files, nil
}

func (a *app) netApply() *cobra.Command {
	var dryRun bool
	c := &cobra.Command{
		Use: "apply FILE…", Short: "store definitions as new versions; shows the difference", Args: cobra.MinimumNArgs(1),
		Long: "apply stores the nets and calendars of the files, all or none, and shows how their texts and their occurrences change.",
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			files, err := a.readDefinitions(args)
			if err != nil {
				return err
			}
			result, err := client.ApplyNets(c.Context(), files[0].Name, files[0].Text, dryRun, files[1:]...)
			if err != nil {
				return err
			}
			return a.print(result, func(w io.Writer) {
				for _, n := range result.Calendars {
					showApplied(w, "calendar ", n, dryRun)
				}
				for _, n := range result.Nets {
					showApplied(w, "", n, dryRun)
				}
			})
		},
	}
	c.Flags().BoolVar(&dryRun, "dry-run", false, "only show the difference")
	return c
}

// showApplied writes what an apply did to a net or calendar: its text, and its occurrences.
func showApplied(w io.Writer, kind string, n api.Applied, dryRun bool) {
	would := ""
	if dryRun && n.Change != "unchanged" {
		would = "would be "
	}
	fmt.Fprintf(w, "%s%s: %s%s (version %d)\n", kind, printable(n.Name), would, n.Change, n.Version)
	if n.Diff != "" {
		fmt.Fprint(w, indent(n.Diff))
	}
	if len(n.Occurrences) > 0 {
		diffTable(w, n.Occurrences, appliedExamples, "  ")
	}
	if n.Uncompared > 0 {
		fmt.Fprintf(w, "  %d more schedules change and were not compared: reeve schedule list shows when they are due next\n", n.Uncompared)
	}
}

// appliedExamples is how many occurrences of each schedule an apply lists; schedule diff lists more.
const appliedExamples = 3

func indent(text string) string {
	var b bytes.Buffer
	for l := range bytes.Lines([]byte(text)) {
		fmt.Fprintf(&b, "  %s\n", printable(string(bytes.TrimRight(l, "\n"))))
	}
	return b.String()
}

func (a *app) netList() *cobra.Command {
	var folder string
	c := &cobra.Command{
		Use: "list", Short: "list nets with their last run", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			nets, err := client.ListNets(c.Context(), folder)
			if err != nil {
				return err
			}
			return a.print(nets, func(w io.Writer) {
				line(w, "NAME", "VERSION", "JOBS", "LAST RUN", "STATE", "DESCRIPTION")
				for _, n := range nets {
					last, state := "", ""
					if n.LastRun != nil {
						last, state = n.LastRun.ID, n.LastRun.State
					}
					line(w, n.Name, n.Version, n.Jobs, last, state, n.Description)
				}
			})
		},
	}
	c.Flags().StringVar(&folder, "folder", "", "only nets below this folder")
	return c
}

func (a *app) netShow() *cobra.Command {
	var version int
	c := &cobra.Command{
		Use: "show NET", Short: "show a net", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			n, err := client.Net(c.Context(), args[0], version)
			if err != nil {
				return err
			}
			return a.print(n, func(w io.Writer) {
				fmt.Fprintf(w, "net\t%s\nversion\t%d of %d\nhash\t%s\napplied\t%s by %s\n", n.Name, n.Version, n.Newest, n.Hash, cell(n.Applied), printable(n.By))
				line(w, "description", n.Description)
				line(w, "params", n.Params)
				fmt.Fprintln(w)
				line(w, "JOB", "AFTER", "WHEN", "AGENT", "COMMAND")
				for _, j := range n.Jobs {
					where, what := j.Agent, fmt.Sprint(j.Command)
					if where == "" {
						where = pairs(j.Labels)
					}
					if j.Script {
						what = "(script)"
					}
					line(w, j.Name, fmt.Sprint(j.After), j.When, where, what)
				}
			})
		},
	}
	c.Flags().IntVar(&version, "version", 0, "a version; 0: the newest")
	return c
}

func (a *app) netExport() *cobra.Command {
	var version int
	c := &cobra.Command{
		Use: "export NET", Short: "print a net in its canonical written form", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			n, err := client.Net(c.Context(), args[0], version)
			if err != nil {
				return err
			}
			_, err = io.WriteString(a.out, n.Text)
			return err
		},
	}
	c.Flags().IntVar(&version, "version", 0, "a version; 0: the newest")
	return c
}

func (a *app) netSchema() *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "print the JSON Schema of nets, for editors", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := a.out.Write(append(bytes.TrimRight(jobfile.Schema(), "\n"), '\n'))
			return err
		},
	}
}
