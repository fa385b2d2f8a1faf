package planfile

import "strings"

// written is a value as it will stand in a file: a scalar, a list or a mapping.
type written struct {
	text    string // of a scalar, quoted where it must be
	list    []*written
	mapping bool
	keys    []string // of a mapping, one for each of list
	block   bool     // never on one line
}

const maxLine = 120 // characters that a mapping or list may take on one line

// bare is a scalar that needs no quotes: a number, a word of a closed set, a range.
func bare(s string) *written { return &written{text: s} }

func (w *written) add(key string, v *written) {
	w.keys, w.list = append(w.keys, key), append(w.list, v)
}

// orNothing is nil for a list or mapping without entries.
func (w *written) orNothing() *written {
	if len(w.list) == 0 {
		return nil
	}
	return w
}

func writtenList[T any](list []T, write func(*T) *written) *written {
	if len(list) == 0 {
		return nil
	}
	w := &written{}
	for i := range list {
		w.list = append(w.list, write(&list[i]))
	}
	return w
}

func (w *written) scalar() bool { return !w.mapping && w.list == nil }

// line is the value on one line.
func (w *written) line() string {
	if w.scalar() {
		return w.text
	}
	parts := make([]string, len(w.list))
	for i, v := range w.list {
		parts[i] = v.line()
		if w.mapping {
			parts[i] = quoted(w.keys[i]) + ": " + parts[i]
		}
	}
	if w.mapping {
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// document writes a mapping with a key in each line.
func (w *written) document() []byte {
	return []byte(w.lines(""))
}

// lines writes a mapping or list, each entry in a line of its own, or in several where one is too short.
func (w *written) lines(indent string) string {
	var b strings.Builder
	for i, v := range w.list {
		lead := indent + "-"
		if w.mapping {
			lead = indent + quoted(w.keys[i]) + ":"
		}
		line := v.line()
		switch {
		case v.scalar() || len(v.list) == 0 || !v.block && len(lead)+len(line) < maxLine:
			b.WriteString(lead + " " + line + "\n")
		case w.mapping:
			b.WriteString(lead + "\n" + v.lines(indent+"  "))
		default:
			b.WriteString(lead + " " + strings.TrimPrefix(v.lines(indent+"  "), indent+"  "))
		}
	}
	return b.String()
}

// quoted writes a value so that YAML reads it back as the same text: bare where no reader can take it for anything
// else, otherwise in double quotes.
func quoted(s string) string {
	if plainWord(s) {
		return s
	}
	return `"` + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), `"`, `\"`) + `"`
}

// plainWord reports whether s begins with a letter and holds only letters, digits, hyphens, underscores and single
// spaces, and is no word that a YAML reader gives another meaning.
func plainWord(s string) bool {
	switch strings.ToLower(s) {
	case "", "null", "true", "false", "yes", "no", "on", "off", "y", "n":
		return false
	}
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	return strings.ContainsRune(letters, rune(s[0])) && strings.Trim(s, letters+"0123456789-_ ") == "" &&
		strings.TrimSpace(s) == s && !strings.Contains(s, "  ")
}

func quotedAlways(s string) string { return `"` + s + `"` }
