package planfile_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/jsonschema-go/jsonschema"
	"pgregory.net/rapid"

	"github.com/reeve-scheduler/reeve/ports/builtin"
	"github.com/reeve-scheduler/reeve/ports/planfile"
)

func validator(t testing.TB, text []byte) *jsonschema.Resolved {
	t.Helper()
	var s jsonschema.Schema
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	resolved, err := s.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	return resolved
}

// values turns a document into what a validator takes.
func values(t interface{ Fatal(...any) }, text []byte) any { return decoded(t, asJSON(t, text)) }

func asJSON(t interface{ Fatal(...any) }, text []byte) []byte {
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	plain, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func decoded(t interface{ Fatal(...any) }, text []byte) any {
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// samples are documents of one kind that are valid: the built-in plans, the examples, and one with every field.
func samples(t *testing.T, kind string) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	for _, pattern := range []string{"../builtin/*.yaml", "../../examples/plans/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains("\n"+string(text), "\n"+kind+": ") {
				found[file] = text
			}
		}
	}
	if kind == "plan" {
		found["whole"], found["base"] = []byte(wholeText), []byte(baseText)
	} else {
		found["whole"] = []byte(wholeInventory)
	}
	return found
}

// What comes with the program is valid by the schemas, and so is everything that Format writes.
func TestSchemaTakes(t *testing.T) {
	t.Parallel()
	plan, inventory := validator(t, planfile.Schema()), validator(t, planfile.InventorySchema())
	for name, text := range samples(t, "plan") {
		if err := plan.Validate(values(t, text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		p, err := planfile.Parse(name, text, builtin.Load)
		if err != nil {
			t.Fatal(err)
		}
		if err := plan.Validate(values(t, planfile.Format(p))); err != nil {
			t.Errorf("%s, written out: %v", name, err)
		}
	}
	for name, text := range samples(t, "inventory") {
		if err := inventory.Validate(values(t, text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text := planfile.Format(drawer{t}.plan())
		if err := plan.Validate(values(t, text)); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		text = planfile.FormatInventory(drawer{t}.inventory())
		if err := inventory.Validate(values(t, text)); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	})
}

// What a schema refuses, its reader refuses too: a schema is never stricter. The other way round it is laxer, as it
// knows neither formulas nor what a plan extends.
func TestSchemaRefuses(t *testing.T) {
	t.Parallel()
	for kind, schema := range map[string][]byte{"plan": planfile.Schema(), "inventory": planfile.InventorySchema()} {
		v := validator(t, schema)
		random := rand.New(rand.NewPCG(1, 2))
		refused, taken := 0, 0
		texts := samples(t, kind)
		for _, name := range sortedNames(texts) {
			original := asJSON(t, texts[name])
			for range 1 + 700_000/len(original)/len(texts) {
				mutant := mutate(random, decoded(t, original))
				if v.Validate(mutant) == nil {
					taken++
					continue
				}
				refused++
				text := asYAML(t, kind, mutant)
				_, err := planfile.Parse("f", text, builtin.Load)
				if kind == "inventory" {
					_, err = planfile.ParseInventory("f", text)
				}
				if err == nil {
					t.Errorf("%s: the schema refuses what the reader takes: %v\n%s", name, v.Validate(mutant), text)
				}
			}
		}
		if refused < 100 || taken < 100 {
			t.Errorf("%s: %d mutants refused, %d taken", kind, refused, taken)
		}
	}
}

func sortedNames(m map[string][]byte) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// asYAML writes a mutant as JSON, which is YAML, with the key that names its kind first.
func asYAML(t *testing.T, kind string, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	m, ok := v.(map[string]any)
	if name, has := m[kind]; ok && has {
		first, err := json.Marshal(name)
		if err != nil {
			t.Fatal(err)
		}
		delete(m, kind)
		rest := asYAML(t, kind, m)
		return []byte(`{"` + kind + `": ` + string(first) + ", " + string(rest[1:]))
	}
	return b.Bytes()
}

// mutate changes one value somewhere inside.
func mutate(random *rand.Rand, v any) any {
	odd := []any{nil, true, -1.0, 0.0, 1.5, 65536.0, "", "x", "080", "1-2", "5-1", "tcp", "no", []any{}, []any{1.0}, []any{"a", "a"}, map[string]any{}, map[string]any{"x": 1.0}}
	switch x := v.(type) {
	case map[string]any:
		keys := make([]string, 0, len(x))
		for k := range x {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		if len(keys) == 0 || random.IntN(12) == 0 {
			x[[]string{"id", "port", "range", "family", "x", "text"}[random.IntN(6)]] = odd[random.IntN(len(odd))]
			return x
		}
		key := keys[random.IntN(len(keys))]
		if random.IntN(12) == 0 {
			delete(x, key)
			return x
		}
		x[key] = mutate(random, x[key])
		return x
	case []any:
		if len(x) > 0 && random.IntN(8) > 0 {
			i := random.IntN(len(x))
			x[i] = mutate(random, x[i])
			return x
		}
	}
	return odd[random.IntN(len(odd))]
}
