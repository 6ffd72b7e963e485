package compose

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec"
)

// corpus holds one directory for each project: compose.yaml in the shape of a
// public one, and the files that it names. dockhost refuses the projects whose
// names begin with "refused-": the lines at fault end in "# refused", and the
// golden file refused.txt has the problems.
const (
	corpus         = "testdata/corpus"
	corpusFile     = "compose.yaml"
	corpusRefusals = "refused.txt"
)

// smallestCorpus is how many projects there are at least.
const smallestCorpus = 60

// parseCorpus has dockhost read the project in a directory, whose name is the
// project's unless the file says another one.
func parseCorpus(dir string) (*spec.Assignment, error) {
	text, err := os.ReadFile(filepath.Join(dir, corpusFile))
	if err != nil {
		return nil, err
	}
	node, err := document.Parse(corpusFile, text)
	if err != nil {
		return nil, err
	}
	return ParseFile(document.File(corpusFile), node, ProjectName(filepath.Base(dir)), Directory{Path: dir, Files: os.DirFS(dir)})
}

// loadCorpus has Compose read the same project, as docker compose does apart from
// the environment of the process.
func loadCorpus(dir string, profiles []string) (*types.Project, error) {
	options, err := cli.NewProjectOptions([]string{filepath.Join(dir, corpusFile)},
		cli.WithWorkingDirectory(dir), cli.WithEnvFiles(), cli.WithDotEnv, cli.WithProfiles(profiles))
	if err != nil {
		return nil, err
	}
	return options.LoadProject(context.Background())
}

// TestCorpus holds dockhost's reading of each project to Compose's.
func TestCorpus(t *testing.T) {
	entries, err := os.ReadDir(corpus)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) < smallestCorpus {
		t.Errorf("the corpus has %d projects, want %d", len(entries), smallestCorpus)
	}
	dotenv.RegisterFormat("raw", composeReadRaw)
	for _, entry := range entries {
		dir, err := filepath.Abs(filepath.Join(corpus, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		t.Run(entry.Name(), func(t *testing.T) {
			for _, finding := range judgeProject(t, dir) {
				t.Error(finding)
			}
		})
	}
}

// judgeProject returns what dockhost does with a project that it should not do:
// a line for each finding.
func judgeProject(t *testing.T, dir string) []string {
	t.Helper()
	assignment, err := parseCorpus(dir)
	if strings.HasPrefix(filepath.Base(dir), "refused-") {
		return judgeRefusal(t, dir, err)
	}
	project, loadErr := loadCorpus(dir, nil)
	if loadErr == nil {
		project, loadErr = loadCorpus(dir, corpusProfiles(project))
	}
	switch {
	case loadErr != nil:
		t.Fatalf("Compose does not take it: %v", loadErr)
	case err != nil:
		return refusalFindings(err)
	}
	return compareProject(project, assignment)
}

// judgeRefusal compares the problems of a project with the golden file, which is
// written with -update, and their lines with those that end in "# refused".
func judgeRefusal(t *testing.T, dir string, err error) []string {
	t.Helper()
	if err != nil {
		golden(t, filepath.Join(dir, corpusRefusals), strings.ReplaceAll(err.Error(), dir+"/", "")+"\n")
	}
	var problems document.Problems
	if err != nil && !errors.As(err, &problems) {
		return []string{"refused without a line: " + err.Error()}
	}
	text, err := os.ReadFile(filepath.Join(dir, corpusFile))
	if err != nil {
		t.Fatal(err)
	}
	var findings []string
	for i, line := range strings.Split(string(text), "\n") {
		findings = append(findings, judgeLine(i+1, line, problems)...)
	}
	return findings
}

// judgeLine expects one problem at a marked line, and none at another: a problem is
// reported once for each cause.
func judgeLine(number int, line string, problems document.Problems) []string {
	var here []string
	for _, problem := range problems {
		if filepath.Base(problem.File) == corpusFile && problem.Line == number {
			here = append(here, problem.Path+": "+problem.Message)
		}
	}
	marked := strings.HasSuffix(line, "# refused")
	switch {
	case marked && len(here) == 0:
		return []string{fmt.Sprintf("taken: %s:%d %s", corpusFile, number, strings.TrimSpace(line))}
	case !marked && len(here) > 0 || len(here) > 1:
		return []string{fmt.Sprintf("refused, too: %s:%d %s", corpusFile, number, strings.Join(here, "; "))}
	}
	return nil
}

// refusalFindings returns a finding for each problem.
func refusalFindings(err error) []string {
	var problems document.Problems
	if !errors.As(err, &problems) {
		return []string{"refused: " + err.Error()}
	}
	var findings []string
	for _, problem := range problems {
		findings = append(findings, fmt.Sprintf("refused: %s:%d %s: %s", problem.File, problem.Line, problem.Path, problem.Message))
	}
	return findings
}

// corpusProfiles returns what x-dockhost.profiles names.
func corpusProfiles(project *types.Project) []string {
	own, _ := project.Extensions["x-dockhost"].(map[string]any)
	list, _ := own["profiles"].([]any)
	var profiles []string
	for _, name := range list {
		profiles = append(profiles, fmt.Sprint(name))
	}
	return profiles
}

// compareProject returns the differences between a project as Compose reads it,
// and as dockhost does.
func compareProject(project *types.Project, assignment *spec.Assignment) []string {
	var findings []string
	want, got := composeServices(project), dockhostServices(assignment)
	if !slices.Equal(want, got) {
		return []string{fmt.Sprintf("services: Compose has %q, dockhost %q", want, got)}
	}
	for _, container := range assignment.Containers {
		want, got := composeFacts(project, container.Name), dockhostFacts(&container)
		forgetChosenNames(want, got)
		keys := maps.Clone(want)
		maps.Copy(keys, got)
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			if shown := [2]string{showFact(want[key]), showFact(got[key])}; shown[0] != shown[1] {
				findings = append(findings, fmt.Sprintf("services.%s.%s: Compose has %s, dockhost %s", container.Name, key, shown[0], shown[1]))
			}
		}
	}
	findings = append(findings, compareDeclared("volumes", composeVolumes(project), dockhostVolumes(assignment))...)
	return append(findings, compareDeclared("networks", composeNetworks(project), dockhostNetworks(assignment))...)
}

func compareDeclared(section string, want, got facts) []string {
	var findings []string
	keys := maps.Clone(want)
	maps.Copy(keys, got)
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		if shown := [2]string{showFact(want[name]), showFact(got[name])}; shown[0] != shown[1] {
			findings = append(findings, fmt.Sprintf("%s %q: Compose has %s, dockhost %s", section, name, shown[0], shown[1]))
		}
	}
	return findings
}

func composeServices(project *types.Project) []string {
	return slices.Sorted(maps.Keys(project.Services))
}

// dockhostServices returns the names of the units, which are the services' own.
func dockhostServices(assignment *spec.Assignment) []string {
	var names []string
	for _, container := range assignment.Containers {
		names = append(names, container.Name)
	}
	slices.Sort(names)
	return names
}
