package cli

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// overrideFlags are what all changes of the agenda have.
type overrideFlags struct {
	zone            zoneFlag
	reason, expires string
}

func (f *overrideFlags) add(c *cobra.Command) *cobra.Command {
	c.Flags().StringVar(&f.reason, "reason", "", "why, for those who wonder later")
	c.Flags().StringVar(&f.expires, "expires", "", "when it ends by itself if it was not used")
	_ = c.MarkFlagRequired("reason")
	return f.zone.add(c)
}

// override makes the change of what was typed.
func (a *app) override(c *cobra.Command, f *overrideFlags, o api.CreateOverride) error {
	o.Reason = f.reason
	expires, err := f.zone.instant("--expires", f.expires)
	if err != nil {
		return err
	}
	if !expires.IsZero() {
		o.Expires = &expires
	}
	client, err := a.client()
	if err != nil {
		return err
	}
	made, err := client.CreateOverride(c.Context(), o)
	if err != nil {
		return err
	}
	return a.print(made, func(w io.Writer) { overrideTable(w, []api.Override{made}) })
}

func (a *app) agendaAdd() *cobra.Command {
	var f overrideFlags
	var when string
	var params []string
	c := &cobra.Command{
		Use: "add NET --at T --reason TEXT [--param k=v]…", Short: "add an occurrence that no schedule has", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			values, err := parsePairs("parameter", params, true)
			if err != nil {
				return err
			}
			o := api.CreateOverride{Kind: "add", Net: args[0], Params: values}
			at, err := f.zone.given("--at", when)
			if err != nil {
				return err
			}
			o.Nominal = &at
			return a.override(c, &f, o)
		},
	}
	c.Flags().StringVar(&when, "at", "", "when it is due")
	c.Flags().StringArrayVar(&params, "param", nil, "a parameter, NAME=VALUE; may be given several times")
	_ = c.MarkFlagRequired("at")
	return f.add(c)
}

func (a *app) agendaMove() *cobra.Command {
	var f overrideFlags
	var to string
	c := &cobra.Command{
		Use: "move NET SCHEDULE NOMINAL --to T --reason TEXT", Short: "make an occurrence due at another time", Args: cobra.ExactArgs(3),
		RunE: func(c *cobra.Command, args []string) error {
			nominal, err := f.zone.given("NOMINAL", args[2])
			if err != nil {
				return err
			}
			target, err := f.zone.given("--to", to)
			if err != nil {
				return err
			}
			return a.override(c, &f, api.CreateOverride{Kind: "move", Net: args[0], Schedule: args[1], Nominal: &nominal, To: &target})
		},
	}
	c.Flags().StringVar(&to, "to", "", "the new time")
	_ = c.MarkFlagRequired("to")
	return f.add(c)
}

func (a *app) agendaSkip() *cobra.Command {
	var f overrideFlags
	return f.add(&cobra.Command{
		Use: "skip NET SCHEDULE NOMINAL --reason TEXT", Short: "cancel an occurrence when it falls due", Args: cobra.ExactArgs(3),
		RunE: func(c *cobra.Command, args []string) error {
			nominal, err := f.zone.given("NOMINAL", args[2])
			if err != nil {
				return err
			}
			return a.override(c, &f, api.CreateOverride{Kind: "skip", Net: args[0], Schedule: args[1], Nominal: &nominal})
		},
	})
}

func (a *app) agendaHold() *cobra.Command {
	var f overrideFlags
	var from string
	c := &cobra.Command{
		Use: "hold NET SCHEDULE (NOMINAL | --from T) --reason TEXT", Short: "hold an occurrence, or all from a time on, until they are released", Args: cobra.RangeArgs(2, 3),
		RunE: func(c *cobra.Command, args []string) error {
			o := api.CreateOverride{Kind: "hold", Net: args[0], Schedule: args[1]}
			if (len(args) == 3) == (from != "") {
				return fault.New(fault.Invalid, "hold takes NOMINAL or --from, one of the two", "NOMINAL holds this one, --from all that are due from then on")
			}
			if from != "" {
				start, err := f.zone.instant("--from", from)
				if err != nil {
					return err
				}
				o.From = &start
				return a.override(c, &f, o)
			}
			nominal, err := f.zone.given("NOMINAL", args[2])
			if err != nil {
				return err
			}
			o.Nominal = &nominal
			return a.override(c, &f, o)
		},
	}
	c.Flags().StringVar(&from, "from", "", "hold all that are due from then on")
	return f.add(c)
}

func (a *app) agendaOverrides() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use: "overrides [NET]", Short: "list what people changed of the agenda, newest first", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			list, err := client.ListOverrides(c.Context(), first(args), all)
			if err != nil {
				return err
			}
			return a.print(list, func(w io.Writer) { overrideTable(w, list) })
		},
	}
	c.Flags().BoolVar(&all, "all", false, "also those that are over: used, expired, dropped")
	return c
}

func (a *app) agendaDrop() *cobra.Command {
	return &cobra.Command{
		Use: "drop ID", Short: "take back what was changed of the agenda", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if args[0] == "" {
				return fault.New(fault.Invalid, "the id of the change is empty", "see `reeve agenda overrides`")
			}
			client, err := a.client()
			if err != nil {
				return err
			}
			o, err := client.DropOverride(c.Context(), args[0])
			if err != nil {
				return err
			}
			return a.print(o, func(w io.Writer) { overrideTable(w, []api.Override{o}) })
		},
	}
}
