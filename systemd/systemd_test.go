package systemd

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestUnitFrom(t *testing.T) {
	got := unitFrom("web.service", map[string]any{
		"LoadState": "loaded", "ActiveState": "active", "SubState": "running", "Result": "success",
		"StatusText": "running", "StateChangeTimestamp": uint64(1_700_000_000_000_000), "NRestarts": uint32(3), "ActiveExitTimestamp": uint64(1_600_000_000_000_000),
		"ExecMainStatus": int32(7), "TimeoutStopUSec": uint64(90_000_000), "Job": []any{uint32(12), "/job/12"}, "MainPID": uint32(7),
		"SyslogIdentifier": "shop", "SyslogFacility": int32(19), "SyslogLevel": int32(5), "SyslogLevelPrefix": false, "StandardOutput": "journal", "StandardError": "inherit",
	})
	want := Unit{
		Name: "web.service", LoadState: "loaded", ActiveState: "active", SubState: "running", Result: "success",
		StatusText: "running", Since: time.Unix(1_700_000_000, 0), LeftActive: time.Unix(1_600_000_000, 0), Restarts: 3, ExitStatus: 7,
		TimeoutStop: 90 * time.Second, Job: true, MainPID: 7,
		Syslog: Syslog{Identifier: "shop", Facility: 19, Level: 5, Output: "journal", Error: "inherit"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("unitFrom() (-want +got):\n%s", diff)
	}
	if got := unitFrom("web.service", map[string]any{"TimeoutStopUSec": uint64(math.MaxUint64)}).TimeoutStop; got != 0 {
		t.Errorf("TimeoutStop of infinity = %v, want 0", got)
	}
}

func TestStatusLine(t *testing.T) {
	if got, want := statusLine("one\ntwo\r\nREADY=1"), "STATUS=one two READY=1"; got != want {
		t.Errorf("statusLine() = %q, want %q", got, want)
	}
}
