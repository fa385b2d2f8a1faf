package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/internal/fault"
	"github.com/reeve-scheduler/reeve/internal/server"
)

// A server that is told an instance and has no inventory keeps its plan as it is, and finds it again.
func TestPlanInUseOfAnInstance(t *testing.T) {
	t.Parallel()
	cfg := server.Default()
	seven := 7
	cfg.Data, cfg.Instance = t.TempDir(), &seven
	for range 2 {
		known, err := openPlans(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if known.plan.Instance != seven {
			t.Errorf("the plan is of instance %d, want %d", known.plan.Instance, seven)
		}
		if err := known.keep(); err != nil {
			t.Fatal(err)
		}
	}
}

// A site that was rolled back is not tried again by itself; another one is, though its numbers are the same.
func TestRefusedSite(t *testing.T) {
	t.Parallel()
	cfg := server.Default()
	cfg.Data, cfg.Inventory = t.TempDir(), filepath.Join(t.TempDir(), "site.yaml")
	open := func(advertise string) *plans {
		t.Helper()
		text := "inventory: site\nhosts:\n  hq1: {roles: [server], advertise: [" + advertise + "]}\n"
		if err := os.WriteFile(cfg.Inventory, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		known, err := openPlans(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return known
	}
	known := open("10.1.0.5")
	if known.begin || known.refused() {
		t.Error("the first start changes the ports")
	}
	if err := known.keep(); err != nil {
		t.Fatal(err)
	}
	known = open("10.1.0.6")
	if !known.begin || known.refused() {
		t.Error("an edited site is not begun with")
	}
	if err := known.settle(false); err != nil {
		t.Fatal(err)
	}
	if known = open("10.1.0.6"); known.begin || !known.refused() {
		t.Errorf("a site that was rolled back: begun %v, refused %v", known.begin, known.refused())
	}
	if known = open("10.1.0.7"); !known.begin || known.refused() {
		t.Errorf("a site that was edited again: begun %v, refused %v", known.begin, known.refused())
	}
	if known = open("10.1.0.5"); known.begin || known.refused() {
		t.Errorf("a site that is as before: begun %v, refused %v", known.begin, known.refused())
	}
}

// A damaged file is named, with what to do.
func TestDamagedPlanInUse(t *testing.T) {
	t.Parallel()
	cfg := server.Default()
	for _, text := range []string{"", "{", `{"plan": "plan: ["}`, `{"plan": "plan: x\nextends: default\n"}`, `{"plan": 7}`} {
		cfg.Data = t.TempDir()
		if err := os.WriteFile(filepath.Join(cfg.Data, usedFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := openPlans(cfg)
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Fix == "" || !strings.Contains(f.Error(), usedFile) {
			t.Errorf("%q: got %v", text, err)
		}
	}
}
