package resume

import "testing"

func TestStampSize(t *testing.T) {
	tests := map[string]int{
		"2030-01-02T12:00:00.000000001Z a":      31,
		"2030-01-02T12:00:00.000000001+02:00 a": 36,
		"2030-01-02T12:00:00.000000001Z":        0,
		"2030-01-02 12:00:00.000000001Z a":      0,
		"a line":                                0,
		"":                                      0,
	}
	for message, want := range tests {
		if got := stampSize([]byte(message)); got != want {
			t.Errorf("stampSize(%q) = %d, want %d", message, got, want)
		}
	}
}
