package dockerrun

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/spec"
)

func TestRestart(t *testing.T) {
	limit := []spec.UnitSetting{
		{Section: "Unit", Key: "StartLimitIntervalSec", Value: "100y"},
		{Section: "Unit", Key: "StartLimitBurst", Value: "4"},
	}
	tests := []struct {
		args, restart string
		limit         []spec.UnitSetting
		hints         []string
	}{
		{"nginx", "", nil, nil},
		{"--restart= nginx", "", nil, nil},
		{"--restart no nginx", "no", nil, nil},
		{"--restart always nginx", "always", nil, []string{"Restart=always in the unit's [Service] section"}},
		{"--rm --restart=unless-stopped nginx", "always", nil, []string{"--restart unless-stopped has no effect here"}},
		{"--restart on-failure:3 nginx", "on-failure", limit, []string{
			"Restart=on-failure in the unit's [Service]", "StartLimitIntervalSec=100y and StartLimitBurst=4 in the unit's [Unit] section",
		}},
	}
	for _, test := range tests {
		c, err := Parse(strings.Fields(test.args), Options{WritesUnit: true, Hint: func(text string) { t.Errorf("Parse(%q) hints %q", test.args, text) }})
		if err != nil {
			t.Errorf("Parse(%q) = %v", test.args, err)
			continue
		}
		if c.Restart != test.restart || c.HostConfig.RestartPolicy.Name != "no" {
			t.Errorf("Parse(%q) has Restart=%q and Docker's policy %q, want %q and no", test.args, c.Restart, c.HostConfig.RestartPolicy.Name, test.restart)
		}
		if diff := cmp.Diff(test.limit, c.Unit); diff != "" {
			t.Errorf("Parse(%q) (-want +got):\n%s", test.args, diff)
		}
		var hints []string
		c, err = Parse(strings.Fields(test.args), Options{Hint: func(text string) { hints = append(hints, text) }})
		if err != nil || c.Restart != "" || c.Unit != nil || len(hints) != len(test.hints) {
			t.Errorf("Parse(%q) = %+v, %v with hints %q, want no unit settings and %d hints", test.args, c, err, hints, len(test.hints))
			continue
		}
		for i, want := range test.hints {
			if !strings.Contains(hints[i], want) {
				t.Errorf("Parse(%q) hints %q, want %q", test.args, hints[i], want)
			}
		}
	}
}
