package dockerrun

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/docker/cli/opts"
	"github.com/docker/cli/pkg/kvfile"
	"github.com/spf13/pflag"
)

// describe returns pflag's message for arguments that it could not parse, without
// the text after a "=", which may be a secret.
func describe(err error) string {
	invalid := (*pflag.InvalidValueError)(nil)
	if !errors.As(err, &invalid) {
		return hide(err.Error())
	}
	text := err.Error()
	for field := range strings.SplitSeq(invalid.GetValue(), ",") {
		if _, value, found := strings.Cut(field, "="); found && value != "" {
			text = strings.ReplaceAll(text, "="+value, "=...")
			// The message may quote the argument like Go.
			quoted := fmt.Sprintf("%q", value)
			text = strings.ReplaceAll(text, "="+quoted[1:len(quoted)-1], "=...")
		}
	}
	return text
}

// hide cuts off the text after a "=".
func hide(text string) string {
	if name, _, found := strings.Cut(text, "="); found {
		return name + "=..."
	}
	return text
}

// explain returns docker run's message about flags that it cannot use or combine,
// without its hint to its own help.
func explain(err error, flags *pflag.FlagSet) error {
	if err := badFiles(flags); err != nil {
		return err
	}
	text, _, _ := strings.Cut(err.Error(), "\n\nRun 'docker ")
	text = strings.TrimPrefix(text, "docker: ")
	if strings.HasPrefix(text, "invalid env file") {
		// The rest of the message quotes a line of the file.
		return errors.New("--env-file, --label-file: " + noPair)
	}
	return errors.New(text)
}

const noPair = "want lines of NAME=VALUE in UTF-8, without white space in the name"

// badFiles returns the problems of the files in --env-file and --label-file.
// docker/cli's own messages would quote their lines.
func badFiles(flags *pflag.FlagSet) error {
	var problems []error
	for _, name := range []string{"env-file", "label-file"} {
		for _, path := range flags.Lookup(name).Value.(*opts.ListOpts).GetSlice() {
			if line := badLine(path); line > 0 {
				problems = append(problems, fmt.Errorf("--%s: %s:%d: %s", name, path, line, noPair))
			}
		}
	}
	return errors.Join(problems...)
}

// badLine returns the number of the first line that docker/cli refuses. It returns
// 0 if there is no such line, or if the file is a pipe, which cannot be read
// twice.
func badLine(path string) int {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return 0
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	number := 0
	for line := range strings.Lines(string(raw)) {
		number++
		if _, err := kvfile.ParseFromReader(strings.NewReader(line), nil); err != nil {
			return number
		}
	}
	return 0
}
