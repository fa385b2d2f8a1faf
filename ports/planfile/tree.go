package planfile

import (
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/token"

	"github.com/reeve-scheduler/reeve/ports"
)

// shape is what a node is.
type shape int

const (
	nullShape shape = iota
	textShape
	intShape
	floatShape
	boolShape
	oddShape // infinity, not a number
	listShape
	mapShape
)

// node is one value of a document.
type node struct {
	shape
	at    ports.Place
	text  string // of a scalar: a text as it is meant, a number as it stands in the file
	lead  int    // columns between the place and the text's first character; -1 where its characters have no such places
	keys  []*node
	items []*node // of a list its entries, of a mapping its values: one for each key
}

// builder makes nodes of tokens. The YAML package's own parser takes quadratic time and memory for keys of one
// mapping, and an inventory may have ten thousand hosts. After the first mistake nothing more is built: what follows
// a structural mistake says nothing.
type builder struct {
	*notes
	tokens token.Tokens
	pos    int
	failed bool
}

// build returns the documents, nothing after a mistake, which is noted.
func build(n *notes, tokens token.Tokens) []*node {
	b := &builder{notes: n, tokens: tokens}
	var docs []*node
	for b.pos < len(b.tokens) && !b.failed {
		if isBoundary(b.tokens[b.pos]) {
			b.pos++
			continue
		}
		doc := b.block()
		if tk := b.peek(); tk != nil {
			b.fail(tk, "the indentation fits nothing above")
		}
		if doc.shape != nullShape {
			docs = append(docs, doc)
		}
	}
	if b.failed {
		return nil
	}
	return docs
}

func isBoundary(tk *token.Token) bool {
	return tk.Type == token.DocumentHeaderType || tk.Type == token.DocumentEndType
}

// peek is the next token of the document, nil at its end.
func (b *builder) peek() *token.Token {
	if b.failed || b.pos >= len(b.tokens) || isBoundary(b.tokens[b.pos]) {
		return nil
	}
	return b.tokens[b.pos]
}

func (b *builder) fail(tk *token.Token, message string) {
	if !b.failed {
		b.add(place(b.file, tk), "%s", message)
	}
	b.failed = true
}

// empty is a value that is not there, at the place of the token before it.
func (b *builder) empty() *node {
	n := &node{at: ports.Place{File: b.file}, lead: -1}
	if b.pos > 0 {
		n.at = place(b.file, b.tokens[b.pos-1])
		n.at.Column++
	}
	return n
}

// atKey reports whether a key stands next.
func (b *builder) atKey() bool {
	return b.pos+1 < len(b.tokens) && isScalar(b.tokens[b.pos]) && b.tokens[b.pos+1].Type == token.MappingValueType
}

// block reads the value that begins with the next token, wherever that stands.
func (b *builder) block() *node {
	tk := b.peek()
	switch {
	case tk == nil:
		return b.empty()
	case tk.Type == token.SequenceEntryType:
		return b.blockList(tk.Position.Column)
	case b.atKey():
		return b.blockMapping(tk.Position.Column)
	}
	return b.inline()
}

// inline reads a value that stands in one place: a scalar, or what brackets hold.
func (b *builder) inline() *node {
	tk := b.peek()
	switch {
	case tk == nil:
		return b.empty()
	case tk.Type == token.MappingStartType:
		return b.flowMapping()
	case tk.Type == token.SequenceStartType:
		return b.flowList()
	case isScalar(tk):
		return b.scalar()
	}
	b.fail(tk, "unexpected "+quotedAlways(clip(strings.TrimSpace(tk.Value)))+": quote a text that begins so")
	return b.empty()
}

func (b *builder) blockList(column int) *node {
	n := &node{shape: listShape, at: place(b.file, b.peek())}
	for tk := b.peek(); tk != nil && tk.Type == token.SequenceEntryType && tk.Position.Column == column; tk = b.peek() {
		b.pos++
		next := b.peek()
		if next == nil || next.Position.Line > tk.Position.Line && next.Position.Column <= column {
			n.items = append(n.items, b.empty())
		} else {
			n.items = append(n.items, b.block())
		}
		b.aligned(column, "an entry of the list")
	}
	return n
}

