package dockerrun

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// The caller's flags may be among those of docker run. After the image they are
// arguments of the command.
func TestFlagsOfTheCaller(t *testing.T) {
	tests := []struct {
		args string
		want bool
	}{
		{"--name web --own -p 80:80 nginx", true},
		{"--own=false nginx", false},
		{"nginx --own", false},
	}
	for _, test := range tests {
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		own := flags.Bool("own", false, "")
		if _, err := Parse(strings.Fields(test.args), Options{Flags: flags}); err != nil || *own != test.want {
			t.Errorf("Parse(%q): own = %v, %v, want %v", test.args, *own, err, test.want)
		}
	}
	if _, err := Parse([]string{"--none", "nginx"}, Options{Program: "other run"}); err == nil || !strings.Contains(err.Error(), "(see: other run --help)") {
		t.Errorf("Parse() = %v, want the program named", err)
	}
}
