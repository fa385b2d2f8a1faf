package planfile

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"

	"github.com/reeve-scheduler/reeve/ports"
)

// The bounds of a document. Each mark may become a token, and one takes a few hundred bytes.
const (
	maxBytes     = 4 << 20
	maxDepth     = 32
	maxColumn    = 200 // of a block key or entry: deeper nesting needs more columns
	maxMarks     = 1 << 20
	maxDocuments = 100
)

// oneBreak gives every line of a file the same end, as YAML takes CR, LF and CR LF, and drops the mark that some
// editors put before the first.
func oneBreak(data []byte) []byte {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	return bytes.ReplaceAll(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
}

// documents returns the documents of a file, nothing if the file cannot be read as YAML; the reasons are noted.
func documents(n *notes, data []byte) []*node {
	if len(data) > maxBytes {
		n.add(ports.Place{}, "the file has %d bytes, at most %d are read", len(data), maxBytes)
		return nil
	}
	if !utf8.Valid(data) {
		n.add(ports.Place{}, "the file is not UTF-8")
		return nil
	}
	marks := 0
	for _, b := range data {
		if strings.IndexByte("[]{},:-?|>#&*!%@`'\"", b) >= 0 {
			marks++
		}
	}
	if marks > maxMarks {
		n.add(ports.Place{}, "the file has %d brackets, colons and other marks, at most %d are read", marks, maxMarks)
		return nil
	}
	tokens, ok := tokenize(n, data)
	if !ok || !admit(n, tokens) {
		return nil
	}
	return build(n, tokens)
}

// tokenize splits a file into tokens, without its comments.
func tokenize(n *notes, data []byte) (tokens token.Tokens, ok bool) {
	// The lexer is a guest that reads hostile input. Should it panic, the input is refused, not the process ended.
	defer func() {
		if r := recover(); r != nil {
			n.add(ports.Place{}, "the file cannot be read as YAML: %v", r)
			tokens, ok = nil, false
		}
	}()
	all := lexer.Tokenize(string(data))
	tokens = all[:0]
	for _, tk := range all {
		if tk.Type != token.CommentType {
			tokens = append(tokens, tk)
		}
	}
	return tokens, true
}

// admit refuses what a plan may not use (anchors, aliases, tags …), and what nests too deep or is too much.
func admit(n *notes, tokens token.Tokens) bool {
	before := len(n.found)
	depth, documents := 0, 0
	for _, tk := range tokens {
		at := place(n.file, tk)
		if what := refused(tk); what != "" {
			n.add(at, "%s", what)
		}
		tooMuch := ""
		switch tk.Type { //nolint:exhaustive // only these few matter
		case token.SequenceStartType, token.MappingStartType:
			if depth++; depth > maxDepth {
				tooMuch = "brackets are nested too deep"
			}
		case token.SequenceEndType, token.MappingEndType:
			depth--
		case token.DocumentHeaderType:
			if documents++; documents > maxDocuments {
				tooMuch = "too many documents in one file"
			}
		case token.SequenceEntryType, token.MappingValueType:
			if depth == 0 && tk.Position.Column > maxColumn {
				tooMuch = "the document is indented too deep"
			}
		default:
		}
		if tooMuch != "" {
			n.add(at, "%s", tooMuch)
			return false
		}
		if len(n.found) >= maxMistakes {
			return false
		}
	}
	return len(n.found) == before
}

func refused(tk *token.Token) string {
	switch tk.Type { //nolint:exhaustive // only these few are refused
	case token.AnchorType, token.AliasType, token.MergeKeyType:
		return "anchors, aliases and merge keys are not allowed: write the value out"
	case token.TagType:
		return "tags are not allowed"
	case token.DirectiveType:
		return "directives are not allowed"
	case token.MappingKeyType:
		return "write the key as KEY: value, without a question mark"
	case token.InvalidType:
		return tk.Error
	default:
		return ""
	}
}

// place returns where a token stands.
func place(file string, tk *token.Token) ports.Place {
	if tk == nil || tk.Position == nil {
		return ports.Place{File: file}
	}
	return ports.Place{File: file, Line: tk.Position.Line, Column: tk.Position.Column}
}
