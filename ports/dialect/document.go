package dialect

import (
	"encoding/json"
	"strconv"
	"strings"
)

// Document is a piece of a plan or of an inventory in its written form: fields in an order, which YAML and JSON keep
// alike. The readers of plans and inventories take both.
type Document []Field

// Field is one field of a document. Its value is a string, an int, a bool, a Document or a list of these.
type Field struct {
	Key   string
	Value any
}

// with adds a field, unless its value is empty.
func (d Document) with(key string, value any) Document {
	switch v := value.(type) {
	case string:
		if v == "" {
			return d
		}
	case Document:
		if len(v) == 0 {
			return d
		}
	case []any:
		if len(v) == 0 {
			return d
		}
	}
	return append(d, Field{key, value})
}

// MarshalJSON writes the fields in their order.
func (d Document) MarshalJSON() ([]byte, error) {
	var b strings.Builder
	b.WriteByte('{')
	for i, f := range d {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(f.Key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(f.Value)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return []byte(b.String()), nil
}

// YAML writes the document: one field a line, what lies below as one line an entry.
func (d Document) YAML() []byte {
	var b strings.Builder
	for _, f := range d {
		b.WriteString(scalar(f.Key) + ":")
		switch v := f.Value.(type) {
		case []any:
			b.WriteByte('\n')
			for _, item := range v {
				b.WriteString("  - " + flow(item) + "\n")
			}
		case Document:
			b.WriteByte('\n')
			for _, inner := range v {
				b.WriteString("  " + scalar(inner.Key) + ": " + flow(inner.Value) + "\n")
			}
		default:
			b.WriteString(" " + flow(v) + "\n")
		}
	}
	return []byte(b.String())
}

// flow writes a value on one line.
func flow(value any) string {
	switch v := value.(type) {
	case Document:
		parts := make([]string, len(v))
		for i, f := range v {
			parts[i] = scalar(f.Key) + ": " + flow(f.Value)
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = flow(item)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case int:
		return strconv.Itoa(v)
	case bool:
		return strconv.FormatBool(v)
	case string:
		return scalar(v)
	}
	return "null"
}

// scalar quotes a text unless no reader can take it for anything else.
func scalar(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	bare := s != "" && strings.Trim(s, plain+"0123456789_-/.") == "" && strings.ContainsAny(s[:1], plain)
	switch strings.ToLower(s) {
	case "null", "true", "false", "yes", "no", "on", "off", "y", "n":
		bare = false
	}
	if bare {
		return s
	}
	quoted, err := json.Marshal(s) // every JSON text is one of YAML
	if err != nil {
		return `""`
	}
	return string(quoted)
}

// list makes a list of a document.
func list[T any](items ...T) []any {
	all := make([]any, len(items))
	for i, item := range items {
		all[i] = item
	}
	return all
}

// Part is what an import gives: a piece of a plan, of an inventory, or leases. What is empty was not in the file.
type Part struct {
	Plan      Document `json:"plan,omitempty"`
	Inventory Document `json:"inventory,omitempty"`
	Leases    []Lease  `json:"leases,omitempty"`
}

// Over names the plan that the piece of a plan is written over.
func (p Part) Over(plan string) Part {
	for i, f := range p.Plan {
		if f.Key == "extends" {
			p.Plan[i].Value = plan
		}
	}
	return p
}

// Empty reports whether nothing was imported.
func (p Part) Empty() bool { return len(p.Plan) == 0 && len(p.Inventory) == 0 && len(p.Leases) == 0 }

// YAML writes the part as documents of one file.
func (p Part) YAML() []byte {
	var texts []string
	for _, d := range []Document{p.Plan, p.Inventory, leases(p.Leases)} {
		if len(d) > 0 {
			texts = append(texts, string(d.YAML()))
		}
	}
	return []byte(strings.Join(texts, "---\n"))
}

// planPart is the head of a piece of a plan. It is empty where the piece has no content.
func planPart(extends string, content ...Field) Document {
	var d Document
	for _, f := range content {
		d = d.with(f.Key, f.Value)
	}
	if len(d) == 0 {
		return nil
	}
	return append(Document{{"plan", "site"}, {"extends", extends}}, d...)
}

// inventoryPart is the head of a piece of an inventory. It is empty where the piece has no content.
func inventoryPart(content ...Field) Document {
	var d Document
	for _, f := range content {
		d = d.with(f.Key, f.Value)
	}
	if len(d) == 0 {
		return nil
	}
	return append(Document{{"inventory", "site"}}, d...)
}
