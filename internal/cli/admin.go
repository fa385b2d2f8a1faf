package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/server"
)

func mistakesOf(err error) (fault.Mistakes, bool) {
	var m fault.Mistakes
	ok := errors.As(err, &m)
	return m, ok
}

func (a *app) nodeCommand() *cobra.Command {
	c := a.dataFlag(&cobra.Command{Use: "node", Short: "nodes: servers and agents"})
	list := &cobra.Command{
		Use: "list", Short: "list nodes", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			nodes, err := client.ListNodes(c.Context())
			if err != nil {
				return err
			}
			return a.print(nodes, func(w io.Writer) {
				line(w, "NAME", "ROLE", "LINKED", "RUNNING", "SLOTS", "LABELS", "VERSION", "SEEN", "NOTES")
				for _, n := range nodes {
					line(w, n.Name, n.Kind, yes(n.Linked), n.Running, n.Slots, n.Labels, n.Version, n.Seen, notes(n))
				}
			})
		},
	}
	show := &cobra.Command{
		Use: "show N", Short: "show a node", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.onNode(c.Context(), func(client *api.Client) (api.Node, error) { return client.Node(c.Context(), args[0]) })
		},
	}
	label := &cobra.Command{
		Use: "label N k=v…", Short: "set labels; k= removes one", Args: cobra.MinimumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			labels, err := parsePairs("label", args[1:], true)
			if err != nil {
				return err
			}
			return a.onNode(c.Context(), func(client *api.Client) (api.Node, error) { return client.LabelNode(c.Context(), args[0], labels) })
		},
	}
	c.AddCommand(list, show, label, a.nodeDirectory(), a.nodeDiscover(), a.nodeEnrol())
	for verb, short := range map[string]string{
		"drain":   "start nothing new on an agent; what runs goes on",
		"undrain": "let an agent take work again",
		"remove":  "take an agent out of the domain: its link ends, its identity is void",
	} {
		c.AddCommand(&cobra.Command{
			Use: verb + " N", Short: short, Args: cobra.ExactArgs(1),
			RunE: func(c *cobra.Command, args []string) error {
				return a.onNode(c.Context(), func(client *api.Client) (api.Node, error) { return client.ControlNode(c.Context(), args[0], verb) })
			},
		})
	}
	return c
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func notes(n api.Node) string {
	all := append([]string{}, n.Notes...)
	if n.Drained != nil {
		all = append(all, "drained by "+*n.Drained)
	}
	if n.Disk != nil {
		all = append(all, *n.Disk)
	}
	return strings.Join(all, "; ")
}

func (a *app) onNode(_ context.Context, do func(*api.Client) (api.Node, error)) error {
	client, err := a.client()
	if err != nil {
		return err
	}
	n, err := do(client)
	if err != nil {
		return err
	}
	return a.print(n, func(w io.Writer) {
		line(w, "name", n.Name)
		line(w, "id", n.ID)
		line(w, "role", n.Role)
		line(w, "kind", n.Kind)
		line(w, "linked", yes(n.Linked))
		line(w, "linked since", n.LinkedAt)
		line(w, "address", n.Address)
		line(w, "row", n.Row)
		line(w, "dialled by", n.DialledBy)
		for _, p := range n.Paths {
			line(w, fmt.Sprintf("path %d", p.Turn), pathText(p))
		}
		line(w, "running", fmt.Sprintf("%d of %d slots", n.Running, n.Slots))
		line(w, "labels", n.Labels)
		line(w, "facts", n.Facts)
		line(w, "version", n.Version)
		line(w, "joined", n.Joined)
		line(w, "seen", n.Seen)
		line(w, "certificate until", n.Expires)
		line(w, "renewals", fmt.Sprintf("%d in time, %d late", n.Renewals, n.Recovered))
		line(w, "plan hash", n.PlanHash)
		line(w, "notes", notes(n))
	})
}

