package api

import (
	"context"
	"net/http"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
)

// Names says what there is and where, and looks for nodes that nobody has named yet.
type Names interface {
	Directory(ctx context.Context) (Directory, error)
	// Discover asks by broadcast, where the port plan has that, and each address of the subnets over TCP. What answers is only
	// listed. Conflict where the plan has no discovery.
	Discover(ctx context.Context, q Discover) ([]Discovered, error)
}

// Directory is the domain's nodes with their addresses, and what each offers there.
type Directory struct {
	Zone   string          `json:"zone" doc:"the domain's name, and its zone in DNS"`
	Serial int64           `json:"serial" doc:"changes when the directory does"`
	Nodes  []DirectoryNode `json:"nodes" doc:"by name"`
}

// DirectoryNode is one node of the directory.
type DirectoryNode struct {
	Name      string             `json:"name"`
	Role      string             `json:"role" enum:"server,agent,desk"`
	Linked    bool               `json:"linked"`
	Addresses []string           `json:"addresses" doc:"host names and IP addresses; none: not known"`
	Services  []DirectoryService `json:"services" doc:"where others reach it, by the port plan; none: it dials whom it needs"`
}

// DirectoryService is what a node offers on a row of the port plan.
type DirectoryService struct {
	Service   string   `json:"service" doc:"the row's id"`
	Name      string   `json:"name" doc:"as the plan's page has it"`
	SRV       *string  `json:"srv" doc:"the name in DNS, as _name._tcp.ZONE"`
	Protocol  string   `json:"protocol" enum:"tcp,udp"`
	TLS       bool     `json:"tls"`
	Doors     []string `json:"doors"`
	Addresses []string `json:"addresses" doc:"HOST:PORT"`
	Program   *int64   `json:"program" doc:"of ONC RPC"`
	Version   *int64   `json:"version" doc:"of the program"`
}

// Discover says where nodes are looked for, beside the server's own networks.
type Discover struct {
	Subnets []string `json:"subnets,omitempty" maxItems:"64" doc:"CIDR; together at most 4096 addresses"`
}

// Discovered is a node that answered. All but address is what it says of itself: nothing of it is proved before it joins.
type Discovered struct {
	Name        string  `json:"name"`
	Role        string  `json:"role"`
	Address     string  `json:"address" doc:"where the answer came from"`
	Dial        *string `json:"dial" doc:"HOST:PORT at which it waits to be dialled"`
	Version     string  `json:"version"`
	Domain      *string `json:"domain" doc:"that it says it has joined"`
	Fingerprint *string `json:"fingerprint" doc:"SHA-256 in hex, of its domain's authority; of a node that has joined none, of its own key"`
	Joined      bool    `json:"joined" doc:"a node of this domain has this name, and the fingerprint is this domain's"`
	Over        string  `json:"over" enum:"broadcast,tcp"`
}

func (h *Handler) directoryRoutes() []entry {
	discover := post("/nodes/discover", "discover-nodes", "Look for nodes by broadcast, and over TCP in subnets. It only lists: joining needs a token or a code.").
		needs(access.ManageNodes, Whole).behind("directory")
	discover.Timeout = time.Minute
	return []entry{
		handle(get("/directory", "show-directory", "Show what there is and where: nodes, their addresses, and what each offers there.").needs(access.View, Whole).behind("directory"),
			func(ctx context.Context, _ *nothing) (*body[Directory], error) { return answer(h.svc.Directory(ctx)) }),
		handle(discover, func(ctx context.Context, in *struct{ Body Discover }) (*body[[]Discovered], error) {
			return answer(h.svc.Discover(ctx, in.Body))
		}),
	}
}

// Directory implements Names.
func (c *Client) Directory(ctx context.Context) (Directory, error) {
	return ask[Directory](ctx, c, at(http.MethodGet, "directory"))
}

// Discover implements Names.
func (c *Client) Discover(ctx context.Context, q Discover) ([]Discovered, error) {
	return ask[[]Discovered](ctx, c, at(http.MethodPost, "nodes", "discover").sending(q))
}
