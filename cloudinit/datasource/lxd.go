package datasource

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/dockhost/dockhost/cloudinit"
	"github.com/dockhost/dockhost/internal/backoff"
)

const (
	lxdSocket = "/dev/lxd/sock"
	// lxdPatience is how long the socket may be missing or answer with errors. In
	// virtual machines lxd-agent creates it.
	lxdPatience = 30 * time.Second
	lxdTimeout  = 5 * time.Second
)

// lxd is the LXD datasource: the socket that LXD and Incus have in an instance.
type lxd struct {
	options Options
	host    *host
}

func detectLXD(h *host) (string, bool) {
	if h.exists(lxdSocket) {
		return lxdSocket, true
	}
	return "DMI board name LXD", h.dmi("board_name") == "LXD"
}

func (l lxd) Name() string { return "LXD" }

func (l lxd) Read(ctx context.Context) (*cloudinit.UserData, error) {
	if _, ok := detectLXD(l.host); !ok {
		return nil, ErrNotFound
	}
	text, err := l.ask(ctx, "/1.0/meta-data")
	if err != nil {
		return nil, err
	}
	m, err := parseMeta(text)
	if err != nil {
		return nil, err
	}
	if text, err = l.config(ctx, "user.meta-data"); err != nil {
		return nil, err
	}
	own, err := parseMeta(text)
	if err != nil {
		return nil, fmt.Errorf("user.meta-data: %w", err)
	}
	m = own.under(m)
	data := &cloudinit.UserData{Datasource: "LXD"}
	for _, key := range []string{"cloud-init.user-data", "user.user-data"} {
		data.Path = key
		if data.Raw, err = l.config(ctx, key); err != nil {
			return nil, err
		}
		if data.Raw != nil {
			break
		}
	}
	data.InstanceID = m.instanceID(l.host.uuid("lxd"))
	data.Metadata = m.values(l.host, cloudNames{name: "lxd", cloud: "lxd", sub: "LXD socket API v. 1.0 (" + lxdSocket + ")"})
	return data, nil
}

// config returns the value of a key, nil where the instance has none.
func (l lxd) config(ctx context.Context, key string) ([]byte, error) {
	return l.ask(ctx, "/1.0/config/"+key)
}

// ask gets one resource, or nil if it does not exist. LXD answers 500 while it is
// busy, so 500 is tried again, as cloud-init does.
func (l lxd) ask(ctx context.Context, resource string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, lxdPatience)
	defer cancel()
	wait := backoff.Backoff{Next: 100 * time.Millisecond, Cap: time.Second}
	for {
		raw, again, err := l.askOnce(ctx, resource)
		if err == nil || !again {
			l.options.waiting("")
			return raw, err
		}
		l.options.waiting(err.Error())
		if wait.Wait(ctx) != nil {
			l.options.waiting("")
			return nil, err
		}
	}
}

func (l lxd) askOnce(ctx context.Context, resource string) (raw []byte, again bool, err error) {
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(l.host.root, lxdSocket))
		},
	}
	client := &http.Client{
		Transport: transport, Timeout: lxdTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://lxd"+resource, nil)
	if err != nil {
		return nil, false, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, true, fmt.Errorf("ask %s: %w", lxdSocket, err)
	}
	defer func() { _ = response.Body.Close() }()
	switch code := response.StatusCode; {
	case code == http.StatusNotFound && strings.HasPrefix(resource, "/1.0/config/"):
		return nil, false, nil
	case code != http.StatusOK:
		return nil, code >= http.StatusInternalServerError, fmt.Errorf("ask %s for %s: %s", lxdSocket, resource, response.Status)
	}
	raw, err = readCapped(response.Body)
	if err != nil {
		return nil, false, fmt.Errorf("ask %s for %s: %w", lxdSocket, resource, err)
	}
	return raw, false, nil
}
