package planfile_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/ports"
	"github.com/reeve-scheduler/reeve/ports/planfile"
)

// The fields that no document says.
var notWritten = []string{
	"Plan.Extends",        // it is written out
	"Inventory.Overrides", // they come from flags, the environment and services files
}

// Every field of a plan and of an inventory can be written: a new field of the types, of which the tables know nothing,
// breaks this test.
func TestEveryField(t *testing.T) {
	t.Parallel()
	plan, err := planfile.Parse("f", []byte(wholeText), base)
	if err != nil {
		t.Fatal(err)
	}
	inv, err := planfile.ParseInventory("f", []byte(wholeInventory))
	if err != nil {
		t.Fatal(err)
	}
	set := map[string]bool{}
	gather(set, reflect.ValueOf(plan))
	gather(set, reflect.ValueOf(inv))
	for _, name := range sortedFields(set) {
		if !set[name] && !slices.Contains(notWritten, name) {
			t.Errorf("no document sets %s", name)
		}
	}
}

func sortedFields(set map[string]bool) []string {
	names := make([]string, 0, len(set))
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// gather notes each field of the structs within v, and whether it has a value in one of them.
func gather(set map[string]bool, v reflect.Value) {
	switch v.Kind() { //nolint:exhaustive // the others hold no structs
	case reflect.Slice:
		for i := range v.Len() {
			gather(set, v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.Type == reflect.TypeFor[ports.Place]() {
				continue
			}
			name := v.Type().Name() + "." + f.Name
			// A pool says its numbers in a way of its own, and an alternate of a pool has no port.
			inPool := strings.HasPrefix(name, "Pool.Service")
			set[name] = set[name] || !v.Field(i).IsZero() || inPool
			gather(set, v.Field(i))
		}
	}
}
