package dropin

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
	"unicode"

	"github.com/dockhost/dockhost/spec"
)

// section is the text of a section of a unit file, and what is wrong with it. A value
// must not end its line: what follows would be another setting, with root's rights.
type section struct {
	text strings.Builder
	errs []error
}

// settingName matches the names of all settings of systemd.
var settingName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]*$`)

// set adds a setting whose value comes from a declaration.
func (s *section) set(key, value string) {
	if !settingName.MatchString(key) {
		s.errs = append(s.errs, fmt.Errorf("cannot use %q as the name of a setting: use letters and digits", key))
		return
	}
	if err := staysOnLine(value); err != nil {
		s.errs = append(s.errs, fmt.Errorf("cannot use the value of %s=: %w", key, err))
		return
	}
	s.add(key + "=" + value + "\n")
}

// add adds lines of this package's own.
func (s *section) add(lines string) { s.text.WriteString(lines) }

// staysOnLine returns an error for a value that systemd would not read as the rest of one
// line (systemd.syntax(7)). It does not quote the value.
func staysOnLine(value string) error {
	if strings.ContainsFunc(value, func(r rune) bool { return r != '\t' && unicode.IsControl(r) }) {
		return errors.New("it has a control character, such as a line break (leave it out)")
	}
	if strings.HasSuffix(value, `\`) {
		return errors.New("it ends with a backslash, which joins it with the next line (leave it out)")
	}
	return nil
}

// checkMount returns an error for a mount whose units would be another file than the one
// of a mount point, or have other settings than those of the mount.
func checkMount(m spec.Mount) error {
	for _, value := range []string{m.What, m.Where, m.Type, m.Options} {
		if err := staysOnLine(value); err != nil {
			return fmt.Errorf("mount: %w", err)
		}
	}
	switch {
	case !path.IsAbs(m.Where) || path.Clean(m.Where) != m.Where || m.Where == "/":
		return fmt.Errorf("cannot mount at %q: write an absolute path without \"..\"", m.Where)
	case !path.IsAbs(m.What) || path.Clean(m.What) != m.What:
		return fmt.Errorf("cannot mount %q: write the absolute path of a device", m.What)
	case strings.ContainsAny(m.Type, " \t/"):
		return fmt.Errorf("cannot use %q as the type of a file system: write its name, such as ext4", m.Type)
	}
	return nil
}
