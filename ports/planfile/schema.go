package planfile

// schema is a JSON Schema.
type schema map[string]any

// schema describes a mapping. What its fields say together, only the reader checks.
func (t *table[T]) schema() schema {
	properties, required := schema{}, []string{}
	for _, f := range t.fields {
		properties[f.name] = f.schema
		if f.required {
			required = append(required, f.name)
		}
	}
	s := schema{"type": []string{"object", "null"}, "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["type"], s["required"] = "object", required
	}
	return s
}