// pathText is a way by which a node's link can come up, in a line.
func pathText(p api.LinkPath) string {
	text := fmt.Sprintf("%s dials %s (%s, port %d): %s", p.Dials, orDash(p.Address), p.Row, p.Port, p.State)
	if p.Since != nil {
		text += " since " + p.Since.UTC().Format(time.RFC3339)
	}
	if p.Why != nil {
		text += ": " + *p.Why
	}
	return text
}

func orDash(text *string) string {
	if text == nil {
		return "-"
	}
	return *text
}

func (a *app) tokenCommand() *cobra.Command {
	c := a.dataFlag(&cobra.Command{Use: "token", Short: "tokens: for agents to join, for programs to call the API"})
	create := &cobra.Command{Use: "create", Short: "make a token; it is printed once, as the last line"}
	create.AddCommand(a.tokenCreate("agent"), a.tokenCreate("api"))
	list := &cobra.Command{
		Use: "list", Short: "list tokens, without their secrets", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			tokens, err := client.ListTokens(c.Context())
			if err != nil {
				return err
			}
			return a.print(tokens, func(w io.Writer) {
				line(w, "ID", "KIND", "NAME", "STATE", "SCOPE", "BY", "CREATED", "EXPIRES")
				for _, t := range tokens {
					line(w, t.ID, t.Kind, t.Name, t.State, strings.Join(t.Scope, ","), t.By, t.Created, t.Expires)
				}
			})
		},
	}
	revoke := &cobra.Command{
		Use: "revoke ID", Short: "make a token worthless at once", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			t, err := client.RevokeToken(c.Context(), args[0])
			if err != nil {
				return err
			}
			return a.print(t, func(w io.Writer) { fmt.Fprintf(w, "%s: %s\n", t.ID, t.State) })
		},
	}
	c.AddCommand(create, list, revoke)
	return c
}

func (a *app) tokenCreate(kind string) *cobra.Command {
	order := api.CreateToken{Kind: kind}
	var labels []string
	c := &cobra.Command{
		Use: kind + " NAME", Short: "make a token for an agent to join with", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			order.Name = args[0]
			var err error
			if order.Labels, err = parsePairs("label", labels, false); err != nil {
				return err
			}
			client, err := a.client()
			if err != nil {
				return err
			}
			t, err := client.CreateToken(c.Context(), order)
			if err != nil {
				return err
			}
			return a.print(t, func(w io.Writer) {
				fmt.Fprintf(w, "token %s for %s %s, until %s\n", t.ID, t.Kind, t.Name, cell(t.Expires))
				fmt.Fprintln(w, t.Secret)
			})
		},
	}
	f := c.Flags()
	if kind == "agent" {
		f.StringArrayVar(&labels, "label", nil, "a label of the agent, NAME=VALUE; several times")
		f.StringArrayVar(&order.Addresses, "address", nil, "HOST[:PORT] at which the agent finds the server; several times")
		f.StringVar(&order.TTL, "ttl", "15m", "how long the token is good")
		return c
	}
	c.Short = "make a token for a program that calls the API"
	f.StringSliceVar(&order.Scope, "scope", nil, "permissions that it gives, as view,run")
	f.StringVar(&order.Folder, "folder", "", "only for nets below this folder")
	f.StringVar(&order.TTL, "expires", "2160h", "how long the token is good")
	_ = c.MarkFlagRequired("scope")
	return c
}

func (a *app) userCommand() *cobra.Command {
	c := a.dataFlag(&cobra.Command{Use: "user", Short: "users of the domain"})
	list := &cobra.Command{
		Use: "list", Short: "list users", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			users, err := client.ListUsers(c.Context())
			if err != nil {
				return err
			}
			return a.print(users, func(w io.Writer) {
				line(w, "NAME", "FULL NAME", "PERMISSIONS", "FOLDER", "DISABLED")
				for _, u := range users {
					line(w, u.Name, u.FullName, strings.Join(u.Permissions, ","), u.Folder, yes(u.Disabled))
				}
			})
		},
	}
	remove := &cobra.Command{
		Use: "delete NAME", Short: "delete a user; the sessions end", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			return client.DeleteUser(c.Context(), args[0])
		},
	}
	disable := a.userSwitch("disable", "keep a user from logging in; the sessions end", true)
	enable := a.userSwitch("enable", "let a disabled user log in again", false)
	c.AddCommand(list, a.userSave("create"), a.userSave("change"), a.userPassword(), disable, enable, remove)
	return c
}

