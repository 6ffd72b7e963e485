package systemd

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Paced sends a status at most once a second and always sends the last one. Other
// notifications are sent at once, and no older status follows.
func TestPacedLimitsStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var got []string
		p := &Paced{Notifier: Notifier{sent: func(state string) {
			got = append(got, fmt.Sprintf("%v %s", time.Since(began), state))
		}}}
		for i := range 25 {
			p.Status(fmt.Sprint(i))
			time.Sleep(99 * time.Millisecond)
		}
		time.Sleep(time.Hour)
		p.Status("late")
		p.Status("overtaken")
		p.Ready("ready")
		time.Sleep(time.Hour)
		p.Reloading("reloading")
		p.Status("soon")
		p.Stopping("stopping")
		p.Status("last")
		p.Flush()
		p.Flush()
		time.Sleep(time.Hour)
		want := []string{
			"0s STATUS=0", "1s STATUS=10", "2s STATUS=20", "3s STATUS=24",
			"1h0m2.475s STATUS=late", "1h0m2.475s READY=1\nSTATUS=ready",
			"2h0m2.475s RELOADING=1\n" + Monotonic() + "\nSTATUS=reloading", "2h0m2.475s STOPPING=1\nSTATUS=stopping",
			"2h0m2.475s STATUS=last",
		}
		// The monotonic clock cannot be faked.
		want[6], got[6] = want[6][:27], got[6][:27]
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("notifications (-want +got):\n%s", diff)
		}
	})
}

func TestPassAndWatchdog(t *testing.T) {
	var got []string
	n := Notifier{sent: func(state string) { got = append(got, state) }}
	n.Watchdog()
	n.Pass("READY=1", "ERRNO=2")
	if diff := cmp.Diff([]string{"WATCHDOG=1", "READY=1\nERRNO=2"}, got); diff != "" {
		t.Errorf("notifications (-want +got):\n%s", diff)
	}
}
