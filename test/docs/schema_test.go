package docs

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/doctor"
	"github.com/dockhost/dockhost/gpu"
)

// schema is the part of a JSON schema that this test compares.
type schema struct {
	Ref         string            `json:"$ref"`
	Defs        map[string]schema `json:"$defs"`
	Description string            `json:"description"`
	Type        any               `json:"type"`
	Format      string            `json:"format"`
	Const       any               `json:"const"`
	Items       *schema           `json:"items"`
	Required    []string          `json:"required"`
	Properties  map[string]schema `json:"properties"`
}

// TestStatusSchema compares the schema of `dockhostctl status --json` with the Go
// types: the same fields, types and required fields, and a description of each.
func TestStatusSchema(t *testing.T) {
	checkSchema(t, "docs/status.schema.json", "status", reflect.TypeFor[api.Status](), api.Version)
}

// TestGPUSchema compares the schema of `dockhostctl gpu --json` with the Go types.
func TestGPUSchema(t *testing.T) {
	checkSchema(t, "docs/gpu.schema.json", "report", reflect.TypeFor[gpu.Report](), gpu.ReportVersion)
}

// TestDoctorSchema compares the schema of `dockhostctl doctor --json` with the Go types.
func TestDoctorSchema(t *testing.T) {
	checkSchema(t, "docs/doctor.schema.json", "report", reflect.TypeFor[doctor.Report](), doctor.ReportVersion)
}

func checkSchema(t *testing.T, file, top string, typ reflect.Type, version int) {
	t.Helper()
	var whole schema
	if err := json.Unmarshal([]byte(read(t, file)), &whole); err != nil {
		t.Fatal(err)
	}
	c := checker{T: t, defs: whole.Defs, seen: map[string]bool{}}
	c.check("", whole, typ)
	if unused := len(whole.Defs) - len(c.seen); unused != 0 {
		t.Errorf("%d of the definitions are not used", unused)
	}
	if got := whole.Defs[top].Properties["version"].Const; got != float64(version) {
		t.Errorf("version is %v, want %d", got, version)
	}
}

type checker struct {
	*testing.T
	defs map[string]schema
	seen map[string]bool
}

// check compares the schema at a path with a Go type.
func (c checker) check(path string, s schema, typ reflect.Type) {
	c.Helper()
	if s.Description == "" {
		c.Errorf("%s has no description", path)
	}
	if name, isRef := strings.CutPrefix(s.Ref, "#/$defs/"); isRef {
		c.seen[name] = true
		s = c.defs[name]
	}
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if want := typeOf(typ); !reflect.DeepEqual(s.Type, want) && !reflect.DeepEqual(s.Type, []any{want, "null"}) {
		c.Errorf("%s is %v, want %v", path, s.Type, want)
	}
	switch {
	case typ == reflect.TypeFor[time.Time]():
		if s.Format != "date-time" {
			c.Errorf("%s has the format %q, want date-time", path, s.Format)
		}
	case typ.Kind() == reflect.Struct:
		c.object(path, s, typ)
	case typ.Kind() == reflect.Slice && typ.Elem().Kind() == reflect.Struct:
		c.check(path+"[]", *s.Items, typ.Elem())
	case typ.Kind() == reflect.Slice:
		if s.Items == nil || s.Items.Type != typeOf(typ.Elem()) {
			c.Errorf("%s has items %+v, want %s", path, s.Items, typeOf(typ.Elem()))
		}
	}
}

func (c checker) object(path string, s schema, typ reflect.Type) {
	c.Helper()
	var names, required []string
	for field := range typ.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
		if options != "omitempty" {
			required = append(required, name)
		}
		if property, found := s.Properties[name]; found {
			c.check(path+"."+name, property, field.Type)
		}
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(names)), slices.Sorted(maps.Keys(s.Properties))); diff != "" {
		c.Errorf("fields of %s (-Go, +schema):\n%s", typ, diff)
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(required)), slices.Sorted(slices.Values(s.Required))); diff != "" {
		c.Errorf("required fields of %s (-Go, +schema):\n%s", typ, diff)
	}
}

// typeOf returns the name of a Go type in JSON schema.
func typeOf(typ reflect.Type) string {
	switch {
	case typ == reflect.TypeFor[time.Time](), typ.Kind() == reflect.String:
		return "string"
	case typ.Kind() == reflect.Bool:
		return "boolean"
	case typ.Kind() == reflect.Int, typ.Kind() == reflect.Int64:
		return "integer"
	case typ.Kind() == reflect.Float64:
		return "number"
	case typ.Kind() == reflect.Slice:
		return "array"
	case typ.Kind() == reflect.Struct:
		return "object"
	}
	return typ.String()
}
