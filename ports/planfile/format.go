package planfile

import "github.com/reeve-scheduler/reeve/ports"

// Format writes a plan down, complete: what it extends is written out. Parse of the result gives the same plan, but
// for its places and the name of what it extended.
func Format(p ports.Plan) []byte {
	w := planTable().write(&p)
	for _, section := range w.list {
		section.block = true
	}
	return w.document()
}

// FormatInventory writes an inventory down. ParseInventory of the result gives the same inventory, but for its places
// and its overrides, which no inventory says: they come from flags, the environment and services files.
func FormatInventory(inv ports.Inventory) []byte {
	w := inventoryTable().write(&inv)
	for _, section := range w.list {
		section.block = true
	}
	return w.document()
}
