package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

func (a *app) nodeDirectory() *cobra.Command {
	return &cobra.Command{
		Use: "directory [N]", Short: "what there is and where: the nodes' addresses, and what each offers there", Args: cobra.MaximumNArgs(1),
		Long: "Show the directory: the nodes with their addresses, and what each offers there by the port plan. The same is told by DNS (SRV)\n" +
			"and by the ONC RPC port mapper, where the plan has rows for them.\n\n" + exitHelp,
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			d, err := client.Directory(c.Context())
			if err != nil {
				return err
			}
			if len(args) == 1 {
				if d.Nodes = only(d.Nodes, args[0]); len(d.Nodes) == 0 {
					return fault.New(fault.NotFound, "there is no node "+args[0], "see `reeve node list`")
				}
			}
			return a.print(d, func(w io.Writer) {
				line(w, "NODE", "ROLE", "LINKED", "ADDRESSES", "SERVICE", "AT", "TLS", "DOORS", "SRV", "PROGRAM")
				for _, n := range d.Nodes {
					showDirectory(w, n)
				}
			})
		},
	}
}

func only(nodes []api.DirectoryNode, name string) []api.DirectoryNode {
	for _, n := range nodes {
		if n.Name == name {
			return []api.DirectoryNode{n}
		}
	}
	return nil
}

func showDirectory(w io.Writer, n api.DirectoryNode) {
	addresses := strings.Join(n.Addresses, " ")
	if len(n.Services) == 0 {
		line(w, n.Name, n.Role, yes(n.Linked), addresses, "", "", "", "", "", "")
	}
	for _, s := range n.Services {
		line(w, n.Name, n.Role, yes(n.Linked), addresses, s.Service, strings.Join(s.Addresses, " ")+"/"+s.Protocol, yes(s.TLS), strings.Join(s.Doors, ","), s.SRV, program(s))
	}
}

// program is a program of ONC RPC with its version, as rpcinfo writes them.
func program(s api.DirectoryService) string {
	if s.Program == nil || s.Version == nil {
		return ""
	}
	return fmt.Sprintf("%d v%d", *s.Program, *s.Version)
}

func (a *app) nodeDiscover() *cobra.Command {
	var q api.Discover
	c := &cobra.Command{
		Use: "discover [--subnet CIDR]…", Short: "look for nodes by broadcast, and over TCP in subnets; it only lists them", Args: cobra.NoArgs,
		Long: "Have the server look for nodes: by broadcast in its own networks, and over TCP at each address of the given subnets, 4096 together at\n" +
			"most. The port plan must give discovery a number. What answers says who it is and proves nothing: it is listed, and joins only\n" +
			"by a token or a code.\n\n" + exitHelp,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			fmt.Fprintln(a.errs, "looking for nodes; this takes some seconds")
			found, err := client.Discover(c.Context(), q)
			if err != nil {
				return err
			}
			return a.print(found, func(w io.Writer) {
				line(w, "NAME", "ROLE", "JOINED", "ADDRESS", "DIAL", "VERSION", "DOMAIN", "FINGERPRINT", "OVER")
				for _, f := range found {
					line(w, f.Name, f.Role, yes(f.Joined), f.Address, f.Dial, f.Version, f.Domain, f.Fingerprint, f.Over)
				}
			})
		},
	}
	c.Flags().StringArrayVar(&q.Subnets, "subnet", nil, "addresses to ask over TCP, as 10.2.0.0/24; several times")
	return c
}
