package systemd

import (
	"strings"
	"testing"
	"time"
)

// A stop counts only where nothing else explains it: it is worse when a container does
// not come back.
func TestStopDoubt(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	tests := []struct {
		name   string
		change func(s *Stop)
		want   string
	}{
		{"systemctl stop", func(*Stop) {}, ""},
		{"while it stops", func(s *Stop) { s.ActiveState, s.Job = "deactivating", "stop" }, ""},
		{"killed late", func(s *Stop) { s.ActiveState, s.Result = "failed", "exit-code" }, ""},
		{"during the boot", func(s *Stop) { s.System = "starting" }, ""},
		{"shutdown", func(s *Stop) { s.System = "stopping" }, "the system is stopping"},
		{"rescue mode", func(s *Stop) { s.System = "maintenance" }, "the system is maintenance"},
		{"systemctl restart", func(s *Stop) { s.ActiveState, s.Job = "deactivating", "restart" }, "job: restart"},
		{"started again", func(s *Stop) { s.Job = "start" }, "job: start"},
		{"runs again", func(s *Stop) { s.ActiveState = "active" }, "it is active"},
		{"kill", func(s *Stop) { s.ActiveState = "deactivating" }, "ends by itself"},
		{"kill, with Restart=", func(s *Stop) { s.ActiveState, s.SubState = "activating", "auto-restart" }, "starts it again"},
		{"kill, with Restart= in systemd 254", func(s *Stop) { s.SubState = "auto-restart-queued" }, "starts it again"},
		{"start timeout", func(s *Stop) { s.ActiveState, s.Result = "failed", "timeout" }, "result is timeout"},
		{"out of memory", func(s *Stop) { s.ActiveState, s.Result = "failed", "oom-kill" }, "result is oom-kill"},
		{"a needed unit is stopped", func(s *Stop) { s.Needs[0].ActiveState = "inactive" }, "basic.target does not run"},
		{"a needed unit is being stopped", func(s *Stop) { s.Needs[0].Job = "stop" }, "basic.target has a job: stop"},
		{"a needed unit was restarted", func(s *Stop) { s.Needs[0].Entered = at.Add(time.Minute) }, "basic.target was started since"},
		{"another unit conflicts", func(s *Stop) { s.Conflicts[0].ActiveState = "activating" }, "shutdown.target conflicts"},
		{"another unit will conflict", func(s *Stop) { s.Conflicts[0].Job = "start" }, "shutdown.target conflicts"},
		{"rescue mode was left again", func(s *Stop) { s.Modes[0].Entered = at.Add(time.Second) }, "rescue.target was reached"},
		{"dockhost was restarted since", func(s *Stop) { s.Owner.Left = at.Add(time.Minute) }, "dockhost.service was stopped, too"},
		{"all of dockhost is being stopped", func(s *Stop) { s.Owner.Job = "stop" }, "dockhost.service was stopped, too"},
		{"all of dockhost was stopped", func(s *Stop) { s.Owner.Left = at.Add(time.Second) }, "dockhost.service was stopped, too"},
		{"stopped while it waits for its next start", func(s *Stop) { s.Result = "oom-kill" }, ""},
		{"dockhost was stopped before", func(s *Stop) { s.Owner.Left = at.Add(-time.Minute) }, ""},
		{"dockhost has crashed since", func(s *Stop) { s.Owner.Left, s.OwnerCrashed = at.Add(time.Second), true }, ""},
		{"all of dockhost is being stopped after a crash", func(s *Stop) { s.Owner.Job, s.OwnerCrashed = "stop", true }, "dockhost.service was stopped, too"},
		{"dockhost is being restarted", func(s *Stop) { s.Owner.Job = "restart" }, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := Stop{
				ActiveState: "inactive", SubState: "dead", Result: "success", System: "running",
				Needs:     []Other{{Name: "basic.target", ActiveState: "active", Entered: at.Add(-time.Hour)}},
				Conflicts: []Other{{Name: "shutdown.target", ActiveState: "inactive"}},
				Modes:     []Other{{Name: "rescue.target", ActiveState: "inactive", Entered: at.Add(-time.Hour)}},
				Owner:     Other{Name: "dockhost.service", ActiveState: "active"},
			}
			test.change(&s)
			if got := s.Doubt(at); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("Doubt() = %q, want %q", got, test.want)
			}
		})
	}
}