func (a *app) userSwitch(verb, short string, disabled bool) *cobra.Command {
	return &cobra.Command{
		Use: verb + " NAME", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.saveUser(c.Context(), (*api.Client).ChangeUser, api.SaveUser{Name: args[0], Disabled: &disabled})
		},
	}
}

func (a *app) userSave(verb string) *cobra.Command {
	var full, folder string
	var permissions []string
	var passwordFile string
	c := &cobra.Command{
		Use: verb + " NAME", Short: verb + " a user", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			u := api.SaveUser{Name: args[0]}
			if c.Flags().Changed("full-name") {
				u.FullName = &full
			}
			if c.Flags().Changed("folder") {
				u.Folder = &folder
			}
			if c.Flags().Changed("permission") {
				u.Permissions = &permissions
			}
			save := (*api.Client).ChangeUser
			if verb == "create" {
				save = (*api.Client).CreateUser
				password, err := a.newPassword(passwordFile)
				if err != nil {
					return err
				}
				u.Password = &password
			}
			return a.saveUser(c.Context(), save, u)
		},
	}
	f := c.Flags()
	f.StringVar(&full, "full-name", "", "the person's name")
	f.StringVar(&folder, "folder", "", "only nets below this folder")
	f.StringSliceVar(&permissions, "permission", nil, "permissions, as view,view_log,run")
	if verb == "create" {
		f.StringVar(&passwordFile, "password-file", "", "file that holds the password; else it is asked for")
	}
	return c
}

func (a *app) userPassword() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "password NAME", Short: "give a user a new password; the sessions end", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			password, err := a.newPassword(file)
			if err != nil {
				return err
			}
			return a.saveUser(c.Context(), (*api.Client).ChangeUser, api.SaveUser{Name: args[0], Password: &password})
		},
	}
	c.Flags().StringVar(&file, "password-file", "", "file that holds the password; else it is asked for")
	return c
}

func (a *app) saveUser(ctx context.Context, save func(*api.Client, context.Context, api.SaveUser) (api.User, error), u api.SaveUser) error {
	client, err := a.client()
	if err != nil {
		return err
	}
	saved, err := save(client, ctx, u)
	if err != nil {
		return err
	}
	return a.print(saved, func(w io.Writer) {
		fmt.Fprintf(w, "user %s: %s\n", saved.Name, strings.Join(saved.Permissions, ","))
	})
}

// newPassword reads a password from a file, or asks a terminal for it twice.
func (a *app) newPassword(file string) (string, error) {
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", fault.Wrap(fault.Invalid, "reading the password", err)
		}
		return strings.TrimRight(string(text), "\r\n"), nil
	}
	first, err := a.askSecret("new password: ")
	if err != nil {
		return "", err
	}
	second, err := a.askSecret("once more:    ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", fault.New(fault.Invalid, "the two differ", "type the same password twice")
	}
	return first, nil
}

// askSecret reads a line without showing it; where there is no terminal, the next line of standard input.
func (a *app) askSecret(prompt string) (string, error) {
	fmt.Fprint(a.errs, prompt)
	if f, ok := a.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		text, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(a.errs)
		return string(text), err
	}
	return a.readLine()
}

func (a *app) readLine() (string, error) {
	r, ok := a.in.(*bufio.Reader)
	if !ok {
		r = bufio.NewReader(a.in)
		a.in = r // the next question goes on where this one stopped
	}
	text, err := r.ReadString('\n')
	if err != nil && text == "" {
		return "", fault.Wrap(fault.Invalid, "reading the answer", err)
	}
	return strings.TrimRight(text, "\r\n"), nil
}

