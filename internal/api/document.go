package api

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// config is huma's, without what it would add by itself: pages from elsewhere, routes that no table names, and links
// to schemas in every answer.
func config() huma.Config {
	c := huma.DefaultConfig("Reeve", "1")
	c.DocsPath, c.OpenAPIPath, c.SchemasPath = "", "", ""
	c.CreateHooks = nil
	c.Transformers = []huma.Transformer{fromHuma, regular}
	c.Formats = map[string]huma.Format{"application/json": jsonFormat(), "json": jsonFormat()}
	c.Info.Description = "Everything that can be asked of a Reeve server. Times are RFC 3339 in UTC, absent is null, lists are arrays."
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer":  {Type: "http", Scheme: "bearer", Description: "an API token, reeve_ID_SECRET"},
		"session": {Type: "apiKey", In: "cookie", Name: "__Host-reeve", Description: "a login"},
	}
	return c
}

func problemGoType() reflect.Type { return reflect.TypeFor[Problem]() }

// document tidies the OpenAPI document and writes it, the same bytes for the same routes.
func document(o *huma.OpenAPI) ([]byte, error) {
	schemas := o.Components.Schemas.Map()
	delete(schemas, "ErrorModel") // huma's own form of errors, which nobody meets
	delete(schemas, "ErrorDetail")
	for _, s := range schemas {
		arrays(s)
	}
	for path, item := range o.Paths {
		if clean := strings.ReplaceAll(path, "...}", "}"); clean != path { // the router's word for "with slashes"
			o.Paths[clean] = item
			delete(o.Paths, path)
		}
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Patch, item.Delete} {
			if op != nil {
				for _, p := range op.Parameters {
					arrays(p.Schema)
				}
				for _, r := range op.Responses {
					for _, m := range r.Content {
						arrays(m.Schema)
					}
				}
			}
		}
	}
	text, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the OpenAPI document: %w", err)
	}
	return append(text, '\n'), nil
}

// arrays takes from lists that they may be null: they never are (regular).
func arrays(s *huma.Schema) {
	if s == nil {
		return
	}
	if s.Type == huma.TypeArray {
		s.Nullable = false
		arrays(s.Items)
	}
	for _, p := range s.Properties {
		arrays(p)
	}
}

// OpenAPI returns the OpenAPI 3.1 document of all routes that this package handles.
func OpenAPI() ([]byte, error) {
	h, err := New(nil, nil, Options{})
	if err != nil {
		return nil, err
	}
	return h.openapi, nil
}

// RouteTable returns the routes as a page of Markdown: what each needs, and which door opens it beside api.
func RouteTable() ([]byte, error) {
	h, err := New(nil, nil, Options{Extra: joining(nil, nil)})
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	b.WriteString("| request | does | permission | decided against | door |\n| --- | --- | --- | --- | --- |\n")
	for _, r := range h.list {
		where := map[Where]string{Whole: "the domain", Named: "the folder of the net", Object: "the object's folder", Nobody: ""}[r.Where]
		fmt.Fprintf(&b, "| `%s %s` | %s | %s | %s | %s |\n", r.Method, r.Path, r.Summary, permissionWord(r), where, doorsOf(r))
	}
	return []byte(b.String()), nil
}

func permissionWord(r Route) string {
	switch {
	case r.public():
		return "none"
	case r.Where == Nobody:
		return "a login"
	}
	return "`" + string(r.Permission) + "`"
}

// doorsOf names the doors that a route stands behind, besides api.
func doorsOf(r Route) string {
	if r.Peer {
		return r.Door + ", peers"
	}
	return r.Door
}
