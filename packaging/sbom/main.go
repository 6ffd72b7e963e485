// Command sbom prints the bill of materials of Go programs in CycloneDX's JSON.
// It reads the modules that Go's linker has recorded in the programs.
//
//	sbom NAME VERSION PROGRAM...
package main

import (
	"cmp"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) < 3 {
		return errors.New("which programs? (sbom NAME VERSION PROGRAM...)")
	}
	components := map[string]cdx.Component{}
	for _, program := range args[2:] {
		info, err := buildinfo.ReadFile(program)
		if err != nil {
			return fmt.Errorf("read %s: %w", program, err)
		}
		add(components, info)
	}
	return cdx.NewBOMEncoder(out, cdx.BOMFileFormatJSON).SetPretty(true).Encode(bom(args[0], args[1], components))
}

// add adds the modules of a program, and Go's standard library.
func add(components map[string]cdx.Component, info *debug.BuildInfo) {
	std := library("std", strings.TrimPrefix(info.GoVersion, "go"))
	components[std.BOMRef] = std
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		c := library(module.Path, module.Version)
		c.Properties = &[]cdx.Property{{Name: "go:sum", Value: module.Sum}}
		components[c.BOMRef] = c
	}
}

// library is a module, by its package URL:
// https://github.com/package-url/purl-spec.
func library(path, version string) cdx.Component {
	purl := "pkg:golang/" + path + "@" + version
	return cdx.Component{BOMRef: purl, Type: cdx.ComponentTypeLibrary, Name: path, Version: version, PackageURL: purl}
}

// bom has sorted components and no time, so that the same programs give the same
// bytes.
func bom(name, version string, components map[string]cdx.Component) *cdx.BOM {
	sorted := make([]cdx.Component, 0, len(components))
	for _, c := range components {
		sorted = append(sorted, c)
	}
	slices.SortFunc(sorted, func(a, b cdx.Component) int { return cmp.Compare(a.BOMRef, b.BOMRef) })
	b := cdx.NewBOM()
	b.Metadata = &cdx.Metadata{Component: &cdx.Component{
		BOMRef: "pkg:generic/" + name + "@" + version, Type: cdx.ComponentTypeApplication, Name: name, Version: version,
	}}
	b.Components = &sorted
	return b
}
