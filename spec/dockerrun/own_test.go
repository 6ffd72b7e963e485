package dockerrun

import (
	"errors"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// A new version of docker/cli may have an option with the name of one of ours.
func TestOwnOptionsDoNotClashWithDockers(t *testing.T) {
	docker := newCommand(nil).Flags()
	mine := pflag.NewFlagSet("", pflag.ContinueOnError)
	addOwn(mine)
	mine.VisitAll(func(flag *pflag.Flag) {
		if docker.Lookup(flag.Name) != nil {
			t.Errorf("docker run also has --%s: rename ours", flag.Name)
		}
		if flag.Shorthand != "" {
			t.Errorf("--%s has the short form -%s: leave short forms to docker run", flag.Name, flag.Shorthand)
		}
	})
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"--rm", "--help"}} {
		if _, err := Parse(args, Options{}); !errors.Is(err, ErrHelp) {
			t.Errorf("Parse(%q) = %v, want ErrHelp", args, err)
		}
	}
	help := Help()
	for _, want := range []string{"--sdnotify MODE", "--pid-file FILE", "-p, --publish list", "--rm "} {
		if !strings.Contains(help, want) {
			t.Errorf("Help() lacks %q", want)
		}
	}
	for _, refused := range []string{"--cgroup-parent", "--use-api-socket", "--cpu-count", "--detach"} {
		if strings.Contains(help, refused+" ") {
			t.Errorf("Help() offers %s", refused)
		}
	}
}
