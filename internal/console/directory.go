package console

import (
	"net/http"
	"strings"

	"github.com/reeve-scheduler/reeve/internal/api"
)

// directory shows what there is and where.
func (c *console) directory(w http.ResponseWriter, r *http.Request) error {
	d, err := c.service.Directory(r.Context())
	if err != nil {
		return err
	}
	return c.page(w, r, "directory", view{Title: "Directory", Section: "nodes", Events: "/live", Data: d})
}

// discover looks for nodes and answers with the page that lists them: what was found is true for this moment only, so
// there is nowhere to redirect to.
func (c *console) discover(w http.ResponseWriter, r *http.Request) error {
	q := api.Discover{Subnets: strings.FieldsFunc(r.PostFormValue("subnets"), func(r rune) bool { return strings.ContainsRune(" ,\t\r\n", r) })}
	found, err := c.service.Discover(r.Context(), q)
	if err != nil {
		return err
	}
	return c.showNodes(w, r, nodesData{Looked: true, Found: found})
}
