package cli

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/agent"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/wire"
	"github.com/reeve-scheduler/reeve/ports"
)

// agentFlags are those of the contract; each goes before the environment and the default.
type agentFlags struct {
	cfg                                         agent.Config
	plan, level, format, bind, ledger, codeFile string
	proxy                                       byProxy
	instance                                    int
}

func (a *app) agentCommand() *cobra.Command {
	f := agentFlags{cfg: agent.Default()}
	c := &cobra.Command{
		Use: "agent --data DIR [--join TOKEN | --enrol]", Short: "run an agent", Args: cobra.NoArgs,
		Long: "Run an agent: the node on a host where jobs run. It dials its servers, and listens only where the port plan lets servers dial it.\n" +
			"It joins its domain with a token (reeve token create agent), or waits with --enrol until a server dials it: then it prints a\n" +
			"one-time code as its last line, for `reeve node enrol` on the server.\n\n" + exitHelp,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.environment(c); err != nil {
				return err
			}
			return f.run(c, a)
		},
	}
	fl := c.Flags()
	fl.StringVar(&f.cfg.Data, "data", "", "data folder (REEVE_DATA)")
	fl.StringVar(&f.cfg.Join, "join", "", "join token, at the first start (REEVE_JOIN)")
	fl.StringVar(&f.cfg.JoinFile, "join-file", "", "file that holds the join token (REEVE_JOIN_FILE)")
	fl.StringSliceVar(&f.cfg.Addresses, "server", nil, "HOST:PORT of a server, several times: for an agent that no longer finds its servers; else as they said last")
	fl.IntVar(&f.cfg.Slots, "slots", f.cfg.Slots, "attempts at once (REEVE_SLOTS)")
	fl.StringVar(&f.plan, "plan", "default", "port plan: a built-in name or a file (REEVE_PLAN)")
	fl.IntVar(&f.instance, "instance", 0, "instance of the plan (REEVE_INSTANCE)")
	fl.StringVar(&f.ledger, "ledger", "", "folder of this host's leases (REEVE_LEDGER; else /var/lib/reeve/ports, or the user's own)")
	fl.StringVar(&f.bind, "bind", "", "address to listen on, where the plan lets the server dial (REEVE_BIND)")
	f.proxy.flags(fl)
	fl.BoolVar(&f.cfg.Enrol, "enrol", false, "at the first start, wait for a server that dials, and print a one-time code for it (REEVE_ENROL)")
	fl.BoolVar(&f.cfg.Desk, "desk", false, "a desk agent, on a person's machine: only servers dial it, on the plan's rows for such agents, and it takes only jobs that name it (REEVE_DESK)")
	fl.StringVar(&f.codeFile, "code-file", "", "with --enrol: file (mode 0600) that holds the code, instead of the output (REEVE_CODE_FILE)")
	fl.StringVar(&f.level, "log-level", "info", "debug, info, warn or error")
	fl.StringVar(&f.format, "log-format", "text", "text or json")
	return c
}

// environment overlays environment variables on flags that were not given.
func (f *agentFlags) environment(c *cobra.Command) error {
	for flag, variable := range map[string]string{
		"data": "REEVE_DATA", "join": "REEVE_JOIN", "join-file": "REEVE_JOIN_FILE", "slots": "REEVE_SLOTS", "plan": "REEVE_PLAN", "instance": "REEVE_INSTANCE", "bind": "REEVE_BIND",
		"enrol": "REEVE_ENROL", "desk": "REEVE_DESK", "code-file": "REEVE_CODE_FILE", "proxy": "REEVE_PROXY", "proxy-password-file": "REEVE_PROXY_PASSWORD_FILE",
	} {
		if err := env(c, flag, variable); err != nil {
			return err
		}
	}
	return nil
}

func (f *agentFlags) run(c *cobra.Command, a *app) error {
	var given *int
	if c.Flags().Changed("instance") {
		given = &f.instance
	}
	compiled, _, err := meantToRun(f.plan, "", given)
	if err != nil {
		return err
	}
	slacken()
	cfg := f.cfg
	for _, address := range cfg.Addresses {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return fault.New(fault.Invalid, fmt.Sprintf("--server %q is not HOST:PORT", address), "name the port at which agents find the server: reeve domain show, on the server")
		}
	}
	if cfg.Data == "" {
		return fault.New(fault.Invalid, "the agent has no data folder", "give --data or REEVE_DATA")
	}
	if cfg.Data, err = filepath.Abs(cfg.Data); err != nil {
		return fmt.Errorf("finding the data folder: %w", err)
	}
	if cfg.Keeper, err = f.keeper(cfg.Data); err != nil {
		return err
	}
	cfg.Version, cfg.Log = version(), logger(a.errs, f.level, f.format)
	cfg.Code, cfg.Facts = a.codeShown(f.codeFile), runAsWarning(cfg)
	if c.Flags().Changed("plan") || c.Flags().Changed("instance") {
		cfg.Differ = func(servers json.RawMessage) []string { return differs(compiled, servers) }
	}
	found, err := f.planned(c, &cfg, compiled)
	if err != nil {
		return err
	}
	defer found.close()
	return agent.Run(c.Context(), cfg)
}

// planned makes the agent's sockets by a plan, and by those that its servers give. What is returned lets it be found.
func (f *agentFlags) planned(c *cobra.Command, cfg *agent.Config, compiled ports.Compiled) (*findable, error) {
	kind := ports.Agent
	if cfg.Desk {
		kind = ports.Desk
	}
	var err error
	if cfg.Ports, err = f.proxy.ports(compiled, kind, f.bind); err != nil {
		return nil, err
	}
	cfg.Rows = agentRows(ports.Site{Compiled: compiled}, kind)
	cfg.Rows.Await = awaitRows(compiled, kind)
	dialled := cfg.Rows.Listen
	if cfg.Enrol {
		dialled = cfg.Rows.Await
	}
	found := &findable{data: cfg.Data, bind: f.bind, desk: cfg.Desk, log: cfg.Log}
	found.use(c.Context(), compiled, dialled)
	proving := &proofs{kind: kind, bind: f.bind}
	proving.use(compiled, wire.View{})
	cfg.Prover = proving.prover
	cfg.Adopt = func(v wire.View) (agent.Ports, error) {
		adopted, err := adoptPlan(v, kind, f.bind, f.proxy)
		if err == nil {
			found.useView(c.Context(), v)
			proving.useView(v)
		}
		return adopted, err
	}
	return found, nil
}

// keeper is how the agent's keeper is started.
func (f *agentFlags) keeper(data string) (agent.Keeper, error) {
	exe, err := os.Executable()
	if err != nil {
		return agent.Keeper{}, fmt.Errorf("finding this program: %w", err)
	}
	book, err := ledgerDir(f.ledger)
	if err != nil {
		return agent.Keeper{}, err
	}
	return agent.Keeper{Exe: exe, Args: []string{"keeper", "--data", data, "--ledger", book}}, nil
}
