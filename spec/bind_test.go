package spec

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseBind(t *testing.T) {
	tests := []struct {
		text     string
		want     Bind
		readOnly bool
	}{
		{"/srv:/data", Bind{Source: "/srv", Target: "/data"}, false},
		{"/srv:/data:ro", Bind{"/srv", "/data", []string{"ro"}}, true},
		{"data:/data:rw,rshared", Bind{"data", "/data", []string{"rw", "rshared"}}, false},
		{"/srv:/data:rslave,ro", Bind{"/srv", "/data", []string{"rslave", "ro"}}, true},
		{"/data", Bind{Source: "/data"}, false},
		{"", Bind{}, false},
	}
	for _, test := range tests {
		got := ParseBind(test.text)
		if diff := cmp.Diff(test.want, got); diff != "" || got.ReadOnly() != test.readOnly {
			t.Errorf("ParseBind(%q): ReadOnly() = %t, want %t; (-want +got):\n%s", test.text, got.ReadOnly(), test.readOnly, diff)
		}
	}
}
