package console

import (
	"net/http"
	"strings"
	"time"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/api"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

// nodesData is the list of nodes.
type nodesData struct {
	Nodes  []api.Node
	Tokens []api.Token   // that agents may still join with
	New    *api.NewToken // just made: shown this once
	Looked bool          // for nodes, just now
	Found  []api.Discovered
}

func (c *console) nodes(w http.ResponseWriter, r *http.Request) error {
	return c.showNodes(w, r, nodesData{})
}

// showNodes shows the nodes with what was just made or found.
func (c *console) showNodes(w http.ResponseWriter, r *http.Request, d nodesData) error {
	var err error
	if d.Nodes, err = c.service.ListNodes(r.Context()); err != nil {
		return err
	}
	if api.SubjectOf(r.Context()).May(access.ManageNodes, "") {
		tokens, err := c.service.ListTokens(r.Context())
		if err != nil {
			return err
		}
		for i := range tokens {
			if tokens[i].Kind == "agent" && tokens[i].State == "valid" {
				d.Tokens = append(d.Tokens, tokens[i])
			}
		}
	}
	v := view{Title: "Nodes", Section: "nodes", Events: "/live", Data: d}
	if d.New != nil || d.Looked {
		v.Events = "" // the secret, and what was found, must stay until the person has taken it
	}
	return c.page(w, r, "nodes", v)
}

// createToken makes a join token and answers with the page that shows it: it is stored nowhere, so there is nowhere
// to redirect to.
func (c *console) createToken(w http.ResponseWriter, r *http.Request) error {
	order := api.CreateToken{Kind: "agent", Name: strings.TrimSpace(r.PostFormValue("name"))}
	var err error
	if order.Labels, err = labels(r.PostFormValue("labels")); err != nil {
		return err
	}
	made, err := c.service.CreateToken(r.Context(), order)
	if err != nil {
		return err
	}
	return c.showNodes(w, r, nodesData{New: &made})
}

// enrolNode lets the server dial an agent that waits with a code.
func (c *console) enrolNode(w http.ResponseWriter, r *http.Request) error {
	name := strings.TrimSpace(r.PostFormValue("name"))
	order := api.EnrolNode{Address: strings.TrimSpace(r.PostFormValue("address")), Code: strings.TrimSpace(r.PostFormValue("code")), Desk: r.PostFormValue("desk") != ""}
	var err error
	if order.Labels, err = labels(r.PostFormValue("labels")); err != nil {
		return err
	}
	if _, err := c.service.EnrolNode(r.Context(), name, order); err != nil {
		return err
	}
	return back(w, r, nodePath(name), "enrolled")
}

func (c *console) revokeToken(w http.ResponseWriter, r *http.Request) error {
	if _, err := c.service.RevokeToken(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	return back(w, r, "/nodes", "revoked")
}

// labels reads k=v pairs between spaces or commas.
func labels(text string) (map[string]string, error) {
	out := map[string]string{}
	for _, field := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' || r == '\n' || r == '\r' }) {
		k, v, ok := strings.Cut(field, "=")
		if !ok || k == "" {
			return nil, fault.New(fault.Invalid, "labels are not of the form name=value", "write them as site=north disk=ssd")
		}
		out[k] = v
	}
	return out, nil
}

// nodeData is one node.
type nodeData struct {
	Node    api.Node
	Expired bool // its certificate has run out
	Left    string
}

func (c *console) node(w http.ResponseWriter, r *http.Request) error {
	n, err := c.service.Node(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	d := nodeData{Node: n}
	if n.Expires != nil {
		left := n.Expires.Sub(c.now())
		d.Expired, d.Left = left <= 0, span(left.Truncate(time.Minute))
	}
	return c.page(w, r, "node", view{Title: n.Name, Section: "nodes", Events: "/live", Data: d})
}

func (c *console) controlNode(w http.ResponseWriter, r *http.Request) error {
	name, verb := r.PathValue("name"), r.PathValue("verb")
	switch verb {
	case "drain", "undrain":
		if _, err := c.service.ControlNode(r.Context(), name, verb); err != nil {
			return err
		}
		return back(w, r, nodePath(name), verb)
	case "remove":
		if r.PostFormValue("confirm") != name {
			return fault.New(fault.Invalid, "the name that was typed is not the node's", "type "+name+" to remove it")
		}
		if _, err := c.service.ControlNode(r.Context(), name, verb); err != nil {
			return err
		}
		return back(w, r, "/nodes", "removed")
	case "label":
		set, err := labels(r.PostFormValue("labels"))
		if err != nil {
			return err
		}
		if _, err := c.service.LabelNode(r.Context(), name, set); err != nil {
			return err
		}
		return back(w, r, nodePath(name), "label")
	}
	return c.missing(w, r)
}
