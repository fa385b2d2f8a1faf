package jobfile

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/reeve-scheduler/reeve/internal/jobnet"
)

// fill fills a document from its mapping and collects what does not fit. What could not be read is marked bad,
// with the nearest value that makes sense in its place, so that one mistake is told once.
func fill[T any](r *reader, body ast.Node) T {
	v := fresh(reflect.TypeFor[T]())
	r.values[""] = r.start(body)
	r.value(body, "", v, "")
	return v.Interface().(T)
}

// refuse reports that the value at path is not what is wanted.
func (r *reader) refuse(n ast.Node, path, format string, args ...any) {
	r.bad[path] = true
	r.mistake(r.start(n), format, args...)
}

// value reads the node at path into v. tag is that of the field it stands in.
func (r *reader) value(n ast.Node, path string, v reflect.Value, tag reflect.StructTag) {
	n = plain(n)
	r.values[path] = r.start(n)
	if n.Type() == ast.AliasType { // refused already
		r.bad[path] = true
		return
	}
	if n.Type() == ast.NullType {
		r.refuse(n, path, "%s has no value: give it one, or leave it out", last(path))
		return
	}
	switch into := v.Addr().Interface().(type) {
	case *duration:
		r.duration(n, path, into)
		return
	case *size:
		r.size(n, path, into)
		return
	case *argument:
		r.argument(n, path, into)
		return
	case *dated:
		if date, ok := textOf(n); ok {
			into.Date = date
			return
		}
		if _, mapping := entriesOf(n); !mapping {
			r.refuse(n, path, "a day is a date as 2026-12-24, or {date: 2026-12-24, name: TEXT}, not %s", describe(n))
			return
		}
	}
	switch v.Kind() { //nolint:exhaustive // the written form has no other kinds
	case reflect.Struct:
		r.mapping(n, path, v, tag)
	case reflect.Slice:
		r.list(n, path, v, tag)
	case reflect.Map:
		r.texts(n, path, v)
	case reflect.Int:
		r.integer(n, path, v)
	case reflect.Bool:
		if b, ok := n.(*ast.BoolNode); ok {
			v.SetBool(b.Value)
		} else {
			r.refuse(n, path, "%s is true or false, not %s", last(path), describe(n))
		}
	default:
		text, ok := textOf(n)
		if !ok {
			text, ok = glued(n)
		}
		if !ok {
			text = scalar(n)
			r.refuse(n, path, "%s", notText(n, path, tag))
		}
		v.SetString(text)
	}
}

// notText says what a field is instead of a number, true or false. That it is to stand in quotes helps only where it can be such a text.
func notText(n ast.Node, path string, tag reflect.StructTag) string {
	got := describe(n)
	if words := strings.Split(tag.Get("enum"), ","); len(words) > 1 {
		end := len(words) - 1
		return fmt.Sprintf("%s is one of %s and %s, not %s", last(path), strings.Join(words[:end], ", "), words[end], got)
	}
	if form := tag.Get("form"); form != "" {
		return fmt.Sprintf("%s is %s, not %s", last(path), form, got)
	}
	return fmt.Sprintf("%s is text, not %s%s", last(path), got, quoteHint(n))
}

// mapping reads the fields of a struct.
func (r *reader) mapping(n ast.Node, path string, v reflect.Value, tag reflect.StructTag) {
	entries, ok := entriesOf(n)
	known := fields(v.Type())
	if !ok {
		hint := ""
		if i := slices.IndexFunc(known, func(f field) bool { return f.name == tag.Get("lone") }); i >= 0 && scalar(n) != "" {
			hint = fmt.Sprintf(": write {%s: %s}", known[i].name, meant(n, known[i].typ))
		}
		r.refuse(n, path, "%s is a mapping, not %s%s", r.thing(path), describe(n), hint)
		return
	}
	r.bad[path] = r.bad[path] || merges(n) // what the merge would have brought is missing, and that is told already
	seen := map[string]place{}
	for _, e := range entries {
		name, at := keyText(e.Key), r.start(e.Key)
		f, ok := r.field(name, at, path, known, entries)
		if !ok {
			continue
		}
		child := join(path, f.name)
		if first, twice := seen[f.name]; twice {
			r.mistake(at, "%s stands twice here: the other one is in line %d", f.name, first.line)
			continue
		}
		seen[f.name], r.keys[child] = at, at
		r.value(e.Value, child, v.Field(f.index), f.tag)
	}
}

