package planfile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"pgregory.net/rapid"
)

// ours writes a node so that it can be compared.
func ours(n *node) string {
	switch n.shape {
	case mapShape:
		parts := make([]string, len(n.keys))
		for i := range n.keys {
			parts[i] = ours(n.keys[i]) + "=" + ours(n.items[i])
		}
		return "{" + strings.Join(parts, " ") + "}"
	case listShape:
		parts := make([]string, len(n.items))
		for i := range n.items {
			parts[i] = ours(n.items[i])
		}
		return "[" + strings.Join(parts, " ") + "]"
	case nullShape:
		return "null"
	case textShape:
		return fmt.Sprintf("%q", n.text)
	case intShape, floatShape, boolShape, oddShape:
	}
	return n.text
}

// theirs writes a node of the YAML package's own parser in the same way.
func theirs(n ast.Node) string {
	switch n := n.(type) {
	case nil, *ast.NullNode:
		return "null"
	case *ast.MappingNode:
		parts := make([]string, len(n.Values))
		for i, v := range n.Values {
			parts[i] = theirs(v.Key) + "=" + theirs(v.Value)
		}
		return "{" + strings.Join(parts, " ") + "}"
	case *ast.MappingValueNode:
		return "{" + theirs(n.Key) + "=" + theirs(n.Value) + "}"
	case *ast.SequenceNode:
		parts := make([]string, len(n.Values))
		for i, v := range n.Values {
			parts[i] = theirs(v)
		}
		return "[" + strings.Join(parts, " ") + "]"
	case *ast.StringNode:
		return fmt.Sprintf("%q", n.Value)
	case *ast.LiteralNode:
		return fmt.Sprintf("%q", strings.TrimRight(n.Value.Value, "\n"))
	case *ast.BoolNode:
		return fmt.Sprint(n.Value)
	}
	return n.GetToken().Value
}

func compareTrees(t *testing.T, text string) (taken bool) {
	data := oneBreak([]byte(text))
	notes := newNotes("f", data)
	docs := documents(notes, data)
	if notes.err() != nil {
		return false
	}
	file, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return true // it refuses a little more: lines in brackets that are not indented
	}
	var got, want []string
	for _, d := range docs {
		got = append(got, ours(d))
	}
	for _, d := range file.Docs {
		if s := theirs(d.Body); s != "null" {
			want = append(want, s)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %s\nwant %s\nof\n%s", got, want, text)
	}
	return true
}

// The tree is the one that the YAML package's own parser builds, wherever both take a document.
func TestTree(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"a: b\nc:\n  - d: e\n    f: 'g'\n  -\n  - - x\n    - y\nz:\n- 1\n- {}\n", "a: b\n c\nd: \"e\n  f\"\ng: |\n  l1\n  l2\nh: >-\n  x\n  y\ni: 5\n",
		"{a: b, \"c\":1, 'd': [1, 2.5, x y],}\n", "a: {b: , c: [], d: ~}\ne:\nf: []\n", "---\na: b\n...\n---\nc: ~\n---\n", "a: null\nb: True\nc: 0x1F\nd: -1\n",
		"a: |\n\nb: >\n  x\n\n  y\nc: |-\n  z\n", "- - - a\n    - b\n  - c\n- d\n", "a:\n\n    b: 1\n    c: 2\nd: 3\n", "x:\n  'a' : b\n  \"c\": d\n", "# only\n", "",
		"a: [x\n  y, z]\nb: {c:\n  d}\n", "a:\r\n  - b\r\n  - c\r\n", "\xef\xbb\xbfa: b\n", "- a: b\n  c:\n  - d\n- e:\n    f: g\n", "é: ü\n日本: {語: x}\n",
	} {
		if !compareTrees(t, text) {
			t.Errorf("refused: %q", text)
		}
	}
	for _, pattern := range []string{"../builtin/*.yaml", "../../examples/plans/*.yaml", "../../examples/*.yaml"} {
		files, _ := filepath.Glob(pattern)
		if len(files) == 0 {
			t.Errorf("no files %s", pattern)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !compareTrees(t, string(text)) {
				t.Errorf("%s is refused", file)
			}
		}
	}
}

