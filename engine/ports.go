package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"

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
