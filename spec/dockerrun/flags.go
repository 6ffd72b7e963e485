package dockerrun

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/docker/cli/opts"
	"github.com/spf13/pflag"
)

// text returns a flag's value as a string.
func text(flags *pflag.FlagSet, name string) string { return flags.Lookup(name).Value.String() }

// isSet returns the value of a boolean flag.
func isSet(flags *pflag.FlagSet, name string) bool { return text(flags, name) == "true" }

// set sets a flag to a valid value.
func set(flags *pflag.FlagSet, name, value string) {
	if err := flags.Lookup(name).Value.Set(value); err != nil {
		panic(err)
	}
}

// reset sets flags to their defaults.
func reset(flags *pflag.FlagSet, names ...string) {
	for _, name := range names {
		flag := flags.Lookup(name)
		if list, ok := flag.Value.(*opts.ListOpts); ok {
			*list = opts.NewListOpts(nil)
			continue
		}
		set(flags, name, flag.DefValue)
	}
}

// longNames replaces "-NAME" by "--NAME" for these names; old programs accepted
// both. It uses the flags to find where the options end and which arguments are
// values.
func longNames(flags *pflag.FlagSet, args []string, names ...string) []string {
	fixed := slices.Clone(args)
	for i := 0; i < len(fixed); i++ {
		arg := fixed[i]
		if len(arg) < 2 || arg[0] != '-' || arg == "--" {
			break
		}
		if name, _, _ := strings.Cut(arg[1:], "="); slices.Contains(names, name) {
			arg = "-" + arg
			fixed[i] = arg
		}
		if valueFollows(flags, arg) {
			i++
		}
	}
	return fixed
}

// valueFollows reports whether the next argument is the value of this one.
func valueFollows(flags *pflag.FlagSet, arg string) bool {
	if long, found := strings.CutPrefix(arg, "--"); found {
		flag := flags.Lookup(long)
		return flag != nil && flag.NoOptDefVal == ""
	}
	// Letters without values, then at most one letter with a value: the rest of
	// this argument, or the next argument.
	for i := 1; i < len(arg); i++ {
		if arg[i] >= utf8.RuneSelf {
			return false
		}
		flag := flags.ShorthandLookup(arg[i : i+1])
		if flag == nil {
			return false
		}
		if flag.NoOptDefVal == "" {
			return i == len(arg)-1
		}
	}
	return false
}
