package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/reeve-scheduler/reeve/internal/agent"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/jobports"
	"github.com/reeve-scheduler/reeve/internal/keeper"
	"github.com/reeve-scheduler/reeve/internal/server"
	"github.com/reeve-scheduler/reeve/ports"
)

func openFile(path string) (io.ReadCloser, error) { return os.Open(path) }

// env overlays environment variables on a flag that was not given.
func env(c *cobra.Command, flag, variable string) error {
	value := os.Getenv(variable)
	if value == "" || c.Flags().Changed(flag) {
		return nil
	}
	if err := c.Flags().Set(flag, value); err != nil {
		if what := expected(err); what != "" {
			return fault.New(fault.Invalid, fmt.Sprintf("%s is %q", variable, value), what)
		}
		return fault.Newf(fault.Invalid, "%s is %q: %v", variable, value, err)
	}
	return nil
}

// serverFlags are those of the contract; each goes before the environment, the file and the default.
type serverFlags struct {
	config, plan, inventory, domain string
	data                            string
	instance                        int
	bind, advertise                 []string
	check                           bool
	ledger                          string
}

func (a *app) serverCommand() *cobra.Command {
	var f serverFlags
	c := &cobra.Command{
		Use: "server --data DIR", Short: "run a server", Args: cobra.NoArgs,
		Long: "Run a server: it decides, keeps the store, and serves API, console and the agents' links.\n\n" + exitHelp,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := f.load(c)
			if err != nil {
				return err
			}
			if f.check {
				if _, _, err := meantToRun(cfg.Plan, cfg.Inventory, cfg.Instance); err != nil {
					return err
				}
				fmt.Fprintln(a.out, "the configuration is good")
				return nil
			}
			slacken()
			return a.serve(c.Context(), cfg, f.ledger)
		},
	}
	fl := c.Flags()
	fl.StringVar(&f.data, "data", "", "data folder (REEVE_DATA)")
	fl.StringVar(&f.config, "config", "", "configuration file (REEVE_CONFIG)")
	fl.StringVar(&f.plan, "plan", "", "port plan: a built-in name or a file (REEVE_PLAN)")
	fl.StringVar(&f.inventory, "inventory", "", "inventory file: hosts, zones, who dials (REEVE_INVENTORY)")
	fl.IntVar(&f.instance, "instance", 0, "instance of the plan (REEVE_INSTANCE)")
	fl.StringVar(&f.ledger, "ledger", "", "folder of this host's leases, to be shown (REEVE_LEDGER; else /var/lib/reeve/ports, or the user's own)")
	fl.StringSliceVar(&f.bind, "bind", nil, "address to listen on; may be given several times (REEVE_BIND)")
	fl.StringSliceVar(&f.advertise, "advertise", nil, "HOST[:PORT] at which it is found; several times (REEVE_ADVERTISE)")
	fl.StringVar(&f.domain, "domain", "", "name of the domain, at the first start (REEVE_DOMAIN)")
	fl.BoolVar(&f.check, "check", false, "check the configuration and end")
	return c
}

// load puts the configuration together: flag, environment, file, default.
func (f *serverFlags) load(c *cobra.Command) (server.Config, error) {
	cfg := server.Default()
	for flag, variable := range map[string]string{
		"data": "REEVE_DATA", "config": "REEVE_CONFIG", "plan": "REEVE_PLAN", "inventory": "REEVE_INVENTORY",
		"instance": "REEVE_INSTANCE", "bind": "REEVE_BIND", "advertise": "REEVE_ADVERTISE", "domain": "REEVE_DOMAIN",
	} {
		if err := env(c, flag, variable); err != nil {
			return cfg, err
		}
	}
	if f.config != "" {
		if err := server.Load(&cfg, f.config); err != nil {
			return cfg, err
		}
	}
	changed := c.Flags().Changed
	if changed("plan") {
		cfg.Plan = f.plan
	}
	if changed("inventory") {
		cfg.Inventory = f.inventory
	}
	if changed("instance") {
		cfg.Instance = &f.instance
	}
	if changed("bind") {
		cfg.Bind = f.bind
	}
	if changed("advertise") {
		cfg.Advertise = f.advertise
	}
	if changed("domain") {
		cfg.Domain = f.domain
	}
	cfg.Data = f.data
	return cfg, cfg.Validate()
}

func (a *app) serve(ctx context.Context, cfg server.Config, ledger string) error {
	for {
		err := a.serveOnce(ctx, cfg, ledger)
		if !errors.Is(err, server.ErrReplanned) {
			return err
		}
	}
}

