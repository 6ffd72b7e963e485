package ctl

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// otherWords are commands of other programs, with what does the same here.
func otherWords() map[string]string {
	const run = "dockhostctl run, or dockhostctl apply FILE for a Compose file"
	return map[string]string{
		"inspect":   "dockhostctl status NAME, or dockhostctl status --json",
		"show":      "dockhostctl status NAME",
		"info":      "dockhostctl status",
		"ls":        "dockhostctl status",
		"stats":     "dockhostctl top",
		"up":        run,
		"create":    run,
		"deploy":    run,
		"down":      "dockhostctl stop NAME, or dockhostctl rm NAME",
		"kill":      "dockhostctl stop NAME",
		"halt":      "dockhostctl stop NAME",
		"remove":    "dockhostctl rm NAME",
		"delete":    "dockhostctl rm NAME",
		"upgrade":   "dockhostctl update NAME",
		"journal":   "dockhostctl logs NAME",
		"log":       "dockhostctl logs NAME",
		"attach":    "dockhostctl logs -f NAME",
		"shell":     "dockhostctl exec NAME sh",
		"sh":        "dockhostctl exec NAME sh",
		"enter":     "dockhostctl exec NAME sh",
		"edit":      "systemctl edit dockhost@NAME",
		"enable":    "dockhostctl start NAME",
		"disable":   "dockhostctl stop NAME",
		"pause":     "dockhostctl hold NAME to stop updates, or docker pause NAME",
		"unpause":   "dockhostctl unhold NAME to continue updates, or docker unpause NAME",
		"prune":     "dockhostctl gc",
		"images":    "dockhostctl gc --dry-run",
		"login":     "docker login as root, or registries: in the user data",
		"setup":     "dockhost setup",
		"agent":     "systemctl start dockhost",
		"settings":  "dockhostctl config",
		"configure": "dockhostctl config",
	}
}

// checkWord says which command someone means who typed an unknown word.
func checkWord(root *cobra.Command, args []string) error {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") || strings.HasPrefix(args[0], "_") {
		return nil
	}
	word := args[0]
	isCommand := func(c *cobra.Command) bool { return c.Name() == word || c.HasAlias(word) }
	if slices.ContainsFunc(root.Commands(), isCommand) {
		return nil
	}
	if other, known := otherWords()[word]; known {
		return fmt.Errorf("there is no command %q; use %s", word, other)
	}
	text := fmt.Sprintf("unknown command %q for %q", word, root.CommandPath())
	if near := similar(root, word); len(near) > 0 {
		return fmt.Errorf("%s (did you mean %s?)", text, strings.Join(near, " or "))
	}
	return errors.New(text + " (see: dockhostctl --help)")
}

// similar returns the names and aliases of commands that someone may mean with a word.
func similar(root *cobra.Command, word string) []string {
	names := &cobra.Command{SuggestionsMinimumDistance: 2} // cobra does not compare aliases
	for _, command := range root.Commands() {
		for _, name := range append([]string{command.Name()}, command.Aliases...) {
			names.AddCommand(&cobra.Command{Use: name, Run: func(*cobra.Command, []string) {}, Hidden: command.Hidden})
		}
	}
	return names.SuggestionsFor(word)
}
