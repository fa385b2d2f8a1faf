package planfile

import (
	"bytes"
	"errors"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/reeve-scheduler/reeve/ports"
)

// The bounds of a document. The parser recurses with the depth and is quadratic in the number of keys of one
// mapping, so both are bounded before it sees anything.
const (
	maxBytes     = 4 << 20
	maxDepth     = 32
	maxColumn    = 200    // of a block key or entry: deeper nesting needs more columns
	maxSiblings  = 20_000 // keys at one indentation
	maxKeys      = 200_000
	maxDocuments = 100
)

// oneBreak gives every line of a file the same end: YAML takes CR, LF and CR LF.
func oneBreak(data []byte) []byte {
	return bytes.ReplaceAll(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
}

// documents returns the documents of a file, nothing if the file cannot be read as YAML; the reasons are noted.
func documents(n *notes, data []byte) (docs []*ast.DocumentNode) {
	if len(data) > maxBytes {
		n.add(ports.Place{}, "the file has %d bytes, at most %d are read", len(data), maxBytes)
		return nil
	}
	if !utf8.Valid(data) {
		n.add(ports.Place{}, "the file is not UTF-8")
		return nil
	}
	// The parser is a guest that reads hostile input. Should it panic, the input is refused, not the process ended.
	defer func() {
		if r := recover(); r != nil {
			n.add(ports.Place{}, "the file cannot be read as YAML: %v", r)
			docs = nil
		}
	}()
	tokens := lexer.Tokenize(string(data))
	if !admit(n, tokens) {
		return nil
	}
	// Duplicate keys are noted by fields, all of them and not only the first.
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		var syntax yaml.Error
		if errors.As(err, &syntax) {
			n.add(place(n.file, syntax.GetToken()), "%s", syntax.GetMessage())
		} else {
			n.add(ports.Place{}, "%v", err)
		}
		return nil
	}
	for _, doc := range file.Docs {
		if doc.Body != nil && doc.Body.Type() != ast.NullType {
			docs = append(docs, doc)
		}
	}
	return docs
}

// admission counts what the parser must be protected from.
type admission struct {
	depth, keys, documents int
	siblings               map[int]int // keys seen at each column
}

// admit refuses what a plan may not use (anchors, aliases, tags …) and what would cost the parser too much.
func admit(n *notes, tokens token.Tokens) bool {
	a := admission{siblings: map[int]int{}}
	before := len(n.found)
	for _, tk := range tokens {
		at := place(n.file, tk)
		if what := refused(tk.Type); what != "" {
			n.add(at, "%s", what)
		}
		if what := a.count(tk); what != "" {
			n.add(at, "%s", what)
			return false
		}
		if len(n.found) >= maxMistakes {
			return false
		}
	}
	return len(n.found) == before
}

func refused(t token.Type) string {
	switch t { //nolint:exhaustive // only these few are refused
	case token.AnchorType, token.AliasType, token.MergeKeyType:
		return "anchors, aliases and merge keys are not allowed: write the value out"
	case token.TagType:
		return "tags are not allowed"
	case token.DirectiveType:
		return "directives are not allowed"
	case token.MappingKeyType:
		return "write the key as KEY: value, without a question mark"
	default:
		return ""
	}
}

func (a *admission) count(tk *token.Token) string {
	switch tk.Type { //nolint:exhaustive // only these few matter
	case token.SequenceStartType, token.MappingStartType:
		if a.depth++; a.depth > maxDepth {
			return "brackets are nested too deep"
		}
	case token.SequenceEndType, token.MappingEndType:
		a.depth--
	case token.DocumentHeaderType:
		if a.documents++; a.documents > maxDocuments {
			return "too many documents in one file"
		}
	case token.SequenceEntryType:
		return a.block(tk.Position.Column, false)
	case token.MappingValueType:
		if a.keys++; a.keys > maxKeys {
			return "too many keys in one file"
		}
		if a.depth == 0 && tk.Prev != nil {
			return a.block(tk.Prev.Position.Column, true)
		}
	default:
	}
	return ""
}

// block counts the keys of one block mapping: keys at one column with nothing to the left of it in between.
func (a *admission) block(column int, key bool) string {
	if column > maxColumn {
		return "the document is indented too deep"
	}
	for c := range a.siblings {
		if c > column {
			delete(a.siblings, c)
		}
	}
	if !key {
		return ""
	}
	if a.siblings[column]++; a.siblings[column] > maxSiblings {
		return "too many keys in one mapping"
	}
	return ""
}

// place returns where a token stands.
func place(file string, tk *token.Token) ports.Place {
	if tk == nil || tk.Position == nil {
		return ports.Place{File: file}
	}
	return ports.Place{File: file, Line: tk.Position.Line, Column: tk.Position.Column}
}
