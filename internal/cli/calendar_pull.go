package cli

import (
	"bytes"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/jobfile"
)

// mostPulled is how many calendars one may lean on that is pulled.
const mostPulled = 200

func (a *app) calendarPull() *cobra.Command {
	var dryRun bool
	c := &cobra.Command{
		Use: "pull HTTPS-ADDRESS NAME", Short: "bring a calendar of another server here, with those that it leans on",
		Long: "pull reads a calendar and all that it leans on from another server, to which you are logged in (`reeve login HTTPS-ADDRESS`), and applies them here: on the\n" +
			"server of --server or --data, or the one that you use by default. Their descriptions say from where they came, and which version it was.",
		Example: "  reeve calendar pull https://hq1.example.com holidays/de --data /var/lib/reeve",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			logins, err := readLogins()
			if err != nil {
				return err
			}
			address := canonical(args[0])
			entry, ok := logins.Servers[address]
			if !ok {
				return fault.New(fault.Unauthenticated, "you are not logged in to "+args[0], "`reeve login "+args[0]+"`")
			}
			from, err := remote(address, entry.Fingerprint, entry.Token)
			if err != nil {
				return err
			}
			here, err := a.client()
			if err != nil {
				return err
			}
			texts, err := pulled(c, from, address, args[1])
			if err != nil {
				return err
			}
			result, err := here.ApplyNets(c.Context(), address, bytes.Join(texts, []byte("---\n")), dryRun)
			if err != nil {
				return err
			}
			return a.print(result, func(w io.Writer) {
				for _, one := range result.Calendars {
					showApplied(w, "calendar ", one, dryRun)
				}
			})
		},
	}
	c.Flags().BoolVar(&dryRun, "dry-run", false, "only show the difference")
	return c
}

// pulled reads a calendar and those that it leans on, and writes into each where it comes from.
func pulled(c *cobra.Command, from *api.Client, address, name string) (texts [][]byte, err error) {
	seen := map[string]bool{name: true}
	for wanted := []string{name}; len(wanted) > 0; wanted = wanted[1:] {
		one, err := from.Calendar(c.Context(), wanted[0], 0)
		if err != nil {
			return nil, err
		}
		def, err := jobfile.ParseCalendar([]byte(one.Text))
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, "reading calendar "+wanted[0]+" of "+address, err)
		}
		for _, other := range calendar.LeansOn(&def) {
			if !seen[other] {
				seen[other] = true
				wanted = append(wanted, other)
			}
		}
		if len(seen) > mostPulled {
			return nil, fault.Newf(fault.Invalid, "calendar %s leans on more than %d others", name, mostPulled)
		}
		origin := fmt.Sprintf("(from %s, version %d)", address, one.Version)
		if def.Description != "" {
			origin = def.Description + " " + origin
		}
		def.Description = origin
		texts = append(texts, jobfile.FormatCalendar(def))
	}
	return texts, nil
}
