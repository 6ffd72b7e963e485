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

// notes returns what is worth knowing about user data that was taken.
func (a *Agent) notes(data *cloudinit.UserData, result *assignment.Result) string {
	notes := append([]string{result.Note}, result.Warnings...)
	if len(data.Declaration) > 0 && result.Section.Node != nil {
		notes = append(notes, "the user data has a dockhost section: "+gce.Attribute+" is not used")
	}
	warning := plaintextNote(data, result.Assignment)
	a.warnOnce(warning)
	return joinNotes(append(notes, warning)...)
}

// plaintextNote warns of passwords in user data that every container can ask
// the metadata service for: a seed on a disk can be read by root alone.
func plaintextNote(data *cloudinit.UserData, assignment *spec.Assignment) string {
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

// warnOnce logs a note that the source has not had so far.
func (a *Agent) warnOnce(note string) {
	a.mu.Lock()
	told := strings.Contains(a.source.Note, note)
	a.mu.Unlock()
	if !told {
		a.Log.Warn("user data taken with a warning", zap.String("warning", note))
	}
}

// joinNotes makes one note of several, without those that are "".
func joinNotes(notes ...string) string {
	return strings.Join(slices.DeleteFunc(notes, func(note string) bool { return note == "" }), "; ")
}