// What is no tree is refused, at the place where it stops being one.
func TestNoTree(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a: b: c\n":              `1:5: there is a second colon`,
		"a: - b\n":               `1:4: a list begins on a line of its own`,
		"a:\n    b: 1\n  c: 2\n": `3:3: the indentation fits nothing above: a key of the mapping begins in column 1`,
		"a:\n  - b\n  c: d\n":    `3:3: the indentation fits nothing above`,
		"  a: b\n c: d\n":        `2:2: the indentation fits nothing above`,
		"a: b\n- c\n":            `2:1: the indentation fits nothing above`,
		"a: 'b' 'c'\n":           `1:8: this does not belong to the value before it: quote the whole value`,
		"a: [b] c\n":             `1:8: this does not belong`,
		"a: [b\n":                `1:4: the bracket [ is not closed`,
		"a: {b: c\n":             `1:4: the bracket { is not closed`,
		"a: {b: \n":              `1:4: the bracket { is not closed`,
		"a: {\n":                 `1:4: the brace { is not closed`,
		"a: [\n":                 `1:4: the bracket [ is not closed`,
		"a: [b: c]\n":            `1:5: a mapping in a list stands in braces`,
		"a: {b}\n":               `1:5: in braces stands KEY: value`,
		"a: {b: c d: e}\n":       `1:8: there is a second colon: a comma is missing`,
		"a: {b: 'c' d: e}\n":     `1:12: a comma or the closing bracket is missing`,
		"a: [,]\n":               `1:5: unexpected ","`,
		"a: ]\n":                 `1:4: unexpected "]": quote a text that begins so`,
		"a: [b]]\n":              `1:7: this does not belong`,
		"a: [1,2]: 3\n":          `1:9: this does not belong`,
		"'a\n b': c\n":           `1:1: a key must be text on one line`,
		"~: c\n":                 `1:1: a key must be text on one line`,
		"{true: c}\n":            `1:2: a key must be text on one line`,
		"a: b\nc\n":              `2:1: a key (KEY: value) must stand here`,
		"a:\tb\n\tc: d\n":        `2:1: found character`,
		"a: \"b\n":               `1:4: could not find end character`,
		": a\n":                  `1:1: unexpected ":"`,
	} {
		notes := newNotes("f", []byte(text))
		documents(notes, []byte(text))
		err := notes.err()
		if err == nil || !strings.HasPrefix(err.Error(), "f:"+want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

// growth writes random trees in random layouts, and says what they are.
type growth struct{ *rapid.T }

func (g growth) number(most int) int { return rapid.IntRange(0, most).Draw(g.T, "number") }

func (g growth) scalar() (text, meaning string) {
	pairs := [][2]string{{"a", `"a"`}, {"12", "12"}, {"'x: y'", `"x: y"`}, {`"é\"[#"`, `"é\"[#"`}, {"two words", `"two words"`}, {"true", "true"}, {"~", "null"}, {"4000-4999", `"4000-4999"`}}
	p := pairs[g.number(len(pairs)-1)]
	return p[0], p[1]
}

// flow writes a value on one line.
func (g growth) flow(depth int) (text, meaning string) {
	kind := g.number(2)
	if depth == 0 || kind == 0 {
		return g.scalar()
	}
	var texts, meanings []string
	for i := range g.number(3) {
		text, meaning := g.flow(depth - 1)
		if kind == 1 {
			text, meaning = fmt.Sprintf("k%d: %s", i, text), fmt.Sprintf(`"k%d"=%s`, i, meaning)
		}
		texts, meanings = append(texts, text), append(meanings, meaning)
	}
	brackets := map[int]string{1: "{}", 2: "[]"}[kind]
	return brackets[:1] + strings.Join(texts, []string{", ", ",  ", " , "}[g.number(2)]) + brackets[1:],
		brackets[:1] + strings.Join(meanings, " ") + brackets[1:]
}

// block writes a value on lines of its own, each below an indentation.
func (g growth) block(depth int, indent string) (text, meaning string) {
	isMap := g.number(1) == 0
	var meanings []string
	for i := range 1 + g.number(2) {
		inner, step := "", strings.Repeat(" ", 1+g.number(3))
		lead := fmt.Sprintf("%sk%d:", indent, i)
		if !isMap {
			lead = indent + "-"
		}
		switch kind := g.number(3); {
		case kind == 0 && depth > 0:
			var below string
			below, inner = g.block(depth-1, indent+step)
			text += lead + []string{"\n", " # why\n", "\n\n"}[g.number(2)] + below
		case kind == 1:
			text, inner = text+lead+"\n", "null"
		default:
			var line string
			line, inner = g.flow(depth)
			text += lead + " " + line + []string{"\n", " # why\n", "\n# why\n"}[g.number(2)]
		}
		if isMap {
			inner = fmt.Sprintf(`"k%d"=%s`, i, inner)
		}
		meanings = append(meanings, inner)
	}
	if isMap {
		return text, "{" + strings.Join(meanings, " ") + "}"
	}
	return text, "[" + strings.Join(meanings, " ") + "]"
}

// However a tree is laid out, it is read as what it is.
func TestTreeLayouts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text, want := growth{t}.block(4, strings.Repeat(" ", growth{t}.number(2)))
		notes := newNotes("f", []byte(text))
		docs := documents(notes, []byte(text))
		if err := notes.err(); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if len(docs) != 1 || ours(docs[0]) != want {
			t.Fatalf("got  %s\nwant %s\n%s", ours(docs[0]), want, text)
		}
	})
}
