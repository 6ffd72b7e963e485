// Package fleetlock asks a lock manager for one of the slots of a fleet, so that only
// so many hosts replace a container at the same time. It speaks the FleetLock protocol
// of Zincati: https://coreos.github.io/zincati/development/fleetlock/protocol/. It
// makes one request at a time, and leaves waiting to its caller.
package fleetlock

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dockhost/dockhost/internal/backoff"
)

const (
	// timeout bounds a request with its answer.
	timeout = 20 * time.Second
	// maxAnswer is how many bytes of an answer are read.
	maxAnswer = 16 << 10
	// firstWait and longestWait bound the wait between two tries. With 10,000 hosts
	// that wait, the lock manager gets about 30 requests a second.
	firstWait, longestWait = 10 * time.Second, 5 * time.Minute
)

// Client asks one lock manager on behalf of one host.
type Client struct {
	base, group, id string
	http            *http.Client
}

// New returns a client for the lock manager at a base URL, to which /v1/pre-reboot is
// added. The group has the slots. The id identifies the host: see [ID].
//
// The client uses the proxy that the environment of the agent names (https_proxy and
// no_proxy), and the certificates of the host. It follows no redirect.
func New(baseURL, group, id string) *Client {
	return &Client{
		base: strings.TrimRight(baseURL, "/"), group: group, id: id,
		http: &http.Client{
			Transport: &http.Transport{
				Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 64 << 10,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// ID returns the id of this host for lock managers, "" if the host has neither a
// machine-id nor an instance-id. It is stable, differs between clones of a disk, and
// does not disclose the machine-id (machine-id(5) demands that): it is a keyed hash,
// like that of sd_id128_get_machine_app_specific(3).
func ID(machineID, instanceID string) string {
	if machineID == "" && instanceID == "" {
		return ""
	}
	mac := hmac.New(sha256.New, []byte(machineID))
	_, _ = io.WriteString(mac, "dockhost fleetlock\x00"+instanceID)
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// Tries returns the waits between tries, until a slot is free or the lock manager
// answers again.
func Tries() backoff.Backoff { return backoff.Backoff{Next: firstWait, Cap: longestWait} }

// Acquire takes a slot (pre-reboot). A host that has one keeps it. The error is
// [ErrBusy] when the lock manager answered that it gives none now. Any other error
// says that it gave no valid answer; then a slot may have been taken all the same.
func (c *Client) Acquire(ctx context.Context) error {
	err := c.post(ctx, "/v1/pre-reboot")
	if answer, ok := errors.AsType[*Error](err); ok && answer.busy() {
		return fmt.Errorf("%w of group %q at %s: %w", ErrBusy, c.group, c.where(), err)
	}
	if err != nil {
		return fmt.Errorf("ask %s for a slot of group %q: %w", c.where(), c.group, err)
	}
	return nil
}

// Release gives the slot back (steady-state). Without a slot it changes nothing, so it
// may be called again.
func (c *Client) Release(ctx context.Context) error {
	if err := c.post(ctx, "/v1/steady-state"); err != nil {
		return fmt.Errorf("give a slot of group %q back to %s: %w", c.group, c.where(), err)
	}
	return nil
}

// request is the body of a request.
type request struct {
	Client params `json:"client_params"`
}

type params struct {
	ID    string `json:"id"`
	Group string `json:"group"`
}

func (c *Client) post(ctx context.Context, path string) error {
	body, err := json.Marshal(request{params{ID: c.id, Group: c.group}})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %s", timeout))
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(body))
	if err != nil {
		return errors.New("bad address (correct fleet_lock.base_url)")
	}
	r.Header.Set("Fleet-Lock-Protocol", "true")
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "dockhost")
	response, err := c.http.Do(r)
	if err != nil {
		return unanswered(ctx, err)
	}
	defer func() { _ = response.Body.Close() }()
	return judge(response)
}

// unanswered returns why a request has no answer, without the address, which the caller
// names.
func unanswered(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if outer, ok := errors.AsType[*url.Error](err); ok {
		return outer.Err
	}
	return err
}

// where is the lock manager's address without a path and a password, for messages.
func (c *Client) where() string {
	u, err := url.Parse(c.base)
	if err != nil || u.Host == "" {
		return "the lock manager"
	}
	return u.Scheme + "://" + u.Host
}
