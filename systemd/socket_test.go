package systemd

import (
	"os"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPassedSockets(t *testing.T) {
	own := strconv.Itoa(os.Getpid())
	for name, test := range map[string]struct {
		environ map[string]string
		want    Sockets
	}{
		"none":           {},
		"of a parent":    {map[string]string{"LISTEN_FDS": "1", "LISTEN_PID": "1"}, Sockets{Others: 1}},
		"none passed":    {map[string]string{"LISTEN_FDS": "0", "LISTEN_PID": own}, Sockets{}},
		"not a number":   {map[string]string{"LISTEN_FDS": "x", "LISTEN_PID": own}, Sockets{}},
		"without a pid":  {map[string]string{"LISTEN_FDS": "1"}, Sockets{}},
		"negative":       {map[string]string{"LISTEN_FDS": "-1", "LISTEN_PID": own}, Sockets{}},
		"without a name": {map[string]string{"LISTEN_FDS": "0", "LISTEN_PID": own, "LISTEN_FDNAMES": "web"}, Sockets{}},
	} {
		t.Run(name, func(t *testing.T) {
			got := PassedSockets(func(key string) string { return test.environ[key] })
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("PassedSockets() (-want +got):\n%s", diff)
			}
		})
	}
}
