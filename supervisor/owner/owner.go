// Package owner says who owns a container that dockhost created: the unit, and the
// process that supervises it. Supervisors and the agent decide by it what is a
// leftover. It only reads.
package owner

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/supervisor/placement"
	"github.com/dockhost/dockhost/supervisor/request"
)

// Unit returns the systemd unit for which dockhost created a container, and false
// for every other container. Labels alone prove nothing: `docker commit` copies
// them into an image, and an operator may run that.
func Unit(c engine.Container) (string, bool) {
	unit := c.Labels[request.LabelUnit]
	return unit, unit != "" && c.CgroupParent == placement.CgroupParent(unit)
}

// Copied says whether a container has the labels of another one that dockhost
// created for a unit.
func Copied(c engine.Container) bool {
	_, made := Unit(c)
	return c.Labels[request.LabelUnit] != "" && !made
}

// Self identifies this process until the next boot: "PID/START/BOOT", where
// START is in clock ticks since the boot (proc(5)). root is a prefix of /proc.
func Self(root string) string { return identify(root, os.Getpid()) }

// Runs says whether the process that [Self] has identified runs, and is not this
// process.
func Runs(root, identity string) bool {
	pid, err := strconv.Atoi(Pid(identity))
	return err == nil && pid != os.Getpid() && identify(root, pid) == identity
}

// Pid returns the pid of the process that [Self] has identified.
func Pid(identity string) string {
	pid, _, _ := strings.Cut(identity, "/")
	return pid
}

// identify returns the identity of a process, "" if it does not run.
func identify(root string, pid int) string {
	start := Started(root, pid)
	boot, err := os.ReadFile(filepath.Join(root, "/proc/sys/kernel/random/boot_id"))
	if err != nil || start == "" {
		return ""
	}
	return fmt.Sprintf("%d/%s/%s", pid, start, bytes.TrimSpace(boot))
}

// Started returns when a process has started, in clock ticks since the boot; "" if
// it does not run.
func Started(root string, pid int) string {
	stat, err := os.ReadFile(filepath.Join(root, "/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return ""
	}
	// The second field, the name, may contain spaces and parentheses.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const start = 22 - 3
	if len(fields) <= start {
		return ""
	}
	return string(fields[start])
}

// SweepSockets removes the sockets of killed supervisors, to which no process listens,
// from the directory of the placements.
func SweepSockets(dir string) {
	for prefix, network := range map[string]string{request.SocketPrefix: "unixgram", placement.SocketsPrefix: "unixpacket"} {
		paths, err := filepath.Glob(filepath.Join(dir, prefix+"*"))
		if err != nil {
			return
		}
		for _, path := range paths {
			conn, err := net.DialUnix(network, nil, &net.UnixAddr{Name: path, Net: network})
			if errors.Is(err, unix.ECONNREFUSED) {
				_ = os.Remove(path)
			}
			if err == nil {
				_ = conn.Close()
			}
		}
	}
}
