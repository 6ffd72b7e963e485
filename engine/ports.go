package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-connections/nat"
)

// Port is a port of the host that a container publishes.
type Port struct {
	// IP is the address, "" for all addresses.
	IP string
	// Proto is "tcp", "udp" or "sctp".
	Proto string
	// Number is the port's number.
	Number uint16
}

// String returns the port as "443/tcp" or "127.0.0.1:80/tcp".
func (p Port) String() string {
	if p.IP == "" {
		return fmt.Sprintf("%d/%s", p.Number, p.Proto)
	}
	return net.JoinHostPort(p.IP, strconv.Itoa(int(p.Number))) + "/" + p.Proto
}

// ParsePort returns the port that [Port.String] has written.
func ParsePort(text string) (Port, error) {
	address, proto, _ := strings.Cut(text, "/")
	p := Port{Proto: proto}
	if host, number, err := net.SplitHostPort(address); err == nil {
		p.IP, address = host, number
	}
	number, err := strconv.ParseUint(address, 10, 16)
	if err != nil || number == 0 || proto == "" {
		return Port{}, fmt.Errorf("%q is not a port", text)
	}
	p.Number = uint16(number)
	return p, nil
}

// HostPorts returns the host ports of bindings. It skips bindings for which the Engine
// chooses the port.
func HostPorts(bindings nat.PortMap) []Port {
	var ports []Port
	for inside, outside := range bindings {
		for _, b := range outside {
			number, err := strconv.ParseUint(b.HostPort, 10, 16)
			if err != nil || number == 0 {
				continue
			}
			ports = append(ports, Port{IP: b.HostIP, Proto: inside.Proto(), Number: uint16(number)})
		}
	}
	return ports
}

// InUse says whether another program uses the port. A port that cannot be tested
// counts as free, and the Engine reports the error: sctp, or an address that the
// host does not have.
func (p Port) InUse(ctx context.Context) bool {
	var lc net.ListenConfig
	address := net.JoinHostPort(p.IP, strconv.Itoa(int(p.Number)))
	var err error
	switch p.Proto {
	case "tcp":
		var l net.Listener
		if l, err = lc.Listen(ctx, "tcp", address); err == nil {
			_ = l.Close()
		}
	case "udp":
		var l net.PacketConn
		if l, err = lc.ListenPacket(ctx, "udp", address); err == nil {
			_ = l.Close()
		}
	}
	return errors.Is(err, syscall.EADDRINUSE)
}

// AllocatedError says that the Engine has given a port of the host to another
// container.
type AllocatedError struct {
	// Number is the port's number.
	Number uint16

	error
}

// Unwrap returns the Engine's error.
func (e AllocatedError) Unwrap() error { return e.error }

// bindFailed matches the Engine's error (moby: libnetwork/portallocator), which has no
// kind of its own.
var bindFailed = regexp.MustCompile(`Bind for \S*:([0-9]+) failed: port is already allocated`)

// allocated returns the error as an [AllocatedError] if it is one, and as
// [ErrUnreachable] if the Engine went away before it answered.
func allocated(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) {
		return classified{err, ErrUnreachable}
	}
	match := bindFailed.FindStringSubmatch(err.Error())
	if match == nil {
		return err
	}
	number, parseErr := strconv.ParseUint(match[1], 10, 16)
	if parseErr != nil {
		return err
	}
	return AllocatedError{Number: uint16(number), error: err}
}

// Publisher returns the name of the container that publishes a port, "" if none does.
func (c *Client) Publisher(ctx context.Context, p Port) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	running, err := c.api().ContainerList(ctx, container.ListOptions{})
	if err != nil {
		return "", fmt.Errorf("list containers: %w", translate(err))
	}
	for _, one := range running {
		for _, published := range one.Ports {
			if published.PublicPort == p.Number && published.Type == p.Proto && overlap(published.IP, p.IP) && len(one.Names) > 0 {
				return trimName(one.Names[0]), nil
			}
		}
	}
	return "", nil
}

// overlap says whether two addresses of the host, one of which may stand for all, are
// the same.
func overlap(a, b string) bool {
	all := func(text string) bool {
		address, err := netip.ParseAddr(text)
		return err != nil || address.IsUnspecified()
	}
	return all(a) || all(b) || a == b
}
