package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
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

// transitions maps "EVENT in PHASE, PHASE" to the phase that follows. It reads
// the table that function rules returns, and leaves out the events that change
// nothing.
func transitions(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "supervisor/lifecycle.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		rule, isLiteral := n.(*ast.CompositeLit)
		if !isLiteral || len(rule.Elts) != 3 {
			return true
		}
		in, isList := rule.Elts[1].(*ast.CompositeLit)
		if event := constants("event", rule.Elts[0]); isList && event != "" {
			if to := constants("phase", rule.Elts[2]); to != "" {
				rows[event+" in "+constants("phase", in.Elts...)] = to
			}
			return false
		}
		return true
	})
	if len(rows) < 5 {
		t.Fatalf("found %d transitions in supervisor/lifecycle.go", len(rows))
	}
	return rows
}

// constants returns the names of constants with a prefix as the document writes
// them: eventEngineAnswered is engineAnswered.
func constants(prefix string, expressions ...ast.Expr) string {
	var names []string
	for _, expression := range expressions {
		constant, isName := expression.(*ast.Ident)
		if !isName {
			continue
		}
		if name, found := strings.CutPrefix(constant.Name, prefix); found && name != "" {
			names = append(names, strings.ToLower(name[:1])+name[1:])
		}
	}
	return strings.Join(names, ", ")
}
