package datasource

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// host reads what identifies this host without a request: DMI, the kernel's
// command line and the labels of disks, below a root. Each is read once, when it
// is first needed.
type host struct {
	root string
	// fields are those of DMI that were read.
	fields map[string]string
	// args are the words of the kernel's command line, nil before it was read.
	args []string
	// discs are the small file systems, nil before they were looked for.
	discs []*disc
}

func newHost(root string) *host {
	return &host{root: root, fields: make(map[string]string)}
}

// dmi returns a field of DMI by its name in /sys/class/dmi/id, "product_name",
// trimmed, and "" where the host has none.
func (h *host) dmi(field string) string {
	value, ok := h.fields[field]
	if !ok {
		value = h.line(filepath.Join("/sys/class/dmi/id", field))
		if strings.IndexFunc(value, func(r rune) bool { return r != utf8.RuneError }) < 0 { // bytes 0xff: not set
			value = ""
		}
		h.fields[field] = value
	}
	return value
}

// uuid returns the machine's UUID from DMI, or the fallback, in lower case.
func (h *host) uuid(fallback string) string {
	if uuid := h.dmi("product_uuid"); uuid != "" {
		return strings.ToLower(uuid)
	}
	return strings.ToLower(fallback)
}

// line returns the text of a file of one line, trimmed, or "" if it is missing.
func (h *host) line(path string) string {
	raw, err := readFile(h.root, path)
	if err != nil {
		return ""
	}
	return strings.TrimFunc(string(raw), func(r rune) bool { return unicode.IsSpace(r) || r == 0 })
}

// kernelArg returns the value of the last word NAME=VALUE of the kernel's
// command line, and whether there is one.
func (h *host) kernelArg(name string) (string, bool) {
	if h.args == nil {
		h.args = splitArgs(h.line("/proc/cmdline"))
	}
	for _, arg := range slices.Backward(h.args) {
		if value, ok := strings.CutPrefix(arg, name+"="); ok {
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

// osRelease returns the variables of os-release(5).
func (h *host) osRelease() map[string]string {
	raw, err := readFile(h.root, "/etc/os-release")
	if err != nil {
		raw, _ = readFile(h.root, "/usr/lib/os-release")
	}
	variables := make(map[string]string)
	for line := range strings.Lines(string(raw)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			variables[name] = strings.Trim(value, `"'`)
		}
	}
	return variables
}

func (h *host) exists(path string) bool {
	_, err := os.Stat(filepath.Join(h.root, path))
	return err == nil
}
