package dockerrun

import (
	"strings"

	"github.com/spf13/pflag"
)

// Help returns the output of `dockhost run --help`.
func Help() string {
	return `Run a container in the systemd unit that calls this command.

Usage: dockhost run [OPTIONS] IMAGE [COMMAND] [ARG...]

` + Usage()
}

// Usage lists the options that [Parse] accepts, those of dockhost first, except some.
func Usage(but ...string) string {
	var b strings.Builder
	ours, docker := optionSets(but)
	b.WriteString("Options of dockhost:\n")
	b.WriteString(ours.FlagUsages())
	b.WriteString("\nOptions of docker run (-d has no effect):\n")
	b.WriteString(docker.FlagUsages())
	return b.String()
}

// OptionNames returns the long options of [Usage], each with what it does.
func OptionNames(but ...string) map[string]string {
	names := map[string]string{}
	ours, docker := optionSets(but)
	for _, flags := range []*pflag.FlagSet{ours, docker} {
		flags.VisitAll(func(flag *pflag.Flag) {
			if !flag.Hidden {
				names["--"+flag.Name], _, _ = strings.Cut(flag.Usage, "\n")
			}
		})
	}
	return names
}

// optionSets returns the options of dockhost and of docker run. Those without effect, and
// some more, are hidden.
func optionSets(hidden []string) (ours, docker *pflag.FlagSet) {
	ours = pflag.NewFlagSet("", pflag.ContinueOnError)
	ours.SortFlags = false
	addOwn(ours)
	docker = newCommand(nil).Flags()
	docker.VisitAll(func(flag *pflag.Flag) {
		if _, windows := flag.Annotations["ostype"]; windows {
			flag.Hidden = true
		}
	})
	hidden = append([]string{
		"help", "detach", "detach-keys", "quiet", "isolation",
		"cgroup-parent", "use-api-socket", "disable-content-trust",
	}, hidden...)
	for _, name := range hidden {
		for _, flags := range []*pflag.FlagSet{ours, docker} {
			if flag := flags.Lookup(name); flag != nil {
				flag.Hidden = true
			}
		}
	}
	return ours, docker
}
