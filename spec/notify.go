package spec

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Notify says when a container counts as ready: one of the modes, or a probe,
// "tcp:PORT", "http://:PORT/PATH" or "https://:PORT/PATH".
type Notify string

// The notify modes that are no probe.
const (
	// NotifyStarted is ready once the container's process runs.
	NotifyStarted Notify = "started"
	// NotifyHealthy is ready once Docker's HEALTHCHECK passes.
	NotifyHealthy Notify = "healthy"
	// NotifyContainer is ready once the container says so itself, by
	// sd_notify(3).
	NotifyContainer Notify = "container"
	// NotifyOff tells systemd nothing.
	NotifyOff Notify = "off"
)

// Probe is a port of the container that is tried.
type Probe struct {
	// Scheme is "tcp", "http" or "https".
	Scheme string
	// Port is a TCP port in the container.
	Port uint16
	// Path is what is asked for by http and https, with its query: it begins
	// with "/".
	Path string
}

// AtOnce says whether the container is ready as soon as its process runs.
func (n Notify) AtOnce() bool { return n == NotifyStarted || n == NotifyOff }

// String returns the probe as a person may read it: a query may be a secret.
func (p Probe) String() string {
	if p.Scheme == "tcp" {
		return fmt.Sprintf("tcp:%d", p.Port)
	}
	path, _, _ := strings.Cut(p.Path, "?")
	return fmt.Sprintf("%s://:%d%s", p.Scheme, p.Port, path)
}

// ParseNotify returns the mode that a text names. The error says what may be
// written.
func ParseNotify(text string) (Notify, error) {
	mode := Notify(text)
	switch mode {
	case NotifyStarted, NotifyHealthy, NotifyContainer, NotifyOff:
		return mode, nil
	}
	if _, ok := mode.Probe(); !ok {
		if strings.Contains(text, "@") {
			text = "..." // what stands before it may be a password
		}
		return "", fmt.Errorf("cannot use %q: use started, healthy, container, off, tcp:PORT, http://:PORT/PATH or https://:PORT/PATH", text)
	}
	return mode, nil
}

// Probe returns the probe of the mode, and false when it has none.
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

// CheckReadiness returns an error when the container could never become ready:
// it waits for a healthcheck, and neither it nor its image has one.
func (c *Container) CheckReadiness(imageHasCheck bool) error {
	if c.Notify == NotifyHealthy && !c.hasCheck(imageHasCheck) {
		return fmt.Errorf("notify is healthy, but neither the container nor image %q has a healthcheck (add one, or use notify: started)", c.Image)
	}
	return nil
}

// hasCheck says whether Docker will check the container. Settings without a
// test, such as an interval, change the image's own check.
func (c *Container) hasCheck(imageHasCheck bool) bool {
	check := c.Config.Healthcheck
	if check == nil || len(check.Test) == 0 {
		return imageHasCheck
	}
	return check.Test[0] != "NONE"
}
