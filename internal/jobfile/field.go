package jobfile

import (
	"reflect"
	"strings"
)

// field is one field of a mapping of the written form.
type field struct {
	name  string
	index int // in the struct
	typ   reflect.Type
	tag   reflect.StructTag
}

// fields returns the fields of a struct type of the written form, in order.
func fields(t reflect.Type) []field {
	out := make([]field, t.NumField())
	for i := range out {
		f := t.Field(i)
		out[i] = field{name: f.Tag.Get("field"), index: i, typ: f.Type, tag: f.Tag}
	}
	return out
}

// names returns the names of fields as a person reads them.
func names(list []field) string {
	all := make([]string, len(list))
	for i, f := range list {
		all[i] = f.name
	}
	return strings.Join(all, ", ")
}

// fresh returns the value that a definition changes field by field: all defaults filled in.
func fresh(t reflect.Type) reflect.Value {
	v := reflect.New(t).Elem()
	switch t {
	case reflect.TypeFor[job]():
		v.Set(reflect.ValueOf(defaultJob()))
	case reflect.TypeFor[schedule]():
		v.Set(reflect.ValueOf(defaultSchedule()))
	}
	return v
}
