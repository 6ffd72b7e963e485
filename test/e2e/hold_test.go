//go:build e2e

package e2e

import "fmt"

// held is a proxy of Docker's socket. It holds a request that matches the
// pattern in /run/hold, either before Docker gets it or before the client gets
// the answer, until that file is removed. It creates /run/held while it holds a
// request. It drops a request whose client has gone.
const held = `
import os, re, socket, threading, time

def wait():
    open("/run/held", "w").close()
    while os.path.exists("/run/hold"):
        time.sleep(0.02)

def hold(data, when):
    try:
        want, pattern = open("/run/hold").read().strip().split(" ", 1)
    except (OSError, ValueError):
        return False
    return want == when and re.match(pattern, data.split(b"\r\n")[0].decode("latin-1")) is not None

def relay(source, to, waits):
    while data := source.recv(65536):
        if waits.is_set():
            waits.clear()
            wait()
        to.sendall(data)

def gone(client):
    try:
        return client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False

def serve(client):
    docker = socket.socket(socket.AF_UNIX)
    docker.connect("/run/docker.sock")
    waits = threading.Event()
    def answers():
        try:
            relay(docker, client, waits)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass
    threading.Thread(target=answers, daemon=True).start()
    try:
        while data := client.recv(65536):
            if hold(data, "before"):
                wait()
                if gone(client):
                    break
            if hold(data, "after"):
                waits.set()
            docker.sendall(data)
    except OSError:
        pass
    docker.close()
    client.close()

listener = socket.socket(socket.AF_UNIX)
if os.path.exists("/run/held.sock"):
    os.unlink("/run/held.sock")
listener.bind("/run/held.sock")
listener.listen(64)
while True:
    client, _ = listener.accept()
    threading.Thread(target=serve, args=(client,), daemon=True).start()
`

// holdDocker makes supervisors reach Docker through held until the test ends.
func (h *host) holdDocker() {
	h.Helper()
	h.write("/run/held.py", held)
	h.run("systemctl stop held 2>/dev/null || true; rm -f /run/hold /run/held; systemd-run --quiet --collect --unit=held python3 /run/held.py")
	h.Cleanup(func() { h.run("rm -f /run/hold /run/held; systemctl stop held") })
	h.write("/etc/systemd/system/dockhost@.service.d/held.conf", "[Service]\nEnvironment=DOCKER_HOST=unix:///run/held.sock\n")
	h.run("systemctl daemon-reload")
	h.eventually("Docker answers through the proxy", func() error {
		if out, code := h.try("docker -H unix:///run/held.sock version"); code != 0 {
			return fmt.Errorf("%s", out)
		}
		return nil
	})
}

// holds waits until the proxy holds a request.
func (h *host) holds() {
	h.Helper()
	h.eventually("the proxy holds a request", func() error {
		if out, code := h.try("ls /run/held"); code != 0 {
			return fmt.Errorf("%s", out)
		}
		return nil
	})
}
