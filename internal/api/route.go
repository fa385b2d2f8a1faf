package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/reeve-scheduler/reeve/internal/access"
)

// Where says against what a route's permission is decided.
type Where string

// The places. The zero value is none of them: a route that does not say is refused at start.
const (
	Whole  Where = "whole"  // the domain: a subject that is confined to a folder may only view
	Named  Where = "named"  // the folder of the net that the request names
	Object Where = "object" // the object that the request finds, or each in a list: the service decides, by Subject.May
	Nobody Where = "nobody" // nothing: the route is Public, or for everybody who is Known
)

// Route is one entry of the table of routes. All that a request must pass before its handler runs stands here.
type Route struct {
	Method     string
	Path       string // of http.ServeMux; {name...} may hold slashes
	ID         string // of the operation in OpenAPI
	Summary    string
	Permission access.Permission
	Where      Where
	Door       string // that opens it, beside api, which opens all
	MaxBody    int64  // bytes; 0: 1 MiB where there is a body
	Timeout    time.Duration
	Stream     bool // goes on for as long as it likes; each write has its own time
	Extra      bool // handled by who builds the server
	Peer       bool // stands behind the door peers, too: what another server needs to order a run here and hear its end
}

const (
	base           = "/api/v1"
	mib            = 1 << 20
	maxDefinition  = 4 * mib
	maxBeforeLogin = 64 << 10
	defaultTimeout = 30 * time.Second
)

// public is the whole list of routes that need no login. Lengthening it is a decision about security.
func public() []string {
	return []string{
		"GET /healthz",
		"POST /api/v1/join",
		"POST /api/v1/login",
		"POST /api/v1/renew",
	}
}

// pattern is what the route is called in http.ServeMux.
func (r Route) pattern() string { return r.Method + " " + r.Path }

// public reports whether the route needs no login.
func (r Route) public() bool { return r.Permission == access.Public }

// check reports what the route does not say, or says wrongly.
func (r Route) check() error {
	switch {
	case r.Method == "" || !strings.HasPrefix(r.Path, "/") || r.ID == "" || r.Summary == "":
		return errors.New("it needs method, path, id and summary")
	case r.public() && !slices.Contains(public(), r.pattern()):
		return errors.New("it is public and not in the list of those that may be")
	case !r.public() && r.Permission != access.Known && !slices.Contains(access.Permissions(), r.Permission):
		return fmt.Errorf("%q is no permission", r.Permission)
	case (r.public() || r.Permission == access.Known) != (r.Where == Nobody):
		return errors.New("where its permission is decided does not fit the permission")
	case r.Where != Whole && r.Where != Named && r.Where != Object && r.Where != Nobody:
		return errors.New("it does not say where its permission is decided")
	case !slices.Contains(doors(), r.Door):
		return fmt.Errorf("%q is no door", r.Door)
	}
	return nil
}

// doors are those that this handler stands behind.
func doors() []string {
	return []string{"api", "auth", "nets", "config", "logs", "directory", "metrics", "link", "calendars"}
}

// entry is a route with what registers it.
type entry struct {
	Route
	register func(api huma.API, op huma.Operation)
}

// handle makes an entry of a route and its typed handler.
func handle[I, O any](r Route, do func(context.Context, *I) (*O, error)) entry {
	return entry{Route: r, register: func(api huma.API, op huma.Operation) {
		huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
			out, err := do(ctx, in)
			if err != nil {
				return nil, exchangeOf(ctx).told(err)
			}
			return out, nil
		})
	}}
}

// operation describes the route to huma.
func (r Route) operation() huma.Operation {
	op := huma.Operation{
		OperationID:                  r.ID,
		Method:                       r.Method,
		Path:                         r.Path,
		Summary:                      r.Summary,
		Tags:                         []string{r.Door},
		MaxBodyBytes:                 r.MaxBody + 1, // huma refuses what is exactly as long as the bound
		BodyReadTimeout:              r.Timeout,
		RejectUnknownQueryParameters: true,
		Extensions:                   map[string]any{"x-permission": string(r.Permission), "x-decided": string(r.Where), "x-door": r.Door},
		Responses:                    map[string]*huma.Response{},
	}
	if !r.public() {
		op.Security = []map[string][]string{{"bearer": {}}, {"session": {}}}
	}
	return op
}

func get(path, id, summary string) Route {
	return Route{Method: http.MethodGet, Path: base + path, ID: id, Summary: summary}
}

func post(path, id, summary string) Route {
	return Route{Method: http.MethodPost, Path: base + path, ID: id, Summary: summary}
}

// needs says what the route asks for, and against what it is decided.
func (r Route) needs(p access.Permission, w Where) Route {
	r.Permission, r.Where = p, w
	return r
}

// forPeers puts the route behind the door peers as well.
func (r Route) forPeers() Route {
	r.Peer = true
	return r
}

func (r Route) behind(door string) Route {
	r.Door = door
	return r
}
