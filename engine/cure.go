package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/distribution/reference"
	"github.com/docker/go-units"
	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/internal/cure"
)

// lowSpace is the free space in bytes below which a full disk is the likely cause of
// a failed pull.
const lowSpace = 1 << 30

// cures returns what may cure a failed pull: a login, the network, room on the disk, or
// the image itself by another way. That a registry works again cannot be observed.
func (c *Client) cures(ref reference.Named) []cure.Cure {
	cures := []cure.Cure{{Kind: cure.Network}, {Kind: cure.Disk}, {Kind: cure.Docker, Name: "image"}, {Kind: cure.Docker, Name: "daemon"}}
	for _, path := range c.loginPaths(reference.Domain(ref)) {
		cures = append(cures, cure.Cure{Kind: cure.File, Name: path})
	}
	return cures
}

// pullCure says what to do about a failed pull, judging by the error and the disk. size is
// the known size of the download. When the error arrives, the Engine has removed what it
// had unpacked, and the disk may not look full any more.
func (c *Client) pullCure(ctx context.Context, err error, size int64) string {
	switch {
	case errors.Is(err, ErrStalled), errors.Is(err, ErrUnreachable), ctx.Err() != nil:
		return ""
	case errors.Is(err, ErrNotFound):
		return " (check the image's name and tag)"
	}
	info, infoErr := c.Info(ctx)
	var fs unix.Statfs_t
	if infoErr == nil && unix.Statfs(info.ImageRoot, &fs) == nil {
		if free := fs.Bavail * uint64(fs.Bsize); free < lowSpace || errors.Is(err, ErrNoSpace) { //nolint:gosec // a block size is positive
			image := ""
			if size > 0 && errors.Is(err, ErrNoSpace) {
				image = fmt.Sprintf("the download has %s, and needs about %s while it is unpacked; ",
					units.HumanSize(float64(size)), units.HumanSize(float64(Progress{Bytes: size}.Need())))
			}
			return fmt.Sprintf(" (%s%s has %s left of %s; to see what uses the space and what can be removed, run: dockhostctl gc --dry-run)",
				image, info.ImageRoot, units.HumanSize(float64(free)), units.HumanSize(float64(fs.Blocks*uint64(fs.Bsize)))) //nolint:gosec // as above
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
