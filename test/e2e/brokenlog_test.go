//go:build e2e

package e2e

import (
	"errors"
	"testing"
)

// TestOutputContinuesAfterBrokenLog fills Docker's disk after Docker was away: half
// a message is in the container's log, which Docker 26.1 cannot read any
// further. The journal gets lines again all the same.
func TestOutputContinuesAfterBrokenLog(t *testing.T) {
	h := newHost(t)
	h.smallDisk("150m")
	h.configureDocker("live-restore", "true")
	since := h.now()
	h.assign(shell("n=1; while :; do echo $n; n=$((n+1)); usleep 10000; done"))
	h.ready("app")
	h.restartDocker()
	h.getsLines(since)
	const log = "$(docker inspect -f '{{.LogPath}}' app)"
	h.try("dd if=/dev/zero of=/run/dockhost-e2e-disk/full bs=64k 2>/dev/null")
	h.eventually("the log does not grow", func() error {
		if _, code := h.try("before=$(stat -c %s " + log + "); sleep 0.2; [ $(stat -c %s " + log + ") = $before ]"); code != 0 {
			return errors.New("it grows")
		}
		return nil
	})
	h.run("rm /run/dockhost-e2e-disk/full")
	h.eventually("half a message is in the log", func() error {
		if _, code := h.try("jq . " + log + " >/dev/null"); code == 0 {
			return errors.New("all messages are whole")
		}
		return nil
	})
	h.getsLines(since)
}

// getsLines waits until the journal gets more lines of the container app.
func (h *host) getsLines(since string) {
	h.Helper()
	before := len(h.lines(since, 6))
	h.eventually("the journal gets lines", func() error {
		if len(h.lines(since, 6)) == before {
			return errors.New("it gets no lines")
		}
		return nil
	})
}
