package jobfile

import "github.com/goccy/go-yaml/token"

// What a definition never needs, and what would make the library behind Parse slow: it takes quadratic time over
// the entries of one mapping and over the depth of nesting.
const (
	maxDepth   = 32   // of brackets, and of dashes and colons in one line outside of them
	maxEntries = 2000 // of one mapping
)

// allowed refuses YAML that definitions do without, and reports whether the document may be parsed at all.
func (r *reader) allowed(tokens token.Tokens) bool {
	parse := true
	var flow []int           // entries of each open bracket
	columns := map[int]int{} // entries of the block mappings that are open, by the column of their keys
	nested, line, refused, stop := 0, 0, 0, false
	tooMuch := func(t *token.Token, message string) {
		if !stop {
			r.mistake(r.at(t), "%s", message)
		}
		parse, stop = false, true
	}
	for _, t := range tokens {
		if t.Position.Line != line {
			line, nested = t.Position.Line, 0
		}
		switch t.Type { //nolint:exhaustive // all other tokens are harmless
		case token.AnchorType, token.AliasType:
			if refused == t.Position.Line { // a line of cron without quotes has many
				continue
			}
			refused = t.Position.Line
			r.mistake(r.at(t), "anchors (&name) and aliases (*name) are not used in definitions: write the value out, or quote a text that begins with %q", t.Value)
		case token.TagType:
			r.mistake(r.at(t), "tags are not used in definitions: remove %q, or quote the text", printable(t.Value))
		case token.MergeKeyType:
			r.mistake(r.at(t), "merge keys (<<) are not used in definitions: write the fields out")
		case token.DirectiveType:
			r.mistake(r.at(t), "directives are not used in definitions: remove this line")
			parse = false
		case token.MappingKeyType:
			r.mistake(r.at(t), "complex keys (? key) are not used in definitions: write key: value")
			parse = false
		case token.MappingStartType, token.SequenceStartType:
			if flow = append(flow, 0); len(flow) > maxDepth {
				tooMuch(t, "more brackets than a definition needs are open here")
			}
		case token.MappingEndType, token.SequenceEndType:
			flow = flow[:max(0, len(flow)-1)]
		case token.SequenceEntryType:
			if nested++; nested > maxDepth {
				tooMuch(t, "more lists than a definition needs are open here")
			}
			forget(columns, t.Position.Column)
		case token.MappingValueType:
			count := 0
			if len(flow) > 0 {
				flow[len(flow)-1]++
				count = flow[len(flow)-1]
			} else if key := t.Prev; key != nil {
				if nested++; nested > maxDepth {
					tooMuch(t, "more mappings than a definition needs are open in this line")
				}
				forget(columns, key.Position.Column)
				columns[key.Position.Column]++
				count = columns[key.Position.Column]
			}
			if count > maxEntries {
				tooMuch(t, "this mapping has more entries than any in a definition may have")
			}
		}
		if stop {
			break
		}
	}
	return parse
}

// forget closes the mappings whose keys stand right of column.
func forget(columns map[int]int, column int) {
	for c := range columns {
		if c > column {
			delete(columns, c)
		}
	}
}