// serveOnce runs a server until it ends, or its ports have been changed.
func (a *app) serveOnce(ctx context.Context, cfg server.Config, ledger string) error {
	known, err := openPlans(cfg)
	if err != nil {
		return err
	}
	meant := known.written
	if meant.Ledger, err = ledgerDir(ledger); err != nil {
		return err
	}
	e := server.Env{
		Reread: known.reread, Settle: known.settle, Begin: known.begin,
		Plan: known.plan, Ports: meant, Version: version(), Log: logger(a.errs, cfg.Log.Level, cfg.Log.Format), Now: time.Now, Rand: rand.Reader,
	}
	if f, ok := a.errs.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		e.Secret = func(user, password string) {
			fmt.Fprintf(f, "\n  first administrator: %s\n  password:            %s\n  (shown once; change it with `reeve user password %s`)\n\n", user, password, user)
		}
	}
	if known.refused() {
		e.Log.Warn("the port plan with which this server is configured was rolled back: the server works by the one before; to try again: reeve plan change", slog.String("plan", cfg.Plan), slog.String("inventory", cfg.Inventory))
	}
	s, err := server.Open(ctx, cfg, e)
	if err != nil {
		return err
	}
	if err := known.keep(); err != nil {
		return errors.Join(fmt.Errorf("keeping the port plan: %w", err), s.Close())
	}
	notify("READY=1")
	return s.Run(ctx)
}

func logger(w io.Writer, level, format string) *slog.Logger {
	var l slog.Level
	_ = l.UnmarshalText([]byte(level)) // checked by Validate
	options := &slog.HandlerOptions{Level: l}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// notify tells systemd, where it started us, that we are ready.
func notify(state string) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return
	}
	defer conn.Close() // the message is out, or nobody listens
	_, _ = conn.Write([]byte(state))
}

// runAsWarning warns of an agent that runs all jobs as root, in its log and, as a fact, at the server.
func runAsWarning(cfg agent.Config) map[string]string {
	if os.Geteuid() != 0 {
		return nil
	}
	if _, err := os.Lstat(allowFile(cfg.Data)); !errors.Is(err, os.ErrNotExist) {
		return nil
	}
	const warning = "it runs as root and has no allow file: jobs without run_as run as root"
	cfg.Log.Warn(warning, slog.String("file", allowFile(cfg.Data)))
	return map[string]string{"warning.run_as": warning}
}

// allowFile is the file that says who may run as whom on this host.
func allowFile(data string) string {
	if path := os.Getenv("REEVE_ALLOW"); path != "" {
		return path
	}
	return filepath.Join(data, "run-as.yaml")
}

func (a *app) keeperCommand() *cobra.Command {
	cfg := keeper.Config{Version: version()}
	var ledger string
	c := &cobra.Command{
		Use: "keeper --data DIR", Short: "keep the attempts of an agent (started by the agent)", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if cfg.Allow == "" {
				cfg.Allow = allowFile(cfg.Data)
			}
			cfg.Log = logger(a.errs, "info", "text")
			if ledger != "" {
				cfg.Ports, cfg.Launcher = jobports.New(ledger, cfg.Log), launcher()
			}
			return keeper.Run(c.Context(), cfg)
		},
	}
	c.Flags().StringVar(&cfg.Data, "data", "", "the agent's data folder")
	c.Flags().StringVar(&ledger, "ledger", "", "folder of this host's leases")
	c.Flags().StringVar(&cfg.Allow, "allow", "", "the file that says who may run as whom; default: run-as.yaml in the data folder (REEVE_ALLOW)")
	return c
}

// agentRows are the rows that an agent of a kind uses where nobody has told it zones yet. A desk agent dials nobody.
func agentRows(s ports.Site, kind ports.RoleKind) agent.Rows {
	var rows agent.Rows
	for _, p := range s.Paths("enrol", "", "", kind) {
		if !p.ServerDials && kind != ports.Desk {
			rows.Enrol = p.Flow.Service
			break
		}
	}
	for _, p := range s.Paths("link", "", "", kind) {
		switch {
		case p.Flow.Port == 0 || p.Flow.Last > p.Flow.Port: // a number that is leased first
		case p.ServerDials && !slices.Contains(rows.Listen, p.Flow.Service):
			rows.Listen = append(rows.Listen, p.Flow.Service)
		case !p.ServerDials && kind != ports.Desk:
			rows.Dial = append(rows.Dial, p.Flow.Service)
		}
	}
	return rows
}