// field finds the field of a name, or the one that was probably meant.
func (r *reader) field(name string, at place, path string, known []field, entries []*ast.MappingValueNode) (field, bool) {
	find := func(name string) int { return slices.IndexFunc(known, func(f field) bool { return f.name == name }) }
	if i := find(name); i >= 0 {
		return known[i], true
	}
	near := ""
	for _, meant := range aliases(name) {
		if near == "" && find(meant) >= 0 {
			near = meant
		}
	}
	if near == "" {
		near = jobnet.Nearest(name, func(yield func(string) bool) {
			for _, f := range known {
				if !yield(f.name) {
					return
				}
			}
		})
	}
	i := find(near)
	if i < 0 {
		r.mistake(at, "%s has no field %q; it has: %s", r.thing(path), clip(name), names(known))
		return field{}, false
	}
	r.mistake(at, "%s has no field %q; did you mean %s?", r.thing(path), clip(name), near)
	given := slices.ContainsFunc(entries, func(e *ast.MappingValueNode) bool { return keyText(e.Key) == near })
	return known[i], !given
}

// aliases returns what a field that other systems call name may be called here.
func aliases(name string) []string {
	switch name {
	case "depends_on", "depends", "requires", "dependencies", "upstream":
		return []string{"after"}
	case "cmd", "exec", "args", "argv", "run":
		return []string{"command"}
	case "shell", "bash":
		return []string{"script"}
	case "parameters", "arguments", "inputs", "vars":
		return []string{"params"}
	case "environment", "variables":
		return []string{"env"}
	case "retries":
		return []string{"retry"}
	case "node", "host", "runs_on":
		return []string{"agent"}
	case "user":
		return []string{"run_as"}
	case "tasks", "steps":
		return []string{"jobs"}
	case "count", "limit", "attempts":
		return []string{"max"}
	case "interval", "wait":
		return []string{"delay", "every"}
	case "schedule", "triggers", "timers":
		return []string{"schedules", "cron"}
	}
	return timeAliases(name)
}

// timeAliases is aliases for the fields of schedules.
func timeAliases(name string) []string {
	switch name {
	case "expression", "crontab", "at":
		return []string{"cron"}
	case "timezone", "tz", "time_zone", "location":
		return []string{"zone"}
	case "misfire", "missed", "backfill", "catch_up":
		return []string{"catchup"}
	case "concurrency", "concurrency_policy", "max_active_runs":
		return []string{"overlap"}
	case "startingDeadlineSeconds", "start_deadline", "window", "deadline":
		return []string{"start_within"}
	case "holidays", "exclude", "calendars":
		return []string{"calendar", "free"}
	case "start", "start_date", "valid_from", "dtstart", "begin":
		return []string{"from"}
	case "end", "end_date", "to", "valid_until":
		return []string{"until"}
	case "sla", "must_end_within":
		return []string{"must_end"}
	case "duration", "expected":
		return []string{"estimate"}
	case "why", "reason", "note":
		return []string{"text"}
	case "days":
		return []string{"working_days"}
	}
	return nil
}

// list reads a sequence.
func (r *reader) list(n ast.Node, path string, v reflect.Value, tag reflect.StructTag) {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		hint := ""
		if text := scalar(n); text != "" && v.Type().Elem().Kind() != reflect.Struct {
			hint = fmt.Sprintf(": write [%s]", meant(n, v.Type().Elem()))
			if v.Type().Elem().Kind() != reflect.Int {
				v.Set(reflect.Append(reflect.Zero(v.Type()), reflect.ValueOf(text).Convert(v.Type().Elem())))
			}
		}
		r.refuse(n, path, "%s is a list, not %s%s", last(path), describe(n), hint)
		return
	}
	list := reflect.Zero(v.Type())
	for i, item := range s.Values {
		e := fresh(v.Type().Elem())
		r.value(item, path+"["+strconv.Itoa(i)+"]", e, tag)
		list = reflect.Append(list, e)
	}
	v.Set(list)
}

