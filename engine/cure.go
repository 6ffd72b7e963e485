package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/docker/go-units"
	"golang.org/x/sys/unix"
)

// lowSpace is the free space in bytes below which a full disk is the likely cause of
// a failed pull.
const lowSpace = 1 << 30

// pullCure says what to do about a failed pull, judging by the error and the disk.
func (c *Client) pullCure(ctx context.Context, err error) string {
	switch {
	case errors.Is(err, ErrStalled), errors.Is(err, ErrUnreachable), ctx.Err() != nil:
		return ""
	case errors.Is(err, ErrNotFound):
		return " (check the image's name and tag)"
	}
	info, infoErr := c.Info(ctx)
	var fs unix.Statfs_t
	if infoErr == nil && unix.Statfs(info.Root, &fs) == nil {
		if free := fs.Bavail * uint64(fs.Bsize); free < lowSpace || errors.Is(err, ErrNoSpace) { //nolint:gosec // a block size is positive
			return fmt.Sprintf(" (%s has %s left; to see what uses the space and what can be removed, run: dockhostctl gc --dry-run)", info.Root, units.HumanSize(float64(free)))
		}
	}
	if infoErr != nil || errors.Is(err, ErrNoSpace) {
		return ""
	}
	return connectionCure(err)
}

// connectionCure says what to do about a registry that does not give the image. The
// Engine's errors are only text.
func connectionCure(err error) string {
	text := err.Error()
	has := func(parts ...string) bool {
		for _, part := range parts {
			if strings.Contains(text, part) {
				return true
			}
		}
		return false
	}
	switch {
	case has(": lookup ", "no such host", "name resolution"):
		return " (DNS does not find the registry: check the image's name, and this host's DNS in /etc/resolv.conf)"
	case has("x509:", "tls:"):
		return " (check the registry's certificate, this host's clock, and /etc/docker/certs.d)"
	case has("connection refused", "no route to host", "network is unreachable", "i/o timeout", "connection reset"):
		return " (check that the registry is up, and that the network and firewalls let this host reach it)"
	}
	return " (check that the registry is up and that the login is right)"
}

// isFirewall says whether the Engine could not add its rules to the firewall's: its
// chains are missing. The Engine creates them only when it starts.
func isFirewall(err error) bool {
	text := err.Error()
	return strings.Contains(text, "iptables failed") && (strings.Contains(text, "No chain/target/match by that name") || strings.Contains(text, "does not exist"))
}

// firewallCure is what to do about a firewall without Docker's rules.
const firewallCure = "the firewall rules of Docker are missing, because something has removed them (restart Docker: systemctl restart docker)"
