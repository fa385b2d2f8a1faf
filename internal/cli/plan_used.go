package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/reeve-scheduler/reeve/internal/domain"
	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/server"
	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/planfile"
)

// usedFile keeps the port plan by which a server works: that with which it is configured may be the next one already.
const usedFile = "plan-in-use.json"

// usedPlan is a port plan with its site, as text.
type usedPlan struct {
	Plan      string `json:"plan"`      // a plan document that extends nothing
	Inventory string `json:"inventory"` // an inventory document with the values of all variables
	Instance  int    `json:"instance"`
	Refused   string `json:"refused,omitempty"` // fingerprint of a plan and site that were rolled back: they are not tried again by themselves
}

// plans is the port plan by which a server works, and that with which it is configured.
type plans struct {
	data string
	cfg  server.Config

	used    usedPlan
	plan    ports.Compiled
	written domain.PortPlan
	begin   bool // the configured plan is another one

	next usedPlan // that was read last
}

// refused reports whether the configured plan is another one that was rolled back.
func (p *plans) refused() bool { return p.used.Refused != "" && !p.begin }

// openPlans reads both. At the first start the configured one is the one in use; where both have the same numbers, too.
func openPlans(cfg server.Config) (*plans, error) {
	p := &plans{data: cfg.Data, cfg: cfg}
	plan, written, err := p.reread()
	if err != nil {
		return nil, err
	}
	p.used, p.plan, p.written = p.next, plan, written
	text, err := os.ReadFile(p.file())
	if errors.Is(err, os.ErrNotExist) {
		return p, nil
	}
	if errors.Is(err, os.ErrPermission) {
		return nil, &fault.Error{Kind: fault.Forbidden, Msg: "reading the port plan in use, " + p.file(), Err: err, Fix: "give the data folder to the user that runs the server, or choose another with --data"}
	}
	var kept usedPlan
	if err == nil {
		err = json.Unmarshal(text, &kept)
	}
	var old ports.Compiled
	var oldWritten domain.PortPlan
	if err == nil {
		old, oldWritten, err = kept.compile()
	}
	if err != nil { // damaged, or written by another version: the numbers of the configured one are all that there is
		return nil, &fault.Error{Kind: fault.Invalid, Msg: "reading the port plan in use, " + p.file(), Err: err, Fix: "if all nodes know the configured plan already, remove that file"}
	}
	if sameNumbers(old, plan) && kept.Inventory == p.next.Inventory {
		return p, nil
	}
	p.used, p.plan, p.written = kept, old, oldWritten
	p.begin = kept.Refused != p.next.fingerprint(plan)
	return p, nil
}

func (p *plans) file() string { return filepath.Join(p.data, usedFile) }

// reread reads the plan with which the server is configured.
func (p *plans) reread() (ports.Compiled, domain.PortPlan, error) {
	plan, written, err := meantToRun(p.cfg.Plan, p.cfg.Inventory, p.cfg.Instance)
	if err != nil {
		return plan, written, err
	}
	inventory := written.Inventory
	if inventory.Name == "" {
		inventory.Name = "given" // by flags and the environment alone: a document must have a name
	}
	p.next = usedPlan{Plan: string(planfile.Format(written.Written)), Inventory: string(planfile.FormatInventory(inventory)), Instance: plan.Instance}
	again, _, err := p.next.compile()
	if err != nil || again.Hash != plan.Hash {
		return plan, written, fmt.Errorf("keeping the port plan %s: written down it is another one (%w)", plan.Plan, err)
	}
	return plan, written, nil
}

// settle keeps the plan that was read last as the one in use, or that it was not taken.
func (p *plans) settle(taken bool) error {
	if taken {
		p.used = p.next
		return p.keep()
	}
	refused, _, err := p.next.compile()
	if err != nil {
		return err
	}
	p.used.Refused = p.next.fingerprint(refused)
	return p.keep()
}

// keep writes the plan in use.
func (p *plans) keep() error {
	text, err := json.MarshalIndent(p.used, "", "  ")
	if err != nil {
		return err
	}
	if old, err := os.ReadFile(p.file()); err == nil && bytes.Equal(old, text) {
		return nil
	}
	return writeFileSynced(p.file(), text)
}

// writeFileSynced replaces a file so that after a crash it has the old or the new content.
func writeFileSynced(path string, data []byte) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return os.Rename(f.Name(), path)
}

// fingerprint is of the plan and of the site: the plan's hash does not cover hosts, zones and who dials.
func (u usedPlan) fingerprint(plan ports.Compiled) string {
	sum := sha256.Sum256([]byte(plan.Hash + u.Inventory))
	return hex.EncodeToString(sum[:])
}

// compile reads the texts again.
func (u usedPlan) compile() (ports.Compiled, domain.PortPlan, error) {
	plan, err := planfile.Parse(usedFile, []byte(u.Plan), func(name string) (ports.Plan, error) {
		return ports.Plan{}, fault.New(fault.Invalid, "a port plan in use extends nothing, and this one extends "+name, "")
	})
	if err != nil {
		return ports.Compiled{}, domain.PortPlan{}, err
	}
	inventory := ports.Inventory{}
	if u.Inventory != "" {
		if inventory, err = planfile.ParseInventory(usedFile, []byte(u.Inventory)); err != nil {
			return ports.Compiled{}, domain.PortPlan{}, err
		}
	}
	compiled, found := ports.Compile(plan, inventory, u.Instance)
	if ports.HasErrors(found) {
		return compiled, domain.PortPlan{}, fmt.Errorf("%v", found)
	}
	return compiled, domain.PortPlan{Written: plan, Inventory: inventory, Findings: found}, nil
}

// sameNumbers reports whether two plans open the same ports on the same roles and carry links in the same way.
func sameNumbers(a, b ports.Compiled) bool {
	for _, c := range ports.Diff(a, b).Changes {
		switch {
		case c.Kind == "row" && c.What == "changed":
			for _, f := range c.Fields {
				if f.Name == "port" || f.Name == "tls" || f.Name == "door" || f.Name == "status" {
					return false
				}
			}
		case c.Kind == "row" || c.Kind == "flow" || c.Kind == "pool":
			return false
		}
	}
	return true
}
