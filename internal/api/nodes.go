package api

import (
	"context"

	"github.com/reeve-scheduler/reeve/internal/access"
	"github.com/reeve-scheduler/reeve/internal/fault"
)

func (h *Handler) nodeRoutes() []entry {
	manage := func(r Route) Route { return r.needs(access.ManageNodes, Whole).behind("directory") }
	label := manage(Route{Method: "PATCH", Path: base + "/nodes/{node}/labels", ID: "label-node", Summary: "Set labels of a node; an empty value removes one."})
	create := post("/tokens", "create-token", "Make a token. kind agent needs manage_nodes; an API token lends what its owner may do.").needs(access.Known, Nobody).behind("auth")
	revoke := Route{Method: "DELETE", Path: base + "/tokens/{token}", ID: "revoke-token", Summary: "Revoke a token."}
	enrol := manage(post("/nodes/{node}/enrol", "enrol-node", "Dial an agent that waits with a code, and make it a node. It may be repeated with the same code."))
	list := []entry{
		handle(get("/nodes", "list-nodes", "List nodes, by name.").needs(access.View, Whole).behind("directory"), h.listNodes),
		handle(get("/nodes/{node}", "show-node", "Show a node.").needs(access.View, Whole).behind("directory"), h.showNode),
		handle(label, h.labelNode),
		handle(enrol, h.enrolNode),
		handle(get("/tokens", "list-tokens", "List tokens: one's own, or those that one manages.").needs(access.Known, Nobody).behind("auth"), h.listTokens),
		handle(create, h.createToken),
		handle(revoke.needs(access.Known, Nobody).behind("auth"), h.revokeToken),
	}
	for _, v := range [][2]string{
		{"drain", "Start nothing more on a node; what runs there goes on."},
		{"undrain", "Use a node again."},
		{"remove", "Remove a node from the domain. Its name may be given again, its id never."},
	} {
		list = append(list, handle(manage(post("/nodes/{node}/"+v[0], v[0]+"-node", v[1])), h.controlNode(v[0])))
	}
	return list
}

type nodePath struct {
	Node string `path:"node" maxLength:"64"`
}

func (h *Handler) listNodes(ctx context.Context, _ *nothing) (*body[[]Node], error) {
	return answer(h.svc.ListNodes(ctx))
}

func (h *Handler) showNode(ctx context.Context, in *nodePath) (*body[Node], error) {
	return answer(h.svc.Node(ctx, in.Node))
}

type labelInput struct {
	Node string `path:"node" maxLength:"64"`
	Body map[string]string
}

func (h *Handler) labelNode(ctx context.Context, in *labelInput) (*body[Node], error) {
	return answer(h.svc.LabelNode(ctx, in.Node, in.Body))
}

type enrolInput struct {
	Node string `path:"node" maxLength:"64"`
	Body EnrolNode
}

func (h *Handler) enrolNode(ctx context.Context, in *enrolInput) (*body[Node], error) {
	return answer(h.svc.EnrolNode(ctx, in.Node, in.Body))
}

func (h *Handler) controlNode(verb string) func(context.Context, *nodePath) (*body[Node], error) {
	return func(ctx context.Context, in *nodePath) (*body[Node], error) {
		return answer(h.svc.ControlNode(ctx, in.Node, verb))
	}
}

func (h *Handler) listTokens(ctx context.Context, _ *nothing) (*body[[]Token], error) {
	return answer(h.svc.ListTokens(ctx))
}

func (h *Handler) createToken(ctx context.Context, in *struct{ Body CreateToken }) (*body[NewToken], error) {
	if err := mayCreate(SubjectOf(ctx), in.Body); err != nil {
		return nil, err
	}
	return answer(h.svc.CreateToken(ctx, in.Body))
}

// mayCreate keeps a token from being more than who makes it: an agent's token is a node's beginning, an API token
// lends at most what its maker may do, and no API token makes another, which would outlive it.
func mayCreate(s access.Subject, order CreateToken) error {
	if order.Kind == "agent" {
		if !s.May(access.ManageNodes, "") {
			return fault.Newf(fault.Forbidden, "this needs the permission %s for all folders", access.ManageNodes)
		}
		return nil
	}
	if s.Token != "" {
		return fault.New(fault.Forbidden, "a token cannot make a token", "log in")
	}
	for _, p := range order.Scope {
		if !s.Holds(access.Permission(p)) || access.Permission(p) == access.Known {
			return fault.Newf(fault.Forbidden, "a token cannot lend the permission %q, which %s does not have", p, s.Name)
		}
	}
	if !s.Within(order.Folder) {
		return fault.Newf(fault.Forbidden, "a token of %s stays below %s", s.Name, s.Folder)
	}
	return nil
}

type tokenPath struct {
	Token string `path:"token" maxLength:"64"`
}

func (h *Handler) revokeToken(ctx context.Context, in *tokenPath) (*body[Token], error) {
	return answer(h.svc.RevokeToken(ctx, in.Token))
}
