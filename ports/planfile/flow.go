package planfile

import "github.com/goccy/go-yaml/token"

func (b *builder) flowList() *node {
	start := b.tokens[b.pos]
	n := &node{shape: listShape, at: place(b.file, start)}
	b.pos++
	for {
		switch tk := b.peek(); {
		case tk == nil:
			b.fail(start, "the bracket [ is not closed")
			return n
		case tk.Type == token.SequenceEndType:
			b.pos++
			return n
		case b.atKey():
			b.fail(tk, "a mapping in a list stands in braces: {KEY: value}")
			return n
		}
		n.items = append(n.items, b.inline())
		if !b.comma(start, token.SequenceEndType) {
			return n
		}
	}
}

func (b *builder) flowMapping() *node {
	start := b.tokens[b.pos]
	n := &node{shape: mapShape, at: place(b.file, start)}
	b.pos++
	for {
		switch tk := b.peek(); {
		case tk == nil:
			b.fail(start, "the brace { is not closed")
			return n
		case tk.Type == token.MappingEndType:
			b.pos++
			return n
		case !b.atKey():
			b.fail(tk, "in braces stands KEY: value")
			return n
		}
		key := b.scalar()
		if key.shape != textShape && key.shape != intShape {
			b.fail(b.tokens[b.pos-1], "a key must be text on one line")
		}
		b.pos++ // the colon
		value := b.empty()
		if tk := b.peek(); tk != nil && tk.Type != token.CollectEntryType && tk.Type != token.MappingEndType {
			value = b.inline()
		}
		n.keys, n.items = append(n.keys, key), append(n.items, value)
		if !b.comma(start, token.MappingEndType) {
			return n
		}
	}
}

// comma skips the comma after an entry in brackets; it stays before the closing one.
func (b *builder) comma(start *token.Token, end token.Type) bool {
	switch tk := b.peek(); {
	case tk == nil:
		b.fail(start, "the bracket "+start.Value+" is not closed")
	case tk.Type == token.CollectEntryType:
		b.pos++
	case tk.Type != end:
		b.fail(tk, "a comma or the closing bracket is missing before this")
	}
	return !b.failed
}
