//go:build e2e

package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/agent/webhook"
)

const (
	webhookSecret   = "00112233445566778899aabbccddeeff"
	webhookSettings = "update: {webhook: {url: 'https://localhost:8443/updates', secret_file: /etc/dockhost/webhook.secret}}\n"
)

// received is a request to test/receiver.
type received struct {
	Method, Path, Signature, Body string
	Status                        int
}

// startReceiver runs an https server with the certificate of the registry.
func (h *host) startReceiver(arguments string) {
	h.Helper()
	h.Cleanup(h.stopReceiver)
	h.startProgram("receiver", h.program("../receiver"), arguments)
}

// stopReceiver stops it.
func (h *host) stopReceiver() { h.try("systemctl stop test-receiver") }

// received returns the requests.
func (h *host) received() []received {
	h.Helper()
	var all []received
	for line := range strings.Lines(h.run("cat /run/requests.json")) {
		var r received
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			h.Fatalf("request %q: %v", line, err)
		}
		all = append(all, r)
	}
	return all
}

// TestFailureAction has updates fail that are not rolled back, and a webhook tell of them:
// after pause no newer image is tried, after continue the next one is.
func TestFailureAction(t *testing.T) {
	h := newShop(t)
	h.startReceiver("-refusals 1")
	h.write("/etc/dockhost/dockhost.yaml", webhookSettings)
	h.write("/etc/dockhost/webhook.secret", webhookSecret+"\n")
	h.run("chmod 600 /etc/dockhost/webhook.secret")
	section := func(action, update string) string {
		return strings.Replace(shop(update), "monitor: 2s", "monitor: 5s, failure_action: "+action, 1)
	}
	h.assign(section("pause", ""))
	h.confirmed()
	h.moves("exits-later")
	h.updates("update shop", 1, "container ended with exit code 7")
	h.failed("exits-later")
	if c, err := h.container("shop"); err != nil || !strings.Contains(c.Update.Paused, "exit code 7") {
		t.Errorf("status = %+v, %v, want a pause", c.Update, err)
	}
	h.moves("2")
	h.updates("update shop", 0, "confirmed")
	h.servesVersion("2")

	h.assign(section("continue", "policy: registry, check: 10s"))
	h.moves("exits-later")
	h.updates("update shop", 1, "container ended with exit code 7")
	h.failed("exits-later")
	h.moves("3")
	h.confirmedBy(api.CauseRegistry)
	h.servesVersion("3")
	h.hears("failed by update", "confirmed by update", "failed by update", "confirmed by registry")
}

// failed checks that the last update failed, and was not rolled back.
func (h *host) failed(image string) {
	h.Helper()
	if last := h.past()[0]; last.Outcome != api.OutcomeFailed || last.To.Digest != h.digest(image) {
		h.Errorf("history = %+v, want an update to %s that failed", last, image)
	}
	runs := h.output("docker inspect -f '{{.Image}}' shop || docker image inspect -f '{{.Id}}' dockhost.local/current:shop")
	if want := h.output("docker image inspect -f '{{.Id}}' localhost:5000/shop@" + h.digest(image)); runs != want {
		h.Errorf("image %s runs, want %s, which failed", runs, want)
	}
}

// hears waits until the receiver was told of these outcomes, in their order, and once each.
// The first request was refused, and is repeated.
func (h *host) hears(outcomes ...string) {
	h.Helper()
	h.eventually("the receiver hears of all outcomes", func() error {
		var told []string
		ids := map[string]bool{}
		for i, r := range h.received() {
			var event webhook.Event
			if err := json.Unmarshal([]byte(r.Body), &event); err != nil {
				return fmt.Errorf("body %q: %w", r.Body, err)
			}
			mac := hmac.New(sha256.New, []byte(webhookSecret))
			mac.Write([]byte(r.Body))
			if want := "sha256=" + hex.EncodeToString(mac.Sum(nil)); r.Signature != want || r.Method != http.MethodPost || r.Path != "/updates" {
				h.Errorf("%s %s with signature %q, want a POST to /updates with %q", r.Method, r.Path, r.Signature, want)
			}
			if strings.Contains(r.Body, "hunter2") || strings.Contains(r.Body, webhookSecret) || len(event.Output) > 0 || event.Name != "shop" || event.Hostname == "" {
				h.Errorf("event = %s, want one of the shop without a secret and without output", r.Body)
			}
			if (i == 0) != (r.Status == 503) || ids[event.ID] && i != 1 {
				h.Errorf("request %d = %+v, want the first to be refused and repeated, and no other one", i, r)
			}
			ids[event.ID] = true
			if r.Status == 200 {
				told = append(told, event.Outcome+" by "+string(event.Cause))
			}
		}
		if got, want := strings.Join(told, ", "), strings.Join(outcomes, ", "); got != want {
			return fmt.Errorf("told of %s, want %s", got, want)
		}
		return nil
	})
}
