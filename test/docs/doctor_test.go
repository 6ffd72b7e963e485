package docs

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/doctor"
)

// TestDoctorTable compares the table of checks in docs/doctor.md with the checks.
func TestDoctorTable(t *testing.T) {
	var want, got [][]string
	for _, check := range doctor.Checks() {
		want = append(want, []string{"`" + check.ID + "`", check.Area, check.Title})
	}
	for _, row := range table(t, "docs/doctor.md", "checks") {
		got = append(got, slices.Clone(row[:3]))
		if row[3] == "" {
			t.Errorf("the table does not say what %s finds", row[0])
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("checks (-doctor, +docs/doctor.md):\n%s", diff)
	}
}
