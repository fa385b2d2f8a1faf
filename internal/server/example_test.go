package server_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/reeve-scheduler/reeve/internal/server"
)

const example = "../../examples/config/server.yaml"

// TestExampleIsTheDefault loads the example over a configuration in which every field is wrong.
func TestExampleIsTheDefault(t *testing.T) {
	t.Parallel()
	var got server.Config
	spoil(reflect.ValueOf(&got).Elem())
	if err := server.Load(&got, example); err != nil {
		t.Fatal(err)
	}
	got.Data = "" // not of the file
	if diff := cmp.Diff(server.Default(), got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s is not the default (-default +example):\n%s", example, diff)
	}
	got.Data = t.TempDir()
	if err := got.Validate(); err != nil {
		t.Error(err)
	}
}

// spoil gives every field a value that is no default, so that a field which the file leaves out is seen.
func spoil(v reflect.Value) {
	for i := range v.NumField() {
		f := v.Field(i)
		switch f.Kind() { //nolint:exhaustive // a configuration has no others
		case reflect.Struct:
			spoil(f)
		case reflect.String:
			f.SetString("spoilt")
		case reflect.Int, reflect.Int64:
			f.SetInt(-4711)
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Pointer:
			f.Set(reflect.New(f.Type().Elem()))
		case reflect.Slice:
			f.Set(reflect.ValueOf([]string{"spoilt"}))
		default:
			panic("spoil does not know " + f.Kind().String())
		}
	}
}

// TestExampleHasEveryFieldWithAComment looks at the lines: each field is there, and has a comment above it.
func TestExampleHasEveryFieldWithAComment(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	paths(reflect.TypeFor[server.Config](), "", want)
	for path := range want {
		if !has(tree, strings.Split(path, ".")) {
			t.Errorf("%s lacks %s", example, path)
		}
	}
	lines := strings.Split(string(text), "\n")
	for i, l := range lines {
		trimmed := strings.TrimSpace(l)
		if trimmed == "" || strings.HasPrefix(trimmed, "#") {
			continue
		}
		if !strings.HasPrefix(strings.TrimSpace(lines[i-1]), "#") {
			t.Errorf("%s:%d: %s has no comment above it", filepath.Base(example), i+1, trimmed)
		}
	}
}

func paths(t reflect.Type, prefix string, into map[string]bool) {
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("yaml")
		switch {
		case name == "-":
		case f.Type.Kind() == reflect.Struct:
			paths(f.Type, prefix+name+".", into)
		default:
			into[prefix+name] = true
		}
	}
}

func has(tree map[string]any, path []string) bool {
	v, ok := tree[path[0]]
	if !ok || len(path) == 1 {
		return ok
	}
	below, ok := v.(map[string]any)
	return ok && has(below, path[1:])
}
