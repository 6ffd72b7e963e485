package dockerrun

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/dockhost/dockhost/spec"
)

// Errors may quote names, addresses, ports and paths. They quote nothing else after
// a "=", because options of volumes and log drivers contain passwords, too.
func TestErrorsHideValues(t *testing.T) {
	quoted := []string{
		"add-host", "device", "env-file", "expose", "label-file", "mac-address", "name", "platform", "publish", "pull", "restart",
	}
	flags := newCommand(nil).Flags()
	addOwn(flags)
	flags.VisitAll(func(flag *pflag.Flag) {
		if slices.Contains(quoted, flag.Name) || strings.HasPrefix(flag.Name, "reload-") || flag.Name == "sdnotify" {
			return
		}
		for _, value := range []string{
			"=s3cret-canary", "A=s3cret-canary", "a=b,password=s3cret-canary", "type=volume,volume-opt=a=s3cret-canary,x=y",
		} {
			_, err := Parse([]string{"--" + flag.Name + "=" + value, "nginx"}, Options{})
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("Parse(--%s=%s) = %v, want an error without the value", flag.Name, value, err)
			}
		}
	})
	// A missing -e, or one that is read as a value.
	if _, err := Parse([]string{"--rm", "-p", "-e", "PASSWORD=s3cret-canary", "nginx"}, Options{}); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("Parse() with a variable for the image = %v, want an error without its value", err)
	}
}

// A pipe can be read only once: a second read would block or return nothing.
func TestEnvFileMayBeAPipe(t *testing.T) {
	parse := func(content string) (*spec.Container, error) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if _, err := w.WriteString(content); err != nil {
			t.Fatal(err)
		}
		w.Close()
		return Parse([]string{"--env-file", "/dev/fd/" + itoa(r.Fd()), "nginx"}, Options{})
	}
	if c, err := parse("A=1\n"); err != nil || !slices.Equal(c.Config.Env, []string{"A=1"}) {
		t.Errorf("Parse() with a pipe = %v, %v", c, err)
	}
	if _, err := parse("s3cret canary\n"); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("Parse() with a bad line in a pipe = %v, want an error without the line", err)
	}
}

func itoa(n uintptr) string { return strconv.FormatUint(uint64(n), 10) }
