package jobfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/reeve-scheduler/reeve/internal/jobnet"
)

// lineWidth is how wide a line may become before a list or a mapping is written with one entry a line.
const lineWidth = 100

// Format writes the canonical form of a net: fields in the order of the contract, defaults left out, names of
// mappings sorted. Equal nets have equal texts, and Parse reads a net that jobnet.Check accepts back as it was.
func Format(n jobnet.Net) []byte {
	w := &writer{}
	w.fields(reflect.ValueOf(fromNet(n)), "", "")
	return w.Bytes()
}

// Hash returns the SHA-256 of the canonical form, in hex.
func Hash(n jobnet.Net) string {
	sum := sha256.Sum256(Format(n))
	return hex.EncodeToString(sum[:])
}

type writer struct{ bytes.Buffer }

// given lists the fields of v that are not at their defaults.
func given(v reflect.Value) []field {
	var out []field
	usual := fresh(v.Type())
	switch v.Type() {
	case reflect.TypeFor[document](), reflect.TypeFor[job](), reflect.TypeFor[schedule]():
	default:
		usual = defaultOf(v.Type())
	}
	for _, f := range fields(v.Type()) {
		if !same(v.Field(f.index), usual.Field(f.index)) {
			out = append(out, f)
		}
	}
	return out
}

// defaultOf returns a mapping as it stands in a job that says nothing.
func defaultOf(t reflect.Type) reflect.Value {
	usual := reflect.ValueOf(defaultJob())
	for i := range usual.NumField() {
		if usual.Field(i).Type() == t {
			return usual.Field(i)
		}
	}
	return reflect.Zero(t)
}

