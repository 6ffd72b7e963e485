//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// echoClient sends a line to a socket, ends its side, and prints the answer.
const echoClient = `python3 -c 'import socket
s = socket.socket(socket.AF_UNIX)
s.connect("/run/echo.sock")
s.sendall(b"line\n")
s.shutdown(socket.SHUT_WR)
print(s.makefile().read(), end="")'`

// TestStandardInputIsRelayed gives containers standard input in a shell, and by
// StandardInput= of their units.
func TestStandardInputIsRelayed(t *testing.T) {
	h := newHost(t)
	h.login()
	const echo = "/usr/bin/dockhost run --rm -i localhost:5000/busybox sh -c 'cat; echo end'"
	if out := h.run("echo line | " + echo + " 2>/dev/null"); out != "line\nend\n" {
		t.Errorf("in a shell: output = %q, want line and end", out)
	}

	h.unit("data.service", service(echo, "StandardInput=data", "StandardInputText=line"))
	h.start("data")
	h.reaches("data", "inactive")
	log := h.journal("data.service")
	if _, after, _ := strings.Cut(log, "line\n"); !strings.Contains("\n"+after, "\nend\n") { // systemd's own lines may be in between
		t.Errorf("StandardInput=data: journal = %s, want line and end", log)
	}

	h.unit("echo@.service", "[Service]\nType=notify\nDelegate=yes\nKillMode=mixed\nStandardInput=socket\nStandardError=journal\nExecStart="+echo+"\n")
	h.unit("echo.socket", "[Socket]\nListenStream=/run/echo.sock\nAccept=yes\n")
	h.run("systemctl start echo.socket")
	if out := h.run(echoClient); out != "line\nend\n" {
		t.Errorf("Accept=yes: answer = %q, want line and end", out)
	}
	h.run("systemctl stop echo.socket")

	h.assign(shell("cat; sleep infinity", "stdin_open: true", "x-dockhost: {unit: {Service: {StandardInput: data, StandardInputText: of user data}}}"))
	h.ready("app")
	h.eventually("the container prints its input", func() error {
		if log := h.journal("dockhost@app"); !strings.Contains(log, "of user data") {
			return fmt.Errorf("journal = %s", log)
		}
		return nil
	})
	h.stopsClean()
}
