package datasource

import (
	"os"
	"path/filepath"
	"strings"
	"unicode"
)

// host is what this host says of itself without a request to anybody: DMI and
// the kernel's command line, below a root. Everything is read when it is first
// asked for, and once.
type host struct {
	root string
	// fields are those of DMI that were read.
	fields map[string]string
	// args are the words of the kernel's command line, nil before it was read.
	args []string
}

func newHost(root string) *host {
	return &host{root: root, fields: make(map[string]string)}
}

// dmi returns a field of DMI by its name in /sys/class/dmi/id, "product_name",
// trimmed, and "" where the host has none.
func (h *host) dmi(field string) string {
	if value, ok := h.fields[field]; ok {
		return value
	}
	value := ""
	if raw, err := readFile(h.root, filepath.Join("/sys/class/dmi/id", field)); err == nil {
		value = strings.TrimFunc(string(raw), func(r rune) bool { return unicode.IsSpace(r) || r == 0 })
	}
	h.fields[field] = value
	return value
}

// kernelArg returns the value of the last word NAME=VALUE of the kernel's
// command line, and whether there is one.
func (h *host) kernelArg(name string) (string, bool) {
	if h.args == nil {
		raw, _ := readFile(h.root, "/proc/cmdline")
		h.args = splitArgs(string(raw))
	}
	for i := len(h.args) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(h.args[i], name+"="); ok {
			return value, true
		}
	}
	return "", false
}

// splitArgs splits the kernel's command line at white space; double quotes
// keep it, as they do for the kernel (lib/cmdline.c, next_arg).
func splitArgs(line string) []string {
	quoted := false
	words := strings.FieldsFunc(line, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return !quoted && unicode.IsSpace(r)
	})
	args := make([]string, 0, len(words))
	for _, word := range words {
		args = append(args, strings.ReplaceAll(word, `"`, ""))
	}
	return args
}

func (h *host) exists(path string) bool {
	_, err := os.Stat(filepath.Join(h.root, path))
	return err == nil
}
