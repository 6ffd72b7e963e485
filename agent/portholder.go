package agent

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/pidfd"
)

// watchHolders calls ended when a process ends that holds a port now, until ctx ends.
// Docker's own proxy for a published port is such a process.
func watchHolders(ctx context.Context, root, port string, ended func()) {
	p, err := engine.ParsePort(port)
	if err != nil {
		return
	}
	for _, pid := range holders(root, p) {
		go awaitEnd(ctx, pid, ended)
	}
}

// awaitEnd calls ended when a process has ended, unless ctx ends before. Without pidfds it
// does nothing.
func awaitEnd(ctx context.Context, pid int, ended func()) {
	process, err := pidfd.Open(pid)
	if err != nil {
		return
	}
	defer process.Close()
	select {
	case <-ctx.Done():
	case <-process.Ended():
		ended()
	}
}

// holders returns the processes that listen on a port, as far as this user may see them.
func holders(root string, port engine.Port) []int {
	sockets := map[string]bool{}
	for _, file := range []string{port.Proto, port.Proto + "6"} {
		listening(filepath.Join(root, "/proc/net", file), port, sockets)
	}
	if len(sockets) == 0 {
		return nil
	}
	var pids []int
	links, _ := filepath.Glob(filepath.Join(root, "/proc/[0-9]*/fd/*"))
	for _, link := range links {
		if target, err := os.Readlink(link); err != nil || !sockets[target] {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(link)))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// listening adds the sockets of a table of the kernel (proc_net_tcp(5)) that listen on a
// port, as links to them read: "socket:[4711]".
func listening(path string, port engine.Port, sockets map[string]bool) {
	const tcpListen = "0A"
	file, err := os.Open(path)
	if err != nil {
		return
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		// sl local_address rem_address st tx_queue:rx_queue tr:when retrnsmt uid timeout inode
		f := strings.Fields(lines.Text())
		if len(f) < 10 || port.Proto == "tcp" && f[3] != tcpListen {
			continue
		}
		_, number, _ := strings.Cut(f[1], ":")
		if n, err := strconv.ParseUint(number, 16, 16); err == nil && uint16(n) == port.Number {
			sockets["socket:["+f[9]+"]"] = true
		}
	}
}
