package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"golang.org/x/sync/errgroup"

	"github.com/dockhost/dockhost/engine/registry"
)

func registryChecks() []Check {
	const area = "registries"
	return []Check{
		{ID: "registries", Area: area, Title: "each registry gives its images", patience: networkPatience, examine: checkRegistries},
		{ID: "mirrors", Area: area, Title: "Docker's mirrors answer", patience: networkPatience, examine: checkMirrors},
	}
}

// maxRegistries bounds how many registries are asked.
const maxRegistries = 20

// images returns one image of each registry that the containers need, sorted.
func (h *host) images() ([]string, error) {
	s, err := h.status()
	if err != nil {
		return nil, err
	}
	var images, hosts []string
	for i := range s.Containers {
		wanted := []string{s.Containers[i].Image}
		if pending := s.Containers[i].Pending; pending != nil {
			wanted = append(wanted, pending.Image)
		}
		for _, image := range wanted {
			host := registryOf(image)
			if host != "" && !slices.Contains(hosts, host) {
				hosts, images = append(hosts, host), append(images, image)
			}
		}
	}
	slices.Sort(images)
	return images[:min(len(images), maxRegistries)], nil
}

// registryOf returns the host of an image's registry, "" for what is not an image of a
// registry.
func registryOf(image string) string {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return ""
	}
	return reference.Domain(named)
}

func checkRegistries(ctx context.Context, h *host) []Finding {
	images, err := h.images()
	if err != nil {
		return skip("nobody says what runs")
	}
	if len(images) == 0 {
		return skip("no container is assigned")
	}
	if _, err := h.info(); err != nil {
		return needsDocker(err)
	}
	all := make([][]Finding, len(images))
	var group errgroup.Group
	for i, image := range images {
		group.Go(func() error {
			all[i] = h.registry(ctx, image)
			return nil
		})
	}
	_ = group.Wait() // it never fails
	return slices.Concat(all...)
}

// registry asks a registry for an image: by DNS, TLS and with the login for it.
func (h *host) registry(ctx context.Context, image string) []Finding {
	_, err := h.Digest(ctx, image)
	host := registryOf(image)
	if err == nil {
		return ok(host + " gives " + image)
	}
	// A read of the login fails with text of its own.
	trouble := registry.TroubleOf(err)
	found, cure := troubleText(trouble, host, image)
	if trouble == registry.TroubleOther || trouble == registry.TroubleCertificate || trouble == registry.TroubleConnection {
		found += ": " + err.Error()
	}
	return fail(found, cure)
}

// troubleText says what keeps a registry from giving an image, and what to do.
func troubleText(trouble registry.Trouble, host, image string) (found, cure string) {
	name, _, _ := strings.Cut(host, ":")
	switch trouble {
	case registry.TroubleDNS:
		return "DNS does not find " + host, fmt.Sprintf("check the image's name, and this host's DNS: getent hosts %s; cat /etc/resolv.conf", name)
	case registry.TroubleCertificate:
		return "TLS does not trust " + host, "put its authority into /etc/docker/certs.d/" + host + "/ca.crt, and check the clock: timedatectl"
	case registry.TroubleLogin:
		return host + " refuses the login for " + image + ", or wants one: wrong name or password, or no permission", "correct registries: of the assignment (or run: docker login " + host + "), then: dockhostctl userdata --fetch"
	case registry.TroubleMissing:
		return fmt.Sprintf("%s has no %s", host, image), "check the image's name and tag"
	case registry.TroubleLimit:
		return host + " has had too many requests from this address", "log in to it, or use a mirror (registry-mirrors in /etc/docker/daemon.json)"
	case registry.TroubleConnection:
		return host + " does not answer", "check that the registry is up, and that the network and firewalls let this host reach it"
	case registry.TroubleOther:
	}
	return host + " does not give " + image, "check that the registry is up"
}

func checkMirrors(ctx context.Context, h *host) []Finding {
	info, err := h.info()
	if err != nil {
		return needsDocker(err)
	}
	var findings []Finding
	for _, mirror := range info.Mirrors {
		shown := withoutPassword(mirror)
		if err := h.Get(ctx, strings.TrimSuffix(mirror, "/")+"/v2/"); err != nil {
			findings = append(findings, warn("the mirror "+shown+" of Docker Hub does not answer, so each pull waits for it first: "+err.Error(), "correct registry-mirrors in /etc/docker/daemon.json, then: systemctl reload docker.service")...)
			continue
		}
		findings = append(findings, ok("the mirror "+shown+" of Docker Hub answers")...)
	}
	if len(findings) == 0 {
		return skip("Docker has no mirror")
	}
	return findings
}