func same(a, b reflect.Value) bool {
	if a.Kind() == reflect.Slice || a.Kind() == reflect.Map {
		if a.Len() == 0 && b.Len() == 0 {
			return true
		}
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

// fields writes a struct with one field a line; lead stands before the first, indent before the others.
func (w *writer) fields(v reflect.Value, lead, indent string) {
	for _, f := range given(v) {
		w.WriteString(lead + f.name + ":")
		w.value(v.Field(f.index), indent, f.tag)
		lead = indent
	}
}

// value writes what stands after a colon or a dash, line end included. indent is that of the line's name.
func (w *writer) value(v reflect.Value, indent string, tag reflect.StructTag) {
	if v.Kind() == reflect.String {
		if text := v.String(); block(text) {
			w.block(text, indent+"  ")
		} else {
			w.WriteString(" " + quoted(text, false) + "\n")
		}
		return
	}
	structs := v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct
	if structs || tag.Get("lines") != "" {
		w.lines(v, indent)
		return
	}
	flow := inline(v)
	if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Int {
		w.numbers(flow, indent+"  ")
		return
	}
	composite := v.Kind() == reflect.Slice || v.Kind() == reflect.Map || v.Kind() == reflect.Struct
	if composite && flow != "[]" && (w.column()+1+utf8.RuneCountInString(flow) > lineWidth || tall(v)) {
		w.lines(v, indent)
		return
	}
	w.WriteString(" " + flow + "\n")
}

// numbers writes a list of numbers, which may be every exit code that there is, on as few lines as it takes.
func (w *writer) numbers(flow, indent string) {
	for i, n := range strings.Split(flow, " ") {
		if i > 0 && w.column()+1+len(n) > lineWidth {
			w.WriteString("\n" + indent + n)
		} else {
			w.WriteString(" " + n)
		}
	}
	w.WriteByte('\n')
}

// tall reports whether an entry of a list is a text that is written as a block.
func tall(v reflect.Value) bool {
	if v.Kind() != reflect.Slice || v.Type().Elem().Kind() != reflect.String {
		return false
	}
	for i := range v.Len() {
		if block(v.Index(i).String()) {
			return true
		}
	}
	return false
}

// lines writes a list or a mapping with one entry a line.
func (w *writer) lines(v reflect.Value, indent string) {
	w.WriteByte('\n')
	below := indent + "  "
	switch v.Kind() { //nolint:exhaustive // the written form has no other kinds
	case reflect.Struct:
		w.fields(v, below, below)
	case reflect.Map:
		texts := v.Interface().(map[string]string)
		for _, name := range slices.Sorted(maps.Keys(texts)) {
			w.WriteString(below + quoted(name, true) + ":")
			w.value(reflect.ValueOf(texts[name]), below, "")
		}
	default:
		for i := range v.Len() {
			w.WriteString(below + "-")
			_, line := v.Index(i).Interface().(fmt.Stringer)
			if v.Index(i).Kind() == reflect.Struct && !line {
				w.fields(v.Index(i), " ", below+"  ")
			} else {
				w.value(v.Index(i), below, "")
			}
		}
	}
}

// column returns how many characters stand in the last line.
func (w *writer) column() int {
	return utf8.RuneCount(w.Bytes()[bytes.LastIndexByte(w.Bytes(), '\n')+1:])
}

// inline writes v in one line.
func inline(v reflect.Value) string {
	if s, ok := v.Interface().(fmt.Stringer); ok { // durations and sizes
		return s.String()
	}
	var parts []string
	switch v.Kind() { //nolint:exhaustive // the written form has no other kinds
	case reflect.String:
		return quoted(v.String(), true)
	case reflect.Int:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Slice:
		for i := range v.Len() {
			parts = append(parts, inline(v.Index(i)))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case reflect.Map:
		texts := v.Interface().(map[string]string)
		for _, name := range slices.Sorted(maps.Keys(texts)) {
			parts = append(parts, quoted(name, true)+": "+quoted(texts[name], true))
		}
	default:
		for _, f := range given(v) {
			parts = append(parts, f.name+": "+inline(v.Field(f.index)))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// block reports whether text reads better, and safely, as a block: several lines without anything hidden.
func block(text string) bool {
	body := strings.TrimRight(text, "\n")
	if !strings.Contains(body, "\n") || strings.TrimSpace(body) != body || !utf8.ValidString(text) {
		return false
	}
	for _, r := range body {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// block writes text as a literal block.
func (w *writer) block(text, indent string) {
	body := strings.TrimRight(text, "\n")
	switch len(text) - len(body) {
	case 0:
		w.WriteString(" |-\n")
	case 1:
		w.WriteString(" |\n")
	default:
		w.WriteString(" |+\n")
	}
	for line := range strings.SplitSeq(text[:max(len(body), len(text)-1)], "\n") {
		if line != "" {
			w.WriteString(indent + line)
		}
		w.WriteByte('\n')
	}
}

// quoted writes text in one line: bare where no reader can take it for anything else, else in double quotes.
func quoted(s string, flow bool) string {
	if bare(s, flow) {
		return s
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// bare reports whether s can stand without quotes. It is narrower than YAML: what a reader of an older YAML
// would take for a number, a date or a truth value is quoted too.
func bare(s string, flow bool) bool {
	if s == "" || len(s) > 3*lineWidth || strings.TrimSpace(s) != s {
		return false
	}
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n", "-", "--", "---", "=":
		return false
	}
	inner := "_./@%+=-"
	if !flow {
		inner += " ,;()'!?"
	} else {
		inner += " "
	}
	letters := false
	for i, r := range s {
		letter := unicode.IsLetter(r)
		letters = letters || letter
		digit := r >= '0' && r <= '9'
		if i == 0 && !letter && !strings.ContainsRune("/_-", r) {
			return false
		}
		if !letter && !digit && !strings.ContainsRune(inner, r) {
			return false
		}
	}
	// "-5", "-.5", "-.inf" and "- x" are not text.
	return letters && !strings.HasPrefix(s, "-.") && !strings.HasPrefix(s, "- ") && (s[0] != '-' || s[1] < '0' || s[1] > '9')
}