// meant writes a lone value as it would stand where a value of type t is wanted.
func meant(n ast.Node, t reflect.Type) string {
	text := scalar(n)
	switch {
	case t == reflect.TypeFor[argument]() && !strings.ContainsAny(text, "\"'\\"):
		words := strings.Fields(text)
		for i := range words {
			words[i] = quoted(words[i], true)
		}
		return strings.Join(words, ", ")
	case t.Kind() == reflect.String:
		return quoted(text, true)
	}
	return clip(printable(text))
}

// texts reads a mapping of names to text.
func (r *reader) texts(n ast.Node, path string, v reflect.Value) {
	entries, ok := entriesOf(n)
	if !ok {
		r.refuse(n, path, "%s is a mapping of names to text, not %s", last(path), describe(n))
		return
	}
	out := map[string]string{}
	for _, e := range entries {
		name, at := keyText(e.Key), r.start(e.Key)
		child := join(path, name)
		if _, twice := out[name]; twice {
			r.mistake(at, "%s stands twice here: the other one is in line %d", printable(clip(name)), r.keys[child].line)
			continue
		}
		value := reflect.New(reflect.TypeFor[string]()).Elem()
		r.keys[child] = at
		r.value(e.Value, child, value, "")
		out[name] = value.String()
	}
	if len(out) > 0 {
		v.Set(reflect.ValueOf(out))
	}
}

func (r *reader) integer(n ast.Node, path string, v reflect.Value) {
	text := scalar(n)
	number, err := strconv.Atoi(text)
	if _, ok := n.(*ast.IntegerNode); !ok || err != nil || strconv.Itoa(number) != text {
		r.refuse(n, path, "%s is a whole number in plain digits, not %s", last(path), describe(n))
		return
	}
	v.SetInt(int64(number))
}

func (r *reader) duration(n ast.Node, path string, into *duration) {
	if _, single := n.(ast.ScalarNode); !single {
		r.refuse(n, path, "%s is a duration as 10s, 5m or 1h30m, not %s", last(path), describe(n))
		return
	}
	d, err := parseDuration(scalar(n))
	if err != nil {
		r.refuse(n, path, "%s: %s", last(path), err)
		return
	}
	if d == 0 && last(path) == "every" {
		r.refuse(n, path, "every is at least 1s")
	}
	*into = d
}

func (r *reader) size(n ast.Node, path string, into *size) {
	if _, single := n.(ast.ScalarNode); !single {
		r.refuse(n, path, "%s is a size as 64MiB, not %s", last(path), describe(n))
		return
	}
	s, err := parseSize(scalar(n))
	if err != nil {
		r.refuse(n, path, "%s: %s", last(path), err)
		return
	}
	*into = s
}

// argument reads an element of a command. A program is given text whatever it looks like, so a number, true or
// false is taken as it is written: [sleep, 5] can mean only one thing.
func (r *reader) argument(n ast.Node, path string, into *argument) {
	text, ok := textOf(n)
	if !ok {
		text, ok = glued(n)
	}
	if _, single := n.(ast.ScalarNode); !ok && !single {
		r.refuse(n, path, "an argument is text, not %s", describe(n))
		return
	}
	if !ok {
		text = scalar(n)
	}
	*into = argument(text)
}

// join adds a name to a path.
func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// last names what stands at path in a message: by its path within the job, the schedule or the set.
func last(path string) string {
	if strings.HasPrefix(path, "jobs[") || strings.HasPrefix(path, "schedules[") || strings.HasPrefix(path, "sets[") {
		if _, inside, ok := strings.Cut(path, "]."); ok {
			path = inside
		}
	}
	if before, _, ok := strings.Cut(path, "["); ok && strings.HasSuffix(path, "]") {
		return "each entry of " + before
	}
	return printable(clip(path))
}

// thing names the mapping at path in a message.
func (r *reader) thing(path string) string {
	if path == "" {
		return "a " + r.kind
	}
	list, entry := strings.CutSuffix(path, "]")
	if !entry {
		return last(path)
	}
	list = list[:strings.LastIndexByte(list, '[')]
	switch list[strings.LastIndexByte(list, '.')+1:] {
	case "ports":
		return "a port"
	case "schedules":
		return "a schedule"
	case "blackouts":
		return "a blackout"
	case "sets":
		return "a set"
	case "dates", "free", "work":
		return "a day"
	}
	return "a job"
}

func clip(s string) string {
	const most = 60
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}
