package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLifecycle holds the table in docs/architecture.md to the supervisor's
// state machine: which event leads where from which phases.
func TestLifecycle(t *testing.T) {
	documented := map[string]string{}
	for _, row := range table(t, "docs/architecture.md", "lifecycle") {
		documented[row[0]+" in "+row[1]] = row[2]
	}
	if diff := cmp.Diff(transitions(t), documented); diff != "" {
		t.Errorf("transitions (-supervisor/lifecycle.go, +docs/architecture.md):\n%s", diff)
	}
}

// transitions maps "EVENT in PHASE, PHASE" to the phase that it leads to.
func transitions(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "supervisor/lifecycle.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, declaration := range file.Decls {
		method, isFunc := declaration.(*ast.FuncDecl)
		if !isFunc || method.Recv == nil {
			continue
		}
		ast.Inspect(method.Body, func(n ast.Node) bool {
			clause, isCase := n.(*ast.CaseClause)
			if !isCase || len(clause.Body) == 0 {
				return true
			}
			if to := phases(arguments(clause.Body[0], "transition")); to != "" {
				found[method.Name.Name+" in "+phases(clause.List)] = to
			}
			return true
		})
	}
	if len(slices.Collect(maps.Keys(found))) < 5 {
		t.Fatalf("found %d transitions in supervisor/lifecycle.go", len(found))
	}
	return found
}

// arguments returns those of a call of a method called name, or nil.
func arguments(statement ast.Stmt, name string) []ast.Expr {
	expression, isExpression := statement.(*ast.ExprStmt)
	if !isExpression {
		return nil
	}
	call, isCall := expression.X.(*ast.CallExpr)
	if !isCall {
		return nil
	}
	if method, isMethod := call.Fun.(*ast.SelectorExpr); !isMethod || method.Sel.Name != name {
		return nil
	}
	return call.Args
}

// phases returns the names of phases as people write them.
func phases(expressions []ast.Expr) string {
	var names []string
	for _, expression := range expressions {
		if name, isName := expression.(*ast.Ident); isName {
			names = append(names, strings.ToLower(strings.TrimPrefix(name.Name, "phase")))
		}
	}
	return strings.Join(names, ", ")
}
