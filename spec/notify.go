package spec

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Notify defines when a container is ready: one of the modes below, or a probe,
// "tcp:PORT", "http://:PORT/PATH" or "https://:PORT/PATH".
type Notify string

// The notify modes without a probe.
const (
	// NotifyStarted: ready when the container's process runs.
	NotifyStarted Notify = "started"
	// NotifyHealthy: ready when Docker's HEALTHCHECK passes.
	NotifyHealthy Notify = "healthy"
	// NotifyContainer: ready when the container sends READY=1 (sd_notify(3)).
	NotifyContainer Notify = "container"
	// NotifyOff: systemd gets no notification.
	NotifyOff Notify = "off"
)

// Probe is a readiness check on a port of the container.
type Probe struct {
	// Scheme is "tcp", "http" or "https".
	Scheme string
	// Port is a TCP port in the container.
	Port uint16
	// Path is the path and query of an http or https request. It begins with
	// "/".
	Path string
}

// AtOnce reports whether the container is ready as soon as its process runs.
func (n Notify) AtOnce() bool { return n == NotifyStarted || n == NotifyOff }

// String returns the probe without its query, which may be a secret.
func (p Probe) String() string {
	if p.Scheme == "tcp" {
		return fmt.Sprintf("tcp:%d", p.Port)
	}
	path, _, _ := strings.Cut(p.Path, "?")
	return fmt.Sprintf("%s://:%d%s", p.Scheme, p.Port, path)
}

// ParseNotify returns the mode with this name. The error lists all modes.
func ParseNotify(text string) (Notify, error) {
	mode := Notify(text)
	switch mode {
	case NotifyStarted, NotifyHealthy, NotifyContainer, NotifyOff:
		return mode, nil
	}
	if _, ok := mode.Probe(); !ok {
		if strings.Contains(text, "@") {
			text = "..." // there may be a password before the "@"
		}
		return "", fmt.Errorf("cannot use %q: use started, healthy, container, off, tcp:PORT, http://:PORT/PATH or https://:PORT/PATH", text)
	}
	return mode, nil
}

// Probe returns the probe of the mode, and false if the mode has none.
func (n Notify) Probe() (Probe, bool) {
	if port, found := strings.CutPrefix(string(n), "tcp:"); found {
		number, err := strconv.ParseUint(port, 10, 16)
		return Probe{Scheme: "tcp", Port: uint16(number)}, err == nil && number > 0
	}
	address, err := url.Parse(string(n))
	if err != nil || address.Hostname() != "" || address.User != nil || address.Fragment != "" {
		return Probe{}, false
	}
	port := uint64(80)
	switch address.Scheme {
	case "http":
	case "https":
		port = 443
	default:
		return Probe{}, false
	}
	if text := address.Port(); text != "" {
		if port, err = strconv.ParseUint(text, 10, 16); err != nil || port == 0 {
			return Probe{}, false
		}
	} else if address.Host != "" {
		return Probe{}, false
	}
	path := address.RequestURI()
	if !strings.HasPrefix(path, "/") {
		return Probe{}, false
	}
	return Probe{Scheme: address.Scheme, Port: uint16(port), Path: path}, true
}

// CheckReadiness returns an error if the container could never become ready: it
// waits for a healthcheck, and neither it nor its image has one.
func (c *Container) CheckReadiness(imageHasCheck bool) error {
	if c.Notify == NotifyHealthy && !c.hasCheck(imageHasCheck) {
		return fmt.Errorf("notify is healthy, but neither the container nor image %q has a healthcheck (add one, or use notify: started)", c.Image)
	}
	return nil
}

// hasCheck reports whether Docker will check the container's health. Settings
// without a test, such as an interval, change the image's own check.
func (c *Container) hasCheck(imageHasCheck bool) bool {
	check := c.Config.Healthcheck
	if check == nil || len(check.Test) == 0 {
		return imageHasCheck
	}
	return check.Test[0] != "NONE"
}
