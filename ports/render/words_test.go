package render

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/reeve-scheduler/reeve/ports"
)

// TestWords: every language has every word, with the same places for names and numbers, and each column and status.
func TestWords(t *testing.T) {
	t.Parallel()
	en, err := wordsOf("")
	if err != nil || en.lang != "en" {
		t.Fatalf("the words of no language are %q, %v", en.lang, err)
	}
	for _, lang := range []string{"en", "de", "ja"} {
		w, err := wordsOf(lang)
		if err != nil || w.lang != lang {
			t.Fatalf("the words of %s are %q, %v", lang, w.lang, err)
		}
		sameWords(t, lang, reflect.ValueOf(en), reflect.ValueOf(w))
		for _, column := range ports.Columns() {
			if w.columns[column] == "" {
				t.Errorf("%s has no heading for %s", lang, column)
			}
		}
		for _, status := range []ports.Status{ports.Works, ports.Reserved, ports.Foreign, ports.Inactive} {
			if w.status[status] == "" {
				t.Errorf("%s has no word for %s", lang, status)
			}
		}
		seen := map[string]string{}
		for column, head := range w.columns { // a reader, and the tests, tell columns by their headings
			if seen[head] != "" {
				t.Errorf("%s calls %s and %s %q", lang, column, seen[head], head)
			}
			seen[head] = column
		}
	}
	if _, err := wordsOf("fr"); !errors.Is(err, ErrLocale) {
		t.Errorf("the words of fr: %v", err)
	}
}

func sameWords(t *testing.T, at string, en, w reflect.Value) {
	t.Helper()
	for i := range w.NumField() {
		name := at + "." + w.Type().Field(i).Name
		field := w.Field(i)
		if field.Kind() == reflect.Struct {
			sameWords(t, name, en.Field(i), field)
		}
		if field.Kind() == reflect.String && (field.String() == "" || strings.Count(field.String(), "%") != strings.Count(en.Field(i).String(), "%")) {
			t.Errorf("%s is %q, in English %q", name, field.String(), en.Field(i).String())
		}
	}
}
