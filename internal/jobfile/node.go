package jobfile

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// plain returns the value below what is refused already: anchors and tags.
func plain(n ast.Node) ast.Node {
	for {
		var below ast.Node
		switch x := n.(type) {
		case *ast.AnchorNode:
			below = x.Value
		case *ast.TagNode:
			below = x.Value
		default:
			return n
		}
		if below == nil {
			return ast.Null(n.GetToken())
		}
		n = below
	}
}

// entriesOf returns the entries of a mapping. Merge keys, which are refused already, are left out.
func entriesOf(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch m := plain(n).(type) {
	case *ast.MappingNode:
		out := make([]*ast.MappingValueNode, 0, len(m.Values))
		for _, e := range m.Values {
			if !e.Key.IsMergeKey() {
				out = append(out, e)
			}
		}
		return out, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{m}, true
	}
	return nil, false
}

// merges reports whether a mapping has a merge key.
func merges(n ast.Node) bool {
	m, ok := plain(n).(*ast.MappingNode)
	return ok && slices.ContainsFunc(m.Values, func(e *ast.MappingValueNode) bool { return e.Key.IsMergeKey() })
}

// keyText returns the name of an entry as it is written.
func keyText(n ast.Node) string {
	text, ok := textOf(plain(n))
	if !ok {
		return scalar(plain(n))
	}
	return text
}

// textOf returns the text of a node that is text: plain, quoted or a block.
func textOf(n ast.Node) (string, bool) {
	switch x := n.(type) {
	case *ast.StringNode:
		return x.Value, true
	case *ast.LiteralNode:
		return x.Value.Value, true
	}
	return "", false
}

// glued returns a text with a colon inside, as 2026-12-24T06:00, which the library takes for a mapping where it stands in a list
// between braces. YAML says that a colon without a space behind it is part of the text.
func glued(n ast.Node) (string, bool) {
	var e *ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		if len(m.Values) == 1 && (m.Start == nil || m.Start.Type != token.MappingStartType) {
			e = m.Values[0]
		}
	case *ast.MappingValueNode:
		e = m
	}
	if e == nil || e.Start == nil {
		return "", false
	}
	key, isText := e.Key.(*ast.StringNode)
	value, single := e.Value.(ast.ScalarNode)
	if !isText || !single || key.GetToken().Type != token.StringType {
		return "", false
	}
	k, colon, v := key.GetToken(), e.Start.Position, value.GetToken()
	together := k.Position.Line == colon.Line && colon.Line == v.Position.Line &&
		k.Position.Column+utf8.RuneCountInString(k.Value) == colon.Column && colon.Column+1 == v.Position.Column
	if text := scalar(value); together && text != "" {
		return key.Value + ":" + text, true
	}
	return "", false
}

// scalar returns a single value as it is written; empty for mappings and lists.
func scalar(n ast.Node) string {
	if text, ok := textOf(n); ok {
		return text
	}
	switch n.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return strings.TrimSpace(n.GetToken().Value)
	}
	return ""
}

// describe says what a node is, for a message.
func describe(n ast.Node) string {
	switch x := plain(n).(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "nothing"
	case *ast.BoolNode:
		return scalar(x)
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "the number " + clip(scalar(x))
	case *ast.StringNode, *ast.LiteralNode:
		return fmt.Sprintf("the text %q", clip(scalar(x)))
	case *ast.AliasNode:
		return "an alias"
	}
	return "something else"
}

// quoteHint says how to write a number, true or false as text.
func quoteHint(n ast.Node) string {
	if text := scalar(n); text != "" {
		return fmt.Sprintf(`: write it in quotes, "%s"`, clip(text))
	}
	return ""
}
