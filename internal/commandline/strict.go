// Package commandline makes programs refuse every word that they do not know.
package commandline

import (
	"fmt"

	"github.com/spf13/cobra"
)

// Strict makes the commands below root that cobra adds, and those that only have
// commands of their own, refuse unknown words. Cobra prints their help instead and
// reports success, so that a script with a typing error would not notice.
func Strict(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, command := range root.Commands() {
		switch {
		case command.Name() == "help":
			refuseUnknownTopic(command)
		case command.HasSubCommands() && !command.Runnable():
			command.Args = cobra.NoArgs
			command.RunE = func(command *cobra.Command, _ []string) error { return command.Help() }
		}
	}
}

// refuseUnknownTopic makes the command help refuse a topic that does not exist.
func refuseUnknownTopic(help *cobra.Command) {
	show := help.Run
	help.Run = nil
	help.RunE = func(help *cobra.Command, topic []string) error {
		root := help.Root()
		if command, rest, err := root.Find(topic); err != nil || len(rest) > 0 && command.HasSubCommands() {
			return fmt.Errorf("no help about %q (see: %s --help)", topic, root.CommandPath())
		}
		show(help, topic)
		return nil
	}
}
