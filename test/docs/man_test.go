package docs

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestManual compares the manual pages with --help of the programs: the same
// commands, each with the same flags.
func TestManual(t *testing.T) {
	program := buildProgram(t)
	for name, file := range map[string]string{"dockhost": "dockhost.8", "dockhostctl": "dockhostctl.1"} {
		t.Run(name, func(t *testing.T) {
			ask := func(args ...string) help {
				t.Helper()
				cmd := exec.CommandContext(t.Context(), program, append(args, "--help")...)
				cmd.Args[0] = name
				out, err := cmd.Output()
				if err != nil {
					t.Fatalf("%s %s --help: %v", name, strings.Join(args, " "), err)
				}
				return parseHelp(string(out))
			}
			page := parseManual(read(t, "docs/man/"+file), name)
			top := ask()
			if diff := cmp.Diff(top.flags, page.options); diff != "" {
				t.Errorf("options (-program, +manual):\n%s", diff)
			}
			if diff := cmp.Diff(top.commands, page.commands()); diff != "" {
				t.Errorf("commands (-program, +manual):\n%s", diff)
			}
			for _, command := range top.commands {
				if diff := cmp.Diff(flagsOf(ask, command), page.flags[command]); diff != "" {
					t.Errorf("flags of %s %s (-program, +manual):\n%s", name, command, diff)
				}
				if !slices.Contains(page.synopsis, command) {
					t.Errorf("the synopsis of %s lacks %s", name, command)
				}
			}
		})
	}
}

// buildProgram builds the program dockhost, and returns its path.
func buildProgram(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "dockhost")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", program, root).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	return program
}

var (
	helpStatus   = regexp.MustCompile(`(?m)^  (\d+) +(.*)$`)
	manualStatus = regexp.MustCompile(`(?m)^\.It (\d+)\n((?:[^.].*\n)+)`)
)

// TestExitStatuses compares the table of exit statuses in dockhostctl(1) with that in
// --help.
func TestExitStatuses(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), buildProgram(t), "--help")
	cmd.Args[0] = "dockhostctl"
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("dockhostctl --help: %v", err)
	}
	_, help, _ := strings.Cut(string(out), "\nExit status:\n")
	_, page, _ := strings.Cut(read(t, "docs/man/dockhostctl.1"), ".Sh EXIT STATUS\n")
	page, _, _ = strings.Cut(page, ".El\n")
	want, got := statuses(helpStatus, help), statuses(manualStatus, page)
	if len(want) < 8 {
		t.Errorf("--help has %d exit statuses, want at least 8", len(want))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("exit statuses (-program, +manual):\n%s", diff)
	}
}

// statuses maps each exit status of a table to what it means.
func statuses(row *regexp.Regexp, table string) map[string]string {
	meanings := map[string]string{}
	for _, m := range row.FindAllStringSubmatch(table, -1) {
		meanings[m[1]] = strings.Join(strings.Fields(m[2]), " ")
	}
	return meanings
}

// help is the output of a program with --help.
type help struct {
	commands, flags []string
}

var (
	commandLine = regexp.MustCompile(`(?m)^  ([a-z-]+)  `)
	flagLine    = regexp.MustCompile(`(?m)^ +(?:-[a-z], )?--([a-z-]+)`)
)

func parseHelp(text string) help {
	h := help{flags: []string{}}
	head, flags, found := strings.Cut(text, "\nFlags:\n")
	if !found {
		// The flags of docker run follow; they are in docker-run(1).
		head, flags, _ = strings.Cut(text, "\nOptions of dockhost:\n")
		flags, _, _ = strings.Cut(flags, "\n\n")
	}
	if _, commands, found := strings.Cut(head, "Available Commands:\n"); found {
		for _, m := range commandLine.FindAllStringSubmatch(commands, -1) {
			if m[1] != "help" {
				h.commands = append(h.commands, m[1])
			}
		}
	}
	for _, m := range flagLine.FindAllStringSubmatch(flags, -1) {
		h.flags = append(h.flags, m[1])
	}
	slices.Sort(h.flags)
	return h
}

// flagsOf returns the flags of a command and of its subcommands, sorted, without
// --help.
func flagsOf(ask func(...string) help, command ...string) []string {
	h := ask(command...)
	flags := slices.DeleteFunc(h.flags, func(flag string) bool { return flag == "help" })
	for _, below := range h.commands {
		flags = append(flags, flagsOf(ask, append(slices.Clone(command), below)...)...)
	}
	slices.Sort(flags)
	return slices.Compact(flags)
}

// manual is the content of a manual page of a program.
type manual struct {
	synopsis, options []string
	// flags maps each command to its flags.
	flags map[string][]string
}

func (m manual) commands() []string {
	var names []string
	for name := range m.flags {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

var (
	section  = regexp.MustCompile(`(?m)^\.S[hs] `)
	item     = regexp.MustCompile(`(?m)^\.It (?:Fl [a-z] , )?Fl -([a-z-]+)(?: Ns = Ns .*| Ar .*)?$`)
	synopsis = regexp.MustCompile(`(?m)^\.Cm ([a-z-]+)$`)
)

func parseManual(text, program string) manual {
	m := manual{flags: map[string][]string{}}
	for _, part := range section.Split(text, -1) {
		name, body, _ := strings.Cut(part, "\n")
		flags := []string{}
		for _, m := range item.FindAllStringSubmatch(body, -1) {
			flags = append(flags, m[1])
		}
		slices.Sort(flags)
		command, isCommand := strings.CutPrefix(name, program+" ")
		switch {
		case isCommand:
			command, _, _ = strings.Cut(command, " ")
			m.flags[command] = flags
		case name == "OPTIONS":
			m.options = flags
		case name == "SYNOPSIS":
			for _, found := range synopsis.FindAllStringSubmatch(body, -1) {
				m.synopsis = append(m.synopsis, found[1])
			}
		}
	}
	return m
}

// TestManualFormat checks the manual pages with mandoc, if it is installed.
func TestManualFormat(t *testing.T) {
	mandoc, err := exec.LookPath("mandoc")
	if err != nil {
		t.Skip("no mandoc (install it with: apt-get install mandoc)")
	}
	pages, err := filepath.Glob(filepath.Join(root, "docs/man/*.[0-9]"))
	if err != nil || len(pages) < 3 {
		t.Fatalf("found %d manual pages: %v", len(pages), err)
	}
	for _, page := range pages {
		if out, err := exec.CommandContext(t.Context(), mandoc, "-Tlint", "-W", "warning", page).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v: %s", page, err, out)
		}
	}
}
