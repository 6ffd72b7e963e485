// Package netwatch reports changes of the host's network: the addresses and routes by
// which it reaches others, and its resolver. The interfaces that containers come and go
// with do not count.
package netwatch

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// ResolverFiles are the files that say how names are resolved.
func ResolverFiles() []string {
	return []string{"/etc/resolv.conf", "/etc/hosts", "/run/systemd/resolve/resolv.conf"}
}

// maxFile bounds how much of a file is read.
const maxFile = 1 << 20

// Watch returns a channel that receives a value after each message of the kernel about
// addresses and routes. Messages that were not received yet are merged into one value.
// It ends with ctx.
func Watch(ctx context.Context) (<-chan struct{}, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("watch the network: %w", err)
	}
	const groups = unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR | unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV6_ROUTE
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("watch the network: %w", err)
	}
	socket := os.NewFile(uintptr(fd), "rtnetlink") // closing it ends a read
	context.AfterFunc(ctx, func() { _ = socket.Close() })
	changes := make(chan struct{}, 1)
	go func() {
		defer socket.Close()
		message := make([]byte, os.Getpagesize())
		for ctx.Err() == nil {
			// ENOBUFS means that messages were lost, so something has changed.
			if _, err := socket.Read(message); err != nil && !errors.Is(err, unix.ENOBUFS) {
				return
			}
			select {
			case changes <- struct{}{}:
			default:
			}
		}
	}()
	return changes, nil
}

// State describes the network of the host. It differs after a change. root is a prefix
// of the host's paths.
func State(root string) string {
	var state []string
	inside := func(name string) bool { return belongsToContainers(root, name) }
	interfaces, _ := net.Interfaces()
	for _, i := range interfaces {
		if i.Flags&net.FlagLoopback != 0 || inside(i.Name) {
			continue
		}
		addresses, _ := i.Addrs()
		for _, address := range addresses {
			if network, isIP := address.(*net.IPNet); isIP && network.IP.IsGlobalUnicast() {
				state = append(state, i.Name+" "+network.String())
			}
		}
	}
	state = append(state, routes(root, inside)...)
	slices.Sort(state)
	for _, path := range ResolverFiles() {
		state = append(state, string(head(filepath.Join(root, path))))
	}
	return strings.Join(state, "\n")
}

// belongsToContainers reports whether an interface is a bridge, or a port of one.
func belongsToContainers(root, name string) bool {
	for _, sign := range []string{"bridge", "brport"} {
		if _, err := os.Stat(filepath.Join(root, "/sys/class/net", name, sign)); err == nil {
			return true
		}
	}
	return false
}

// routes returns the routes to the world, and all that do not lead to containers.
func routes(root string, inside func(name string) bool) []string {
	var found []string
	for line := range lines(filepath.Join(root, "/proc/net/route")) {
		// Iface Destination Gateway Flags RefCnt Use Metric Mask
		if f := strings.Fields(line); len(f) >= 8 && f[0] != "Iface" && (isZero(f[1]) && isZero(f[7]) || !inside(f[0])) {
			found = append(found, strings.Join([]string{"route", f[0], f[1], f[2], f[7]}, " "))
		}
	}
	for line := range lines(filepath.Join(root, "/proc/net/ipv6_route")) {
		// destination, its length, source, its length, next hop, metric, references, uses, flags, interface
		f := strings.Fields(line)
		if len(f) < 10 || f[9] == "lo" || strings.HasPrefix(f[0], "fe80") || strings.HasPrefix(f[0], "ff") {
			continue
		}
		if isZero(f[1]) || !inside(f[9]) {
			found = append(found, strings.Join([]string{"route", f[9], f[0], f[1], f[4]}, " "))
		}
	}
	return found
}

func isZero(hex string) bool { return strings.Trim(hex, "0") == "" }

// lines returns the lines of a file, none if it cannot be read.
func lines(path string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		scanner := bufio.NewScanner(bytes.NewReader(head(path)))
		for scanner.Scan() {
			if !yield(scanner.Text()) {
				return
			}
		}
	}
}

// head returns the beginning of a file, nothing if it cannot be read.
func head(path string) []byte {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	text, _ := io.ReadAll(io.LimitReader(file, maxFile))
	return text
}
