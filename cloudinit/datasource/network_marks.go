package datasource

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// mark is a property of a host that identifies its platform. One of dmi, file
// and word is set.
type mark struct {
	// dmi is a field in /sys/class/dmi/id.
	dmi string
	// file is a file that exists and has the value. Any value does if is is "".
	file string
	// word is one on the kernel's command line.
	word string
	// is is the value, a pattern of path.Match. Case does not count.
	is string
	// vendors are the values of sys_vendor with which the mark counts, nil for
	// all.
	vendors []string
}

// detect returns the mark that shows that the host is on this platform.
func (p platform) detect(h *host) (string, bool) {
	for _, m := range p.marks {
		if how, ok := m.on(h); ok {
			return how, true
		}
	}
	return "", false
}

func (m mark) on(h *host) (how string, ok bool) {
	if m.vendors != nil && !slices.Contains(m.vendors, h.dmi("sys_vendor")) {
		return "", false
	}
	switch {
	case m.dmi != "":
		value := h.dmi(m.dmi)
		if m.dmi == "product_uuid" || m.dmi == "product_serial" {
			how = fmt.Sprintf("DMI %s %s", strings.ReplaceAll(m.dmi, "_", " "), m.is)
		} else {
			how = fmt.Sprintf("DMI %s %s", strings.ReplaceAll(m.dmi, "_", " "), value)
		}
		return how, m.matches(value)
	case m.word != "":
		line, _ := readFile(h.root, "/proc/cmdline")
		return "the kernel's command line", slices.Contains(splitArgs(string(line)), m.word)
	case m.is == "":
		return m.file, h.exists(m.file)
	default:
		value, _ := readFile(h.root, m.file)
		return m.file, m.matches(strings.TrimSpace(string(value)))
	}
}

func (m mark) matches(value string) bool {
	// A slash in the value is an ordinary character.
	clean := strings.NewReplacer("/", "_").Replace(strings.ToLower(value))
	ok, err := path.Match(strings.ToLower(m.is), clean)
	return err == nil && ok
}
