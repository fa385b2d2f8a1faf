package jobfile

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/internal/calendar"
	"github.com/reeve-scheduler/reeve/internal/jobnet"
)

func schema(t testing.TB) map[string]any {
	t.Helper()
	var s map[string]any
	if err := json.Unmarshal(Schema(), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// validate is as much of JSON Schema as Schema uses; a keyword that it does not know is an error.
func validate(s map[string]any, path string, v any) (errs []string) {
	say := func(format string, args ...any) { errs = append(errs, path+": "+fmt.Sprintf(format, args...)) }
	for keyword, want := range s {
		switch keyword {
		case "$schema", "$id", "title", "description", "default":
		case "type":
			if !slices.Contains(kinds(want), kindOf(v)) && (kindOf(v) != "integer" || !slices.Contains(kinds(want), "number")) {
				say("is %s, not %v", kindOf(v), want)
			}
		case "enum":
			if !slices.Contains(want.([]any), v) {
				say("%v is not one of %v", v, want)
			}
		case "pattern":
			if text, ok := v.(string); ok && !regexp.MustCompile(want.(string)).MatchString(text) {
				say("%q does not match %s", text, want)
			}
		case "maxLength":
			if text, ok := v.(string); ok && len([]rune(text)) > int(want.(float64)) {
				say("is too long")
			}
		case "minimum", "maximum":
			if number, ok := number(v); ok && (keyword == "minimum" && number < want.(float64) || keyword == "maximum" && number > want.(float64)) {
				say("%v breaks %s %v", v, keyword, want)
			}
		case "items":
			if list, ok := v.([]any); ok {
				for i, e := range list {
					errs = append(errs, validate(want.(map[string]any), fmt.Sprintf("%s[%d]", path, i), e)...)
				}
			}
		case "oneOf":
			good := 0
			for _, one := range want.([]any) {
				if validate(one.(map[string]any), path, v) == nil {
					good++
				}
			}
			if good != 1 {
				say("fits %d of %v", good, want)
			}
		case "required":
			if m, ok := v.(map[string]any); ok {
				for _, name := range want.([]any) {
					if _, there := m[name.(string)]; !there {
						say("lacks %s", name)
					}
				}
			}
		case "properties", "propertyNames", "additionalProperties":
		default:
			say("the schema has the unknown keyword %s", keyword)
		}
	}
	m, ok := v.(map[string]any)
	if !ok {
		return errs
	}
	properties, _ := s["properties"].(map[string]any)
	for name, value := range m {
		if names, ok := s["propertyNames"].(map[string]any); ok {
			errs = append(errs, validate(names, path+"."+name, name)...)
		}
		if property, known := properties[name].(map[string]any); known {
			errs = append(errs, validate(property, path+"."+name, value)...)
		} else if more, ok := s["additionalProperties"].(map[string]any); ok {
			errs = append(errs, validate(more, path+"."+name, value)...)
		} else if s["additionalProperties"] == false {
			say("has no field %s", name)
		}
	}
	return errs
}

func kinds(v any) []string {
	if one, ok := v.(string); ok {
		return []string{one}
	}
	var out []string
	for _, k := range v.([]any) {
		out = append(out, k.(string))
	}
	return out
}

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case int64:
		return float64(n), true
	case uint64:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case bool:
		return "boolean"
	case int64, uint64:
		return "integer"
	case float64:
		return "number"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	return fmt.Sprintf("%T", v)
}

func documents(t testing.TB, text []byte) (out []any) {
	t.Helper()
	for _, part := range strings.Split(strings.TrimPrefix(string(text), "\ufeff"), "\n---\n") {
		var v any
		if err := yaml.Unmarshal([]byte(part), &v); err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

func TestSchemaAcceptsWhatParseAccepts(t *testing.T) {
	t.Parallel()
	s := schema(t)
	for _, file := range append(glob(t, "testdata/good/*.yaml", 5), glob(t, "../../examples/*.yaml", 4)...) {
		text := read(t, file)
		if _, err := ParseDocuments(file, text); err != nil {
			t.Error(err)
		}
		for _, v := range documents(t, text) {
			if _, other := v.(map[string]any)["calendar"]; other {
				continue // of another schema
			}
			for _, e := range validate(s, "net", v) {
				t.Errorf("%s: %s", file, e)
			}
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		n := drawNet(rt)
		for _, e := range validate(s, "net", documents(t, Format(n))[0]) {
			rt.Fatal(e)
		}
	})
}

func TestSchemaRefusesWhatParseRefuses(t *testing.T) {
	t.Parallel()
	s := schema(t)
	for _, name := range []string{
		"unknown-fields", "wrong-types", "params-not-text", "command-or-script", "scripts", "job-names", "net-names", "exit-codes", "retries", "rerun", "agents",
		"env-names", "sizes", "durations", "jobs-is-a-mapping", "missing-jobs", "schedules", "run-as",
	} {
		if validate(s, "net", documents(t, read(t, "testdata/broken/"+name+".yaml"))[0]) == nil {
			t.Errorf("the schema accepts %s", name)
		}
	}
}

// A field that one of parser, schema and definition has, the others have too.
func TestSchemaHasTheParsersFields(t *testing.T) {
	t.Parallel()
	var walk func(typ reflect.Type, s map[string]any, path string)
	walk = func(typ reflect.Type, s map[string]any, path string) {
		properties := s["properties"].(map[string]any)
		var known []string
		for _, f := range fields(typ) {
			known = append(known, f.name)
			property := properties[f.name].(map[string]any)
			if property["description"] == "" {
				t.Errorf("%s.%s has no description", path, f.name)
			}
			switch {
			case f.typ.Kind() == reflect.Struct:
				walk(f.typ, property, path+"."+f.name)
			case f.typ.Kind() == reflect.Slice && f.typ.Elem().Kind() == reflect.Struct:
				walk(f.typ.Elem(), property["items"].(map[string]any), path+"."+f.name)
			}
		}
		slices.Sort(known)
		if diff := cmp.Diff(known, slices.Sorted(maps.Keys(properties))); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
	walk(reflect.TypeFor[document](), schema(t), "net")

	defined := func(typ reflect.Type) (out []string) {
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			out = append(out, name)
		}
		return out
	}
	for written, definition := range map[reflect.Type]reflect.Type{
		reflect.TypeFor[document](): reflect.TypeFor[jobnet.Net](), reflect.TypeFor[job](): reflect.TypeFor[jobnet.Job](),
		reflect.TypeFor[agent](): reflect.TypeFor[jobnet.Agent](), reflect.TypeFor[retry](): reflect.TypeFor[jobnet.Retry](),
		reflect.TypeFor[limits](): reflect.TypeFor[jobnet.Limits](), reflect.TypeFor[schedule](): reflect.TypeFor[calendar.Schedule](),
		reflect.TypeFor[blackout](): reflect.TypeFor[calendar.Blackout](),
	} {
		var known []string
		for _, f := range fields(written) {
			known = append(known, f.name)
		}
		if diff := cmp.Diff(defined(definition), known); diff != "" {
			t.Errorf("%v: %s", definition, diff)
		}
	}
}

// The defaults that the schema tells are those that Parse fills in.
func TestSchemaDefaults(t *testing.T) {
	t.Parallel()
	var lines []string
	var walk func(typ reflect.Type, indent string)
	walk = func(typ reflect.Type, indent string) {
		for _, f := range fields(typ) {
			if text, ok := f.tag.Lookup("default"); ok {
				lines = append(lines, indent+f.name+": "+text)
			} else if f.typ.Kind() == reflect.Struct && f.typ != reflect.TypeFor[agent]() {
				lines = append(lines, indent+f.name+":")
				walk(f.typ, indent+"  ")
			}
		}
	}
	walk(reflect.TypeFor[schedule](), "    ")
	schedule := strings.Join(lines, "\n")
	lines = nil
	walk(reflect.TypeFor[job](), "    ")
	nets, err := Parse("x", []byte("net: a/b\nschedules:\n  - name: x\n    every: 5m\n"+schedule+"\njobs:\n  - name: x\n    command: [x]\n"+strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	want := jobnet.Defaults()
	want.Name, want.Command = "x", []string{"x"}
	if diff := cmp.Diff(want, nets[0].Jobs[0]); diff != "" {
		t.Error(diff)
	}
	rule := calendar.DefaultSchedule()
	rule.Name, rule.Every = "x", 5*time.Minute
	if diff := cmp.Diff(rule, nets[0].Schedules[0]); diff != "" || strings.Count(schedule, "\n") < 7 {
		t.Errorf("%s\n%s", schedule, diff)
	}
	if len(lines) < 12 {
		t.Errorf("got %d defaults: %v", len(lines), lines)
	}
}
