package compose

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/dockhost/dockhost/internal/document"
)

// settingsText has the settings of the sections Unit and Service in systemd 257, as
// `/usr/lib/systemd/systemd --dump-configuration-items` prints them, which have those of
// systemd 252, too: "Unit.After". systemd ignores a setting that it does not know.
//
//go:embed settings.txt
var settingsText string

// settingNames returns the names of the settings of a section.
var settingNames = sync.OnceValue(func() map[string][]string { //nolint:gochecknoglobals // a table that is made once
	names := map[string][]string{}
	for line := range strings.FieldsSeq(settingsText) {
		section, name, _ := strings.Cut(line, ".")
		names[section] = append(names[section], name)
	}
	return names
})

// warnUnknown warns of a setting that systemd may not know: a newer systemd may.
func (d *declaration) warnUnknown(at spot, section, key string) {
	known := settingNames()[section]
	if slices.Contains(known, key) {
		return
	}
	cure := ""
	if name := document.Nearest(key, known); name != "" {
		cure = fmt.Sprintf(" (did you mean %s?)", name)
	}
	for other, names := range settingNames() {
		if slices.Contains(names, key) {
			cure = fmt.Sprintf(" (it belongs to [%s])", other)
		}
	}
	d.sources.warnings = append(d.sources.warnings, fmt.Sprintf("%s: systemd 257 does not know this setting in [%s], and ignores it%s", at.Path, section, cure))
}
