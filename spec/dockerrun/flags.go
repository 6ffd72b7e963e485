package dockerrun

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/docker/cli/opts"
	"github.com/spf13/pflag"
)

// text is a flag's value as it would be written.
func text(flags *pflag.FlagSet, name string) string { return flags.Lookup(name).Value.String() }

// isSet is the value of a flag that is true or false.
func isSet(flags *pflag.FlagSet, name string) bool { return text(flags, name) == "true" }

// set gives a flag a value that it takes.
func set(flags *pflag.FlagSet, name, value string) {
	if err := flags.Lookup(name).Value.Set(value); err != nil {
		panic(err)
	}
}

// reset gives flags the values that they have when nobody sets them.
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

// longNames writes the options of these names with two dashes where they have
// one, as old programs took them. It knows by the flags where the options end,
// and which arguments are values.
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

// valueFollows says whether the next argument is this one's value.
func valueFollows(flags *pflag.FlagSet, arg string) bool {
	if long, found := strings.CutPrefix(arg, "--"); found {
		flag := flags.Lookup(long)
		return flag != nil && flag.NoOptDefVal == ""
	}
	// Letters that take no value, and at most one that takes the rest of the
	// argument, or else the next one.
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
