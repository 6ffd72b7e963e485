package agent

import (
	"maps"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/assignment"
	"github.com/dockhost/dockhost/cloudinit"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/spec/gce"
)

// notes returns what a reader of the status should know about user data that was
// accepted.
func (r *targetReader) notes(data *cloudinit.UserData, result *assignment.Result) string {
	notes := append([]string{result.Note}, result.Warnings...)
	if len(data.Declaration) > 0 && result.Section.Node != nil {
		notes = append(notes, "the user data has a dockhost section: "+gce.Attribute+" is not used")
	}
	warning := passwordWarning(data, result.Assignment)
	r.warnOnce("user data accepted with a warning", append(slices.Clone(result.Warnings), warning)...)
	return joinNotes(append(notes, warning)...)
}

// passwordWarning warns of passwords in user data that every container can get
// from the metadata service. A seed on a disk can only be read by root.
func passwordWarning(data *cloudinit.UserData, assignment *spec.Assignment) string {
	if !strings.Contains(data.Path, "://") {
		return ""
	}
	var hosts []string
	for _, host := range slices.Sorted(maps.Keys(assignment.Registries)) {
		if assignment.Registries[host].Password != "" {
			hosts = append(hosts, host)
		}
	}
	if len(hosts) == 0 {
		return ""
	}
	return "the user data holds the password for " + strings.Join(hosts, ", ") +
		", and every container of this instance can read it at the metadata service (use password_file, password_credential or credential_helper)"
}

// warnOnce logs those of the warnings that are not in the note of the source yet.
func (r *targetReader) warnOnce(message string, warnings ...string) {
	logged := r.store.snapshot().source.Note
	for _, warning := range warnings {
		if !strings.Contains(logged, warning) {
			r.log.Warn(message, zap.String("warning", warning))
		}
	}
}

// joinNotes joins those of the notes that are not "".
func joinNotes(notes ...string) string {
	return strings.Join(slices.DeleteFunc(notes, func(note string) bool { return note == "" }), "; ")
}
