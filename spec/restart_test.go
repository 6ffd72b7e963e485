package spec

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseRestart(t *testing.T) {
	limit := func(starts string) []UnitSetting {
		return []UnitSetting{
			{Section: "Unit", Key: "StartLimitIntervalSec", Value: "100y"},
			{Section: "Unit", Key: "StartLimitBurst", Value: starts},
		}
	}
	tests := []struct {
		policy, restart string
		limit           []UnitSetting
		problem         string
	}{
		{policy: "no", restart: "no"},
		{policy: "always", restart: "always"},
		{policy: "unless-stopped", restart: "always"},
		{policy: "on-failure", restart: "on-failure"},
		{policy: "on-failure:0", restart: "on-failure"},
		{policy: "on-failure:5", restart: "on-failure", limit: limit("6")},
		{policy: "on-failure:-1", restart: "on-failure", problem: `cannot use "-1" as a number of restarts`},
		{policy: "on-failure:", restart: "on-failure", problem: `cannot use "" as a number of restarts`},
		{policy: "always:3", problem: `cannot use "always:3": use "no", always,`},
		{policy: "sometimes", problem: `cannot use "sometimes": use "no", always,`},
	}
	for _, test := range tests {
		restart, limit, err := ParseRestart(test.policy)
		if (err != nil) != (test.problem != "") || err != nil && !strings.Contains(err.Error(), test.problem) {
			t.Errorf("ParseRestart(%q) = %v, want %q", test.policy, err, test.problem)
		}
		if restart != test.restart {
			t.Errorf("ParseRestart(%q) = %q, want %q", test.policy, restart, test.restart)
		}
		if diff := cmp.Diff(test.limit, limit); diff != "" {
			t.Errorf("ParseRestart(%q) (-want +got):\n%s", test.policy, diff)
		}
		if !IsStartLimit(limit) {
			t.Errorf("IsStartLimit(%v) = false, want true", limit)
		}
	}
	for _, settings := range [][]UnitSetting{
		{{Section: "Unit", Key: "StartLimitBurst", Value: "6"}},
		{limit("6")[1], limit("6")[0]},
		limit("6\nExecStartPre=/x"),
		limit("1"),
		append(limit("6"), UnitSetting{Section: "Service", Key: "ExecStartPre", Value: "/x"}),
	} {
		if IsStartLimit(settings) {
			t.Errorf("IsStartLimit(%v) = true, want false", settings)
		}
	}
}
