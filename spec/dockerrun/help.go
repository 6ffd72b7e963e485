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

// Usage lists the options that [Parse] accepts, those of dockhost first.
func Usage() string {
	var b strings.Builder
	b.WriteString("Options of dockhost:\n")
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.SortFlags = false
	addOwn(flags)
	b.WriteString(flags.FlagUsages())
	b.WriteString(`
Options of docker run (-d has no effect):
`)
	docker := newCommand(nil).Flags()
	docker.VisitAll(func(flag *pflag.Flag) {
		if _, windows := flag.Annotations["ostype"]; windows {
			flag.Hidden = true
		}
	})
	for _, name := range []string{
		"help", "detach", "detach-keys", "quiet", "isolation",
		"cgroup-parent", "use-api-socket", "disable-content-trust",
	} {
		docker.Lookup(name).Hidden = true
	}
	b.WriteString(docker.FlagUsages())
	return b.String()
}
