package planfile

import (
	"encoding/json"
	"maps"
)

// schema is a JSON Schema, or a part of one.
type schema map[string]any

// Schema returns the JSON Schema (2020-12) of a plan. It is made of the tables that Parse reads with; what a schema
// cannot say (places of the first key, forms of formulas and tests, what stands in the plan that is extended) only
// Parse checks.
func Schema() []byte {
	return planTable().schema().document("plan", "Reeve port plan", "Services with their ports, pools of ports, and who connects to whom.")
}

// InventorySchema returns the JSON Schema (2020-12) of an inventory.
func InventorySchema() []byte {
	return inventoryTable().schema().document("inventory", "Reeve inventory", "The hosts, zones and switches of a site.")
}

func (s schema) document(kind, title, description string) []byte {
	top := maps.Clone(s)
	top["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	top["$id"] = "https://github.com/reeve-scheduler/reeve/" + kind + ".schema.json"
	top["title"], top["description"] = title, description
	text, err := json.MarshalIndent(top, "", "  ")
	if err != nil {
		panic("the tables' own values cannot be printed: " + err.Error())
	}
	return append(text, '\n')
}

// schema describes a mapping. What its fields say together, only the reader checks, but for the table's limits.
func (t *table[T]) schema() schema {
	properties, required := schema{}, []string{}
	for _, f := range t.fields {
		properties[f.name] = f.described()
		if f.required {
			required = append(required, f.name)
		}
	}
	s := schema{"type": []string{"object", "null"}, "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["type"], s["required"] = "object", required
	}
	maps.Copy(s, t.limits)
	return s
}

// described is the schema of a field with what it means.
func (d fieldDoc) described() schema {
	s := maps.Clone(d.schema)
	s["description"] = d.meaning
	if d.def != "" {
		s["description"] = d.meaning + " (default: " + d.def + ")"
	}
	if d.required && s["type"] == "string" {
		s["minLength"] = 1
	}
	return s
}

func requires(names ...string) schema { return schema{"required": names} }

func anyOf(some ...schema) schema { return schema{"anyOf": some} }