func (a *app) domainCommand() *cobra.Command {
	c := a.dataFlag(&cobra.Command{Use: "domain", Short: "the domain: show, hold, release"})
	show := func(d api.DomainInfo) error {
		return a.print(d, func(w io.Writer) {
			line(w, "domain", d.Name)
			line(w, "version", d.Version)
			line(w, "epoch", d.Epoch)
			line(w, "held", d.Held)
			line(w, "disk", d.Disk)
			line(w, "started", d.Started)
			line(w, "port plan", fmt.Sprintf("%s, instance %d", d.Plan, d.Instance))
			line(w, "plan hash", d.PlanHash)
			line(w, "addresses", strings.Join(d.Addresses, ", "))
			line(w, "fingerprint", d.Fingerprint)
			for _, warning := range d.Warnings {
				line(w, "warning", warning)
			}
		})
	}
	var reason string
	control := func(verb, short string) *cobra.Command {
		return &cobra.Command{
			Use: verb, Short: short, Args: cobra.NoArgs,
			RunE: func(c *cobra.Command, _ []string) error {
				client, err := a.client()
				if err != nil {
					return err
				}
				d, err := client.ControlDomain(c.Context(), verb, reason)
				if err != nil {
					return err
				}
				return show(d)
			},
		}
	}
	hold := control("hold", "start nothing in the whole domain; what runs goes on")
	hold.Flags().StringVar(&reason, "reason", "", "shown wherever something waits for it")
	c.AddCommand(hold, control("release", "let a held (or restored) domain start attempts again"), &cobra.Command{
		Use: "show", Short: "show the domain and this server", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			d, err := client.Domain(c.Context())
			if err != nil {
				return err
			}
			return show(d)
		},
	})
	return c
}

func (a *app) auditCommand() *cobra.Command {
	var before int64
	var limit int
	c := a.dataFlag(&cobra.Command{
		Use: "audit", Short: "list who did what, newest first", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			records, err := client.ListAudit(c.Context(), before, limit)
			if err != nil {
				return err
			}
			return a.print(records, func(w io.Writer) {
				line(w, "ID", "AT", "BY", "FROM", "ACTION", "OBJECT", "DETAIL")
				for _, r := range records {
					line(w, r.ID, r.At, r.By, r.From, r.Action, r.Object, r.Detail)
				}
			})
		},
	})
	c.Flags().Int64Var(&before, "before", 0, "only records older than this id")
	c.Flags().IntVar(&limit, "limit", 100, "at most so many")
	return c
}

func (a *app) backupCommand() *cobra.Command {
	return a.dataFlag(&cobra.Command{
		Use: "backup FILE", Short: "write a backup of the running server to a file (mode 0600); it is as secret as the data folder", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			temp := args[0] + ".part"
			f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return fault.Wrap(fault.Invalid, "making the backup file", err)
			}
			err = client.Backup(c.Context(), f)
			if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
				return errors.Join(err, os.Remove(temp))
			}
			if err := os.Rename(temp, args[0]); err != nil {
				return fmt.Errorf("finishing the backup: %w", err)
			}
			fmt.Fprintln(a.out, args[0])
			return nil
		},
	})
}

func (a *app) restoreCommand() *cobra.Command {
	var data string
	var above int64
	c := &cobra.Command{
		Use: "restore FILE --data DIR", Short: "restore a backup into a new data folder; the server then starts held", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			f, err := os.Open(args[0])
			if err != nil {
				return fault.Wrap(fault.Invalid, "reading the backup", err)
			}
			defer f.Close() // read only
			if err := server.Restore(c.Context(), f, data, above); err != nil {
				return err
			}
			fmt.Fprintf(a.out, "restored into %s; the server starts held: look, then `reeve domain release --data %s`\n", data, data)
			return nil
		},
	}
	c.Flags().StringVar(&data, "data", os.Getenv("REEVE_DATA"), "new data folder (REEVE_DATA)")
	c.Flags().Int64Var(&above, "epoch-above", 0, "an epoch that agents have seen since the backup; a server that they refuse names it")
	return c
}
