package docs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

const terraformDir = "packaging/examples/terraform"

// TestTerraform checks that the example is formatted as by `terraform fmt`, and
// that all names in it are declared. Terraform itself checks more: terraform
// validate.
func TestTerraform(t *testing.T) {
	name := terraformDir + "/main.tf"
	text := read(t, name)
	if diff := cmp.Diff(string(hclwrite.Format([]byte(text))), text); diff != "" {
		t.Errorf("%s (-formatted, +as it is):\n%s", name, diff)
	}
	declared, used := map[string]bool{}, map[string]bool{}
	for _, block := range terraform(t).Blocks {
		switch labels := strings.Join(block.Labels, "."); block.Type {
		case "variable":
			declared["var."+labels] = true
		case "resource":
			declared[labels] = true
		case "data":
			declared["data."+labels] = true
		case "locals":
			for local := range block.Body.Attributes {
				declared["local."+local] = true
			}
		case "terraform", "output":
		default:
			t.Errorf("%s: block %q", block.TypeRange, block.Type)
		}
		for _, traversal := range traversals(block.Body) {
			if len(traversal) > 1 && traversal.RootName() != "path" {
				used[referent(traversal)] = true
			}
		}
	}
	for name := range used {
		if !declared[name] {
			t.Errorf("%s is used, and not declared", name)
		}
	}
	for name := range declared {
		if strings.HasPrefix(name, "var.") && !used[name] {
			t.Errorf("%s is declared, and not used", name)
		}
	}
}

// TestTerraformUserData renders the user data of the example as Terraform does,
// and checks it.
func TestTerraformUserData(t *testing.T) {
	image := defaultOf(t, "image").AsString()
	registry, _, _ := strings.Cut(image, "/")
	name := terraformDir + "/user-data.tftpl"
	template, problems := hclsyntax.ParseTemplate([]byte(read(t, name)), name, hcl.InitialPos)
	if problems.HasErrors() {
		t.Fatal(problems)
	}
	text, problems := template.Value(&hcl.EvalContext{Variables: map[string]cty.Value{
		"image": cty.StringVal(image), "port": defaultOf(t, "port"), "registry": cty.StringVal(registry),
	}})
	if problems.HasErrors() {
		t.Fatal(problems)
	}
	renders(t, text.AsString())
}

// referent returns the name that a traversal refers to: var.NAME, TYPE.NAME,
// data.TYPE.NAME.
func referent(traversal hcl.Traversal) string {
	parts, want := []string{traversal.RootName()}, 2
	if parts[0] == "data" {
		want = 3
	}
	for _, step := range traversal[1:] {
		attribute, ok := step.(hcl.TraverseAttr)
		if !ok || len(parts) == want {
			break
		}
		parts = append(parts, attribute.Name)
	}
	return strings.Join(parts, ".")
}

// defaultOf returns the default of a variable.
func defaultOf(t *testing.T, variable string) cty.Value {
	t.Helper()
	for _, block := range terraform(t).Blocks {
		if block.Type == "variable" && block.Labels[0] == variable {
			value, problems := block.Body.Attributes["default"].Expr.Value(nil)
			if problems.HasErrors() {
				t.Fatal(problems)
			}
			return value
		}
	}
	t.Fatalf("%s has no variable %s", terraformDir, variable)
	return cty.NilVal
}

func terraform(t *testing.T) *hclsyntax.Body {
	t.Helper()
	files, err := os.ReadDir(filepath.Join(root, terraformDir))
	if err != nil || len(files) != 2 {
		t.Fatalf("%d files in %s, want main.tf and user-data.tftpl: %v", len(files), terraformDir, err)
	}
	parsed, problems := hclparse.NewParser().ParseHCLFile(filepath.Join(root, terraformDir, "main.tf"))
	if problems.HasErrors() {
		t.Fatal(problems)
	}
	body, ok := parsed.Body.(*hclsyntax.Body)
	if !ok {
		t.Fatal("main.tf is not in HCL's own syntax")
	}
	return body
}
