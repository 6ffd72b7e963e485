package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

const packerDir = "packaging/packer"

// packerTemplates is the content of all templates in a directory, which Packer
// reads as one.
type packerTemplates struct {
	variables, locals, used map[string]bool
	// sources are "type.name"; plugins are the required plugins.
	sources, built, plugins []string
	// files are uploaded to the machine; their paths are relative to the directory.
	files []string
}

// TestPackerTemplates checks that the templates are HCL and that all names in them
// are declared. Packer itself checks more: packer validate.
func TestPackerTemplates(t *testing.T) {
	p := readPacker(t)
	if len(p.sources) != 4 {
		t.Errorf("sources = %v, want four", p.sources)
	}
	slices.Sort(p.sources)
	slices.Sort(p.built)
	if !slices.Equal(p.sources, p.built) {
		t.Errorf("builds are of %v, sources are %v", p.built, p.sources)
	}
	for _, source := range p.sources {
		plugin, _, _ := strings.Cut(source, "-")
		plugin, _, _ = strings.Cut(plugin, ".")
		if !slices.Contains(p.plugins, plugin) {
			t.Errorf("%s: plugin %s is not required", source, plugin)
		}
	}
	for name := range p.used {
		kind, name, _ := strings.Cut(name, ".")
		if kind == "var" && !p.variables[name] || kind == "local" && !p.locals[name] {
			t.Errorf("%s.%s is used, and not declared", kind, name)
		}
	}
	for name := range p.variables {
		if !p.used["var."+name] {
			t.Errorf("variable %s is declared, and not used", name)
		}
	}
	for name := range p.locals {
		if !p.used["local."+name] {
			t.Errorf("local %s is declared, and not used", name)
		}
	}
	if !slices.Contains(p.files, "../bake") {
		t.Errorf("uploaded files: %v, want ../bake among them", p.files)
	}
	for _, file := range p.files {
		if _, err := os.Stat(filepath.Join(root, packerDir, file)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

var (
	bakeOption  = regexp.MustCompile(`(?m)^#   (--[a-z-]+) `)
	givenOption = regexp.MustCompile("[\"`](--[a-z-]+)")
)

// TestBakeOptions checks that the templates and the page use only options of
// packaging/bake, and that the page lists all of them.
func TestBakeOptions(t *testing.T) {
	options := names(bakeOption, read(t, "packaging/bake"))
	if len(options) == 0 {
		t.Fatal("packaging/bake names no options")
	}
	const page = "docs/images.md"
	for _, name := range []string{packerDir + "/build.pkr.hcl", page} {
		for option := range names(givenOption, read(t, name)) {
			if !options[option] {
				t.Errorf("%s uses %s, but packaging/bake has no such option", name, option)
			}
		}
	}
	documented := names(givenOption, read(t, page))
	for option := range options {
		if !documented[option] {
			t.Errorf("%s lacks packaging/bake's option %s", page, option)
		}
	}
}

func readPacker(t *testing.T) *packerTemplates {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, packerDir, "*.pkr.hcl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no templates in %s: %v", packerDir, err)
	}
	p := &packerTemplates{variables: map[string]bool{}, locals: map[string]bool{}, used: map[string]bool{}}
	for _, file := range files {
		parsed, problems := hclparse.NewParser().ParseHCLFile(file)
		if problems.HasErrors() {
			t.Fatal(problems)
		}
		body, ok := parsed.Body.(*hclsyntax.Body)
		if !ok {
			t.Fatalf("%s is not in HCL's own syntax", file)
		}
		for _, block := range body.Blocks {
			p.take(t, block)
		}
	}
	return p
}

func (p *packerTemplates) take(t *testing.T, block *hclsyntax.Block) {
	t.Helper()
	switch block.Type {
	case "packer":
		for _, inner := range block.Body.Blocks {
			for name := range inner.Body.Attributes {
				p.plugins = append(p.plugins, name)
			}
		}
	case "variable":
		p.variables[block.Labels[0]] = true
	case "locals":
		for name := range block.Body.Attributes {
			p.locals[name] = true
		}
	case "source":
		p.sources = append(p.sources, strings.Join(block.Labels, "."))
	case "build":
		p.takeBuild(t, block)
	default:
		t.Errorf("%s: block %q", block.TypeRange, block.Type)
	}
	for _, traversal := range traversals(block.Body) {
		if attribute, ok := traversal[min(1, len(traversal)-1)].(hcl.TraverseAttr); ok {
			p.used[traversal.RootName()+"."+attribute.Name] = true
		}
	}
}

func (p *packerTemplates) takeBuild(t *testing.T, block *hclsyntax.Block) {
	t.Helper()
	sources, problems := block.Body.Attributes["sources"].Expr.Value(nil)
	if problems.HasErrors() {
		t.Fatal(problems)
	}
	for _, source := range sources.AsValueSlice() {
		name, ok := strings.CutPrefix(source.AsString(), "source.")
		if !ok {
			t.Errorf("build of %s, want source.TYPE.NAME", source.AsString())
		}
		p.built = append(p.built, name)
	}
	for _, inner := range block.Body.Blocks {
		source := inner.Body.Attributes["source"]
		if source == nil {
			continue
		}
		if template, ok := source.Expr.(*hclsyntax.TemplateExpr); ok {
			tail, _ := template.Parts[len(template.Parts)-1].Value(nil)
			p.files = append(p.files, strings.TrimPrefix(tail.AsString(), "/"))
		}
	}
}

// traversals returns all names in a body, at any depth.
func traversals(body *hclsyntax.Body) []hcl.Traversal {
	var all []hcl.Traversal
	for _, attribute := range body.Attributes {
		all = append(all, attribute.Expr.Variables()...)
	}
	for _, block := range body.Blocks {
		all = append(all, traversals(block.Body)...)
	}
	return all
}