func (b *builder) blockMapping(column int) *node {
	n := &node{shape: mapShape, at: place(b.file, b.peek())}
	for tk := b.peek(); tk != nil && tk.Position.Column == column; tk = b.peek() {
		if !b.atKey() {
			if tk.Type != token.SequenceEntryType { // which may be the next entry of a list around this mapping
				b.fail(tk, "a key (KEY: value) must stand here")
			}
			break
		}
		key := b.scalar()
		colon := b.tokens[b.pos]
		if key.shape != textShape && key.shape != intShape || colon.Position.Line != tk.Position.Line {
			b.fail(tk, "a key must be text on one line")
		}
		b.pos++
		n.keys, n.items = append(n.keys, key), append(n.items, b.blockValue(column, colon))
		b.aligned(column, "a key of the mapping")
	}
	return n
}

// blockValue reads the value of a key that stands in a column.
func (b *builder) blockValue(column int, colon *token.Token) *node {
	tk := b.peek()
	switch {
	case tk == nil:
		return b.empty()
	case tk.Position.Line > colon.Position.Line:
		// A list may stand in the column of its key, everything else stands deeper.
		if at := tk.Position.Column; at > column || at == column && tk.Type == token.SequenceEntryType {
			return b.block()
		}
		return b.empty()
	case tk.Type == token.SequenceEntryType:
		b.fail(tk, "a list begins on a line of its own, or stands in brackets")
	case b.atKey():
		b.fail(b.tokens[b.pos+1], "there is a second colon: quote the value, or write the inner mapping on lines of its own")
	}
	return b.inline()
}

// aligned looks whether what follows an entry begins in its column or further to the left.
func (b *builder) aligned(column int, what string) {
	tk := b.peek()
	switch {
	case tk == nil || tk.Position.Column <= column:
	case tk.Position.Line == b.tokens[b.pos-1].Position.Line:
		b.fail(tk, "this does not belong to the value before it: quote the whole value")
	default:
		b.fail(tk, "the indentation fits nothing above: "+what+" begins in column "+strconv.Itoa(column))
	}
}

func isScalar(tk *token.Token) bool {
	switch tk.Type { //nolint:exhaustive // all others are no scalars
	case token.StringType, token.SingleQuoteType, token.DoubleQuoteType, token.LiteralType, token.FoldedType, token.NullType, token.BoolType,
		token.IntegerType, token.HexIntegerType, token.OctetIntegerType, token.BinaryIntegerType, token.FloatType, token.InfinityType, token.NanType:
		return true
	}
	return false
}

func (b *builder) scalar() *node {
	tk := b.tokens[b.pos]
	b.pos++
	n := &node{shape: textShape, at: place(b.file, tk), text: tk.Value, lead: -1}
	written := strings.TrimSpace(tk.Origin)
	oneLine := !strings.Contains(written, "\n")
	switch tk.Type { //nolint:exhaustive // the others are texts
	case token.StringType:
		if strings.Contains(tk.Value, ": ") { // the lexer lets it pass in brackets
			b.fail(tk, "there is a second colon: a comma is missing before it, or the text needs quotes")
		}
		if oneLine {
			n.lead = 0
		}
	case token.SingleQuoteType, token.DoubleQuoteType:
		if oneLine && len(written) == len(tk.Value)+2 { // nothing is escaped
			n.lead = 1
		}
	case token.LiteralType, token.FoldedType:
		n.text = ""
		if next := b.peek(); next != nil && next.Type == token.StringType {
			n.text = strings.TrimRight(next.Value, "\n")
			b.pos++
		}
	case token.NullType:
		n.shape, n.text = nullShape, ""
	case token.BoolType:
		n.shape, n.text = boolShape, strings.ToLower(tk.Value)
	case token.IntegerType, token.HexIntegerType, token.OctetIntegerType, token.BinaryIntegerType:
		n.shape = intShape
	case token.FloatType:
		n.shape = floatShape
	case token.InfinityType, token.NanType:
		n.shape = oddShape
	}
	return n
}
