package dialect

import (
	"strings"

	"github.com/reeve-scheduler/reeve/ports"
)

// rows finds rows of a plan by the names that other products' files use.
type rows struct {
	byName map[string]ports.Claim
	order  []string                 // ids, in the plan's order
	ranges map[string][]ports.Range // of pools, by id
}

// vendorNames are names of configuration files for rows that the page spells otherwise: the keys of PortsConfig.cfg,
// and the spellings of AR-2.
func vendorNames() map[string]string {
	return map[string]string{
		"catirpc": "portmapper", "jobengine": "jobeng", "tapeengine": "tapeeng", "databaseengine": "dbeng", "carunjob": "reconnect", "casdscsvc": "discovery",
		"caserved": "caservd", "caathd": "caauthd", "camediad": "mediasvr", "idbserver": "ldbserver",
	}
}

// newRows indexes the rows of a plan by id, name and name in DNS. Of several claims of a row the active one counts.
func newRows(c ports.Compiled) rows {
	r := rows{byName: map[string]ports.Claim{}, ranges: map[string][]ports.Range{}}
	for _, p := range c.Pools {
		r.ranges[p.ID] = p.Ranges
	}
	add := func(name string, cl ports.Claim) {
		name = strings.TrimSuffix(strings.ToLower(name), ".exe")
		if have, ok := r.byName[name]; name != "" && (!ok || have.Status == ports.Inactive && cl.Status != ports.Inactive) {
			r.byName[name] = cl
		}
	}
	for _, cl := range c.Claims {
		if cl.Pair != "" {
			continue
		}
		if _, ok := r.byName[cl.Service]; !ok {
			r.order = append(r.order, cl.Service)
		}
		add(cl.Service, cl)
	}
	for _, cl := range c.Claims {
		if cl.Pair != "" {
			continue
		}
		add(cl.Name, cl)
		add(cl.SRVName, cl)
	}
	for name, id := range vendorNames() {
		if cl, ok := r.byName[id]; ok && cl.Service == id {
			add(name, cl)
		}
	}
	return r
}

// find returns the row that one of the names stands for, without regard to case.
func (r rows) find(name string, others ...string) (ports.Claim, bool) {
	for _, n := range append([]string{name}, others...) {
		if cl, ok := r.byName[strings.TrimSuffix(strings.ToLower(n), ".exe")]; ok {
			return cl, true
		}
	}
	return ports.Claim{}, false
}

// key is the name under which a row stands in PortsConfig.cfg.
func key(cl ports.Claim) string {
	for name, id := range map[string]string{"catirpc": "portmapper", "jobengine": "jobeng", "tapeengine": "tapeeng", "databaseengine": "dbeng", "carunjob": "reconnect", "casdscsvc": "discovery"} {
		if id == cl.Service {
			return name
		}
	}
	return cl.Service
}

// each returns the rows in the plan's order, one claim each.
func (r rows) each() []ports.Claim {
	all := make([]ports.Claim, len(r.order))
	for i, id := range r.order {
		all[i] = r.byName[id]
	}
	return all
}
