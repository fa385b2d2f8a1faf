package jobfile

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
)

// node is a JSON Schema, in the order in which it is printed.
type node struct {
	Schema               string      `json:"$schema,omitempty"`
	ID                   string      `json:"$id,omitempty"`
	Title                string      `json:"title,omitempty"`
	Description          string      `json:"description,omitempty"`
	Type                 any         `json:"type,omitempty"` // a name or a list of names
	Enum                 []string    `json:"enum,omitempty"`
	Pattern              string      `json:"pattern,omitempty"`
	MaxLength            int         `json:"maxLength,omitempty"`
	Minimum              *int        `json:"minimum,omitempty"`
	Maximum              *int        `json:"maximum,omitempty"`
	Default              any         `json:"default,omitempty"`
	Items                *node       `json:"items,omitempty"`
	Properties           *properties `json:"properties,omitempty"`
	PropertyNames        *node       `json:"propertyNames,omitempty"`
	AdditionalProperties any         `json:"additionalProperties,omitempty"` // false or a schema
	Required             []string    `json:"required,omitempty"`
	OneOf                []node      `json:"oneOf,omitempty"`
}

// properties keeps the order of the fields, which a map would lose.
type properties struct {
	names   []string
	schemas []node
}

// MarshalJSON writes the properties as an object.
func (p *properties) MarshalJSON() ([]byte, error) {
	var b strings.Builder
	b.WriteByte('{')
	for i, name := range p.names {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(p.schemas[i])
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

// Schema returns the JSON Schema (2020-12) of one document that defines a net. It comes from the types that
// Parse fills; what a schema cannot say (references, cycles) only Parse checks.
func Schema() []byte {
	return schemaText(reflect.TypeFor[document](), "net", "Jobs and their order, and when they are due.")
}

// schemaText writes the schema of one kind of document.
func schemaText(of reflect.Type, kind, description string) []byte {
	top := describeType(of, "")
	top.Schema = "https://json-schema.org/draft/2020-12/schema"
	top.ID = "https://github.com/reeve-scheduler/reeve/" + kind + ".schema.json"
	top.Title = "Reeve " + kind
	top.Description = description
	text, err := json.MarshalIndent(top, "", "  ")
	if err != nil {
		panic("the schema's own types cannot be printed: " + err.Error())
	}
	return append(text, '\n')
}

// The forms of amounts.
const (
	durationPattern = `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`
	sizePattern     = `^[0-9]+ ?(B|[kKMGT]B|[KMGT]iB)?$`
)

// describeType returns the schema of a type, with what the tag of its field says.
func describeType(t reflect.Type, tag reflect.StructTag) node {
	n := node{Description: tag.Get("doc")}
	switch t {
	case reflect.TypeFor[argument]():
		n.Type = []string{"string", "number", "boolean"}
		return n
	case reflect.TypeFor[dated](): // a date alone, or with its name
		named := node{}
		describeStruct(&named, t)
		alone := named.Properties.schemas[0]
		alone.Description = ""
		n.OneOf = []node{alone, named}
		return n
	case reflect.TypeFor[duration]():
		n.Type, n.Pattern = "string", durationPattern
	case reflect.TypeFor[size]():
		n.Type, n.Pattern, n.Minimum = []string{"string", "integer"}, sizePattern, bound("1")
	}
	switch t.Kind() { //nolint:exhaustive // the written form has no other kinds
	case reflect.Struct:
		describeStruct(&n, t)
	case reflect.Slice:
		items := describeType(t.Elem(), tag)
		items.Description, items.Default = "", nil
		n.Type, n.Items = "array", &items
	case reflect.Map:
		n.Type, n.AdditionalProperties = "object", node{Type: "string"}
		if pattern := tag.Get("names"); pattern != "" {
			n.PropertyNames = &node{Pattern: pattern}
		}
	case reflect.Int:
		n.Type, n.Minimum, n.Maximum = "integer", bound(tag.Get("min")), bound(tag.Get("max"))
	case reflect.Bool:
		n.Type = "boolean"
	case reflect.String:
		n.Type, n.Pattern = "string", tag.Get("pattern")
		if most := bound(tag.Get("max")); most != nil {
			n.MaxLength = *most
		}
		if values := tag.Get("enum"); values != "" {
			n.Enum = strings.Split(values, ",")
		}
	}
	if text, ok := tag.Lookup("default"); ok {
		n.Default = defaultValue(t, text)
	}
	return n
}

func describeStruct(n *node, t reflect.Type) {
	n.Type, n.AdditionalProperties, n.Properties = "object", false, &properties{}
	for _, f := range fields(t) {
		n.Properties.names = append(n.Properties.names, f.name)
		n.Properties.schemas = append(n.Properties.schemas, describeType(f.typ, f.tag))
		if f.tag.Get("required") != "" {
			n.Required = append(n.Required, f.name)
		}
	}
	switch t {
	case reflect.TypeFor[job]():
		n.OneOf = []node{{Required: []string{"command"}}, {Required: []string{"script"}}}
	case reflect.TypeFor[schedule]():
		n.OneOf = []node{{Required: []string{"cron"}}, {Required: []string{"rrule"}}, {Required: []string{"every"}}, {Required: []string{"dates"}}}
	}
}

// bound reads a number of a tag; nil if there is none.
func bound(text string) *int {
	number, err := strconv.Atoi(text)
	if err != nil {
		return nil
	}
	return &number
}

// defaultValue turns the text of a tag into what stands in JSON.
func defaultValue(t reflect.Type, text string) any {
	switch {
	case t.Kind() == reflect.String, t == reflect.TypeFor[duration](), t == reflect.TypeFor[size]():
		return text
	default:
		return json.RawMessage(text)
	}
}
