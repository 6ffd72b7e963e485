package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

var updateDocument = flag.Bool("update", false, "write docs/openapi.json")

const documentFile = "../../docs/openapi.json"

// TestOpenAPI compares docs/openapi.json with the routes and the Go types: every route,
// parameter, field and status, each with a description.
func TestOpenAPI(t *testing.T) {
	var want bytes.Buffer
	encoder := json.NewEncoder(&want)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(newDocument(t)); err != nil {
		t.Fatal(err)
	}
	if *updateDocument {
		if err := os.WriteFile(documentFile, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(documentFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), string(got)); diff != "" {
		t.Errorf("docs/openapi.json differs (run: go test ./agent/api -run TestOpenAPI -update) (-want +got):\n%s", diff)
	}
}

// TestOpenAPIIsValid checks the document by the schema of OpenAPI 3.1, and a status by the
// document. A library that reads OpenAPI 3.1 takes minutes to compile.
func TestOpenAPIIsValid(t *testing.T) {
	text, err := os.ReadFile(documentFile)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open("testdata/openapi-3.1.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	schema, err := jsonschema.UnmarshalJSON(file)
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("https://spec.openapis.org/oas/3.1", schema); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("https://spec.openapis.org/oas/3.1")
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := compiled.Validate(value); err != nil {
		t.Errorf("docs/openapi.json is not OpenAPI 3.1: %v", err)
	}
	if err := compiler.AddResource("file:///openapi.json", value); err != nil {
		t.Fatal(err)
	}
	for name, answer := range map[string]any{
		"Status": Status{Containers: []Container{{Name: "web", Update: &Update{}}}}, "GC": GC{Images: []GCImage{{}}}, "UserData": UserData{Parts: []Part{}, Containers: []string{}},
		"HistoryEntry": HistoryEntry{From: &Revision{}}, "UpdateProgress": UpdateProgress{}, "Refusal": Refusal{Problems: []string{"x"}},
	} {
		compiled, err := compiler.Compile("file:///openapi.json#/components/schemas/" + name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(answer)
		if err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := compiled.Validate(value); err != nil {
			t.Errorf("%s is not as docs/openapi.json says: %v", name, err)
		}
	}
}

// object is an object of JSON. Its keys are sorted.
type object map[string]any

// document makes the OpenAPI document.
type document struct {
	*testing.T
	schemas object
	// comments has the comments of types and fields, such as "Status.Well".
	comments map[string]string
}

func newDocument(t *testing.T) object {
	t.Helper()
	d := document{T: t, schemas: object{}, comments: comments(t)}
	paths := object{}
	for _, route := range Routes() {
		item, _ := paths[route.Path].(object)
		if item == nil {
			item = object{}
			paths[route.Path] = item
		}
		item[strings.ToLower(route.Method)] = d.operation(route)
	}
	return object{
		"openapi": "3.1.0",
		"info": object{
			"title": "dockhost's local API", "version": strconv.Itoa(Version),
			"description": "HTTP over the Unix socket /run/dockhost/agent.sock. Fields are added over time, so readers must ignore unknown fields. " +
				"x-access says who may use an operation: reads is everyone on the host, changes is root and the group of the socket (docker), root is root alone. " +
				"A field with x-access is left out for those without that access.",
			"license": object{"name": "Apache-2.0", "identifier": "Apache-2.0"},
		},
		"servers":    []object{{"url": "http://dockhost", "description": "The host name has no meaning on a Unix socket."}},
		"paths":      paths,
		"components": object{"schemas": d.schemas},
	}
}

func (d document) operation(r Route) object {
	d.Helper()
	operation := object{
		"operationId": operationID(r), "summary": r.Summary, "x-access": r.Access,
		"responses": d.responses(r),
	}
	var parameters []object
	if strings.Contains(r.Path, "{name}") {
		parameters = append(parameters, object{"name": "name", "in": "path", "required": true, "description": "The name of the container.", "schema": object{"type": "string"}})
	}
	for _, p := range r.Query {
		parameters = append(parameters, object{"name": p.Name, "in": "query", "required": p.Required, "description": p.Summary, "schema": object{"type": "string"}})
	}
	if len(parameters) > 0 {
		operation["parameters"] = parameters
	}
	if r.Body != nil {
		operation["requestBody"] = object{
			"description": fmt.Sprintf("At most %d bytes.", r.MaxBody),
			"content":     object{"application/json": object{"schema": d.schema(reflect.TypeOf(r.Body))}},
		}
	}
	return operation
}

// responses describes the answer and all refusals.
func (d document) responses(r Route) object {
	d.Helper()
	refusal := d.schema(reflect.TypeFor[Refusal]())
	out := object{}
	for _, code := range r.Refusals() {
		out[strconv.Itoa(code)] = object{
			"description": http.StatusText(code) + ": " + meanings()[code], "content": object{"application/json": object{"schema": refusal}},
		}
	}
	switch {
	case r.Lines:
		out["200"] = object{
			"description": "A line of JSON for each change, until the last one.",
			"content":     object{"application/x-ndjson": object{"schema": d.schema(reflect.TypeOf(r.Answer))}},
		}
	case r.Answer != nil:
		out["200"] = object{"description": "The answer.", "content": object{"application/json": object{"schema": d.schema(reflect.TypeOf(r.Answer))}}}
	default:
		out["200"] = object{"description": "The answer.", "content": object{r.MediaType: object{}}}
	}
	return out
}

// meanings says what the statuses of refusals mean.
func meanings() map[int]string {
	return map[int]string{
		http.StatusBadRequest:            "the request is wrong.",
		http.StatusForbidden:             "the user has not the access.",
		http.StatusNotFound:              "nothing has this name.",
		http.StatusConflict:              "the container is declared elsewhere.",
		http.StatusRequestEntityTooLarge: "the body is too large.",
		http.StatusInternalServerError:   "the change failed.",
		http.StatusServiceUnavailable:    "the agent starts, stops or has too many clients; try again.",
	}
}

// operationID is the method and the words of the path: getContainersProgress.
func operationID(r Route) string {
	id := strings.ToLower(r.Method)
	for _, word := range regexp.MustCompile(`[a-z]+`).FindAllString(strings.NewReplacer("/v1/", "", "{name}", "").Replace(r.Path), -1) {
		id += strings.ToUpper(word[:1]) + word[1:]
	}
	return id
}

// schema returns the schema of a type; of a struct it is a reference.
func (d document) schema(typ reflect.Type) object {
	d.Helper()
	switch {
	case typ == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case typ.Kind() == reflect.Pointer:
		return d.schema(typ.Elem())
	case typ.Kind() == reflect.Slice:
		return object{"type": "array", "items": d.schema(typ.Elem())}
	case typ.Kind() == reflect.Map && typ.Name() != "":
		d.schemas[typ.Name()] = object{"type": "object", "description": d.comment(typ.Name())}
		return object{"$ref": "#/components/schemas/" + typ.Name()}
	case typ.Kind() == reflect.Map:
		return object{"type": "object", "additionalProperties": d.schema(typ.Elem())}
	case typ.Kind() == reflect.Struct:
		if d.schemas[typ.Name()] == nil {
			d.schemas[typ.Name()] = object{} // ends a recursion
			d.schemas[typ.Name()] = d.object(typ)
		}
		return object{"$ref": "#/components/schemas/" + typ.Name()}
	case typ.Kind() == reflect.String:
		return object{"type": "string"}
	case typ.Kind() == reflect.Bool:
		return object{"type": "boolean"}
	case typ.Kind() == reflect.Float64:
		return object{"type": "number"}
	case typ.Kind() == reflect.Int, typ.Kind() == reflect.Int64, typ.Kind() == reflect.Uint64, typ.Kind() == reflect.Uint32:
		return object{"type": "integer"}
	}
	d.Fatalf("%s has no schema", typ)
	return nil
}

func (d document) object(typ reflect.Type) object {
	d.Helper()
	properties := object{}
	required := []string{}
	for field := range typ.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		property := d.schema(field.Type)
		property["description"] = d.comment(typ.Name() + "." + field.Name)
		if Private(field) {
			property["x-access"] = Changes
		} else if options == "" {
			required = append(required, name)
		}
		properties[name] = property
	}
	out := object{"type": "object", "description": d.comment(typ.Name()), "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

// comment returns the first sentences of a comment. A field without one shares that of
// the field before it.
func (d document) comment(name string) string { return d.comments[name] }

// comments reads the comments of the types in this package.
func comments(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			group, isGroup := n.(*ast.GenDecl)
			if !isGroup || group.Tok != token.TYPE {
				return true
			}
			for _, s := range group.Specs {
				spec, isType := s.(*ast.TypeSpec)
				if !isType {
					continue
				}
				found[spec.Name.Name] = plain(group.Doc)
				fields, isStruct := spec.Type.(*ast.StructType)
				if !isStruct {
					continue
				}
				last := ""
				for _, field := range fields.Fields.List {
					if field.Doc != nil {
						last = plain(field.Doc)
					}
					for _, name := range field.Names {
						found[spec.Name.Name+"."+name.Name] = last
					}
				}
			}
			return true
		})
	}
	return found
}

// plain returns a comment as one line, without the brackets of links.
func plain(doc *ast.CommentGroup) string {
	text := strings.Join(strings.Fields(doc.Text()), " ")
	return regexp.MustCompile(`\[([A-Za-z.]+)\]`).ReplaceAllString(text, "$1")
}
