//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dockhost/dockhost/agent/api"
)

// TestUpdateSurvivesFaults has the registry answer rubbish, send other bytes than the
// digest says, and Docker's disk be too full: the old container keeps running, and the
// status says why it does.
func TestUpdateSurvivesFaults(t *testing.T) {
	h := newShop(t)
	h.assign(shop("policy: registry, check: 1h"))
	h.confirmed()
	pid := h.pid("shop")
	const storage = "/var/lib/docker-registry/docker/registry/v2/"
	const link = storage + "repositories/shop/_manifests/tags/stable/current/link"
	t.Cleanup(func() { h.moves("1") })
	h.run("printf 'sha256:no-digest' >" + link)
	h.updates("update shop", 1, "localhost:5000/shop:stable")
	h.showsCheckError("localhost:5000/shop:stable")

	h.moves("3")
	h.limitsRequests()
	config := h.output(registryAPI + "manifests/3 | jq -r .config.digest")
	blob := storage + "blobs/sha256/" + config[7:9] + "/" + config[7:] + "/data"
	h.run("cp -a " + blob + " /run/blob && printf 'x%.0s' $(seq $(stat -c %s /run/blob)) >" + blob)
	t.Cleanup(func() { h.run("cp -a /run/blob " + blob) })
	h.updates("update shop", 6, "localhost:5000/shop@"+h.digest("3"))
	h.showsState(api.OutcomeRefused, "shop@"+h.digest("3"))
	if _, code := h.status(); code != 3 {
		t.Errorf("status exits %d, want 3", code)
	}
	if now := h.pid("shop"); now != pid {
		t.Errorf("pid = %s, want %s", now, pid)
	}
	h.run("cp -a /run/blob " + blob)
	h.updates("update shop", 0)
	h.servesVersion("3")
}

// limitsRequests has the registry refuse all requests for five hours. Nobody but a person
// asks it again before.
func (h *host) limitsRequests() {
	h.Helper()
	h.Cleanup(func() { h.run("systemctl start docker-registry") })
	h.run("systemctl stop docker-registry")
	h.startReceiver("-listen :5000 -refusals 1000 -status 429 -retry-after 18000")
	h.eventually("the registry refuses requests", func() error {
		if out, _ := h.try("curl -sk -o /dev/null -w '%{http_code}' https://localhost:5000/v2/"); out != "429" {
			return fmt.Errorf("it answers %s", out)
		}
		return nil
	})
	h.updates("update shop", 1, "429")
	h.showsCheckError("429")
	c, err := h.container("shop")
	if err != nil || c.Update.NextCheck == nil || time.Until(*c.Update.NextCheck) < 4*time.Hour {
		h.Errorf("status = %+v, %v, want the next check in five hours", c.Update, err)
	}
	h.stopReceiver()
	h.run("systemctl start docker-registry")
	h.eventually("the registry answers", func() error {
		if out, code := h.try(registryAPI + "tags/list"); code != 0 {
			return fmt.Errorf("it does not: %s", out)
		}
		return nil
	})
}

// showsCheckError waits until the status has an answer of the registry with this text.
func (h *host) showsCheckError(text string) {
	h.Helper()
	h.eventually("the status has the answer of the registry", func() error {
		c, err := h.container("shop")
		if err == nil && (c.Update == nil || !strings.Contains(c.Update.CheckError, text)) {
			err = fmt.Errorf("update = %+v", c.Update)
		}
		return err
	})
}

// TestUpdateSurvivesFullDisk changes the image to one for which the disk has no room.
func TestUpdateSurvivesFullDisk(t *testing.T) {
	h := newShop(t)
	h.smallDisk("100m")
	h.assign(shop(""))
	h.confirmed()
	pid := h.pid("shop")
	h.assign(strings.Replace(shop(""), "shop:stable", "app:big", 1))
	h.showsState(api.OutcomeRefused, "do not fit")
	if now := h.pid("shop"); now != pid {
		t.Errorf("pid = %s, want %s", now, pid)
	}
	h.servesVersion("1")
	if c, err := h.container("shop"); err != nil || !c.Ready || c.Pending == nil || !strings.Contains(c.Pending.Error, "do not fit") {
		t.Errorf("status = %+v, %v, want ready, and a pending image without space", c, err)
	}
}
