package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

const maxDepth = 32

// jsonFormat is how bodies are read and written.
func jsonFormat() huma.Format { return huma.Format{Marshal: encode, Unmarshal: decode} }

// encode writes v as one line of JSON, with < > and & escaped, so that no browser ever takes it for a page.
func encode(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) }

// decode reads JSON strictly. huma calls it twice for each body, first into an any: there its form is checked, and
// afterwards its fields against the schema.
func decode(data []byte, v any) error {
	if _, first := v.(*any); first {
		if err := checkForm(data); err != nil {
			return err
		}
	}
	return json.Unmarshal(data, v)
}

// checkForm refuses what readers of JSON differ about: a name that stands twice in an object (also in another case,
// which Go takes for the same field), what follows the value, and nesting without end.
func checkForm(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if err := checkValue(d, 0); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON value")
	}
	return nil
}

func checkValue(d *json.Decoder, depth int) error {
	tok, err := d.Token()
	if err != nil {
		return fmt.Errorf("reading JSON: %w", err)
	}
	delim, ok := tok.(json.Delim)
	if !ok {
		return nil
	}
	if depth >= maxDepth {
		return fmt.Errorf("JSON is nested deeper than %d", maxDepth)
	}
	names := map[string]bool{}
	for d.More() {
		if delim == '{' {
			name, err := d.Token()
			if err != nil {
				return fmt.Errorf("reading JSON: %w", err)
			}
			key, _ := name.(string)
			folded := strings.ToLower(key)
			if names[folded] {
				return fmt.Errorf("%q stands twice in one object", key)
			}
			names[folded] = true
		}
		if err := checkValue(d, depth+1); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil { // the closing one
		return fmt.Errorf("reading JSON: %w", err)
	}
	return nil
}

// regular gives an answer its form: lists are arrays and maps are objects, never null, and times are in UTC.
func regular(_ huma.Context, _ string, v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	if p, ok := v.(*Problem); ok {
		return p, nil
	}
	return regularOf(v), nil
}

func regularOf[T any](v T) T {
	boxed := reflect.New(reflect.TypeOf(v))
	boxed.Elem().Set(reflect.ValueOf(v))
	straighten(boxed.Elem())
	out, _ := boxed.Elem().Interface().(T)
	return out
}

// straighten changes what v holds. Slices and pointers are copied before: they may be the service's own.
func straighten(v reflect.Value) {
	switch v.Kind() { //nolint:exhaustive // the other kinds have one form anyway
	case reflect.Struct:
		if t, ok := v.Interface().(time.Time); ok {
			v.Set(reflect.ValueOf(t.UTC()))
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && !strings.Contains(v.Type().Field(i).Tag.Get("json"), ",omitempty") {
				straighten(v.Field(i))
			}
		}
	case reflect.Slice:
		fresh := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(fresh, v)
		v.Set(fresh)
		if k := v.Type().Elem().Kind(); k == reflect.Struct || k == reflect.Slice || k == reflect.Map || k == reflect.Pointer {
			for i := range v.Len() {
				straighten(v.Index(i))
			}
		}
	case reflect.Map:
		if v.IsNil() {
			v.Set(reflect.MakeMap(v.Type()))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			fresh := reflect.New(v.Type().Elem())
			fresh.Elem().Set(v.Elem())
			v.Set(fresh)
			straighten(fresh.Elem())
		}
	default:
	}
}
