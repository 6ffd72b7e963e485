//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/agent/api"
)

// shopImages are the images that the tests of updates move the tag "stable" to: the
// test application on busybox. A number is its version.
var shopImages = map[string]string{
	"1": `ENV APP_VERSION=1`,
	"2": `ENV APP_VERSION=2`,
	"3": `ENV APP_VERSION=3`,
	"exits": `ENV APP_VERSION=exits
ENTRYPOINT ["sh", "-c", "echo cannot read the configuration; exit 3"]`,
	"exits-later": `ENTRYPOINT ["/app", "-exit-after", "1s", "-exit-code", "7"]`,
	"never-ready": `ENTRYPOINT ["/app", "-ready-after", "1h"]`,
	"sick":        `ENTRYPOINT ["sh", "-c", "touch /sick; exec /app"]`,
	"greedy":      `ENTRYPOINT ["dd", "if=/dev/zero", "of=/dev/null", "bs=209715200"]`,
	"loses-child": `ENTRYPOINT ["sh", "-c", "dd if=/dev/zero of=/dev/null bs=209715200 & exec /app"]`,
	"missing":     `ENTRYPOINT ["/no/such/program"]`,
}

// shopBuilt says that the registry has the images.
var shopBuilt bool

// newShop returns the host with the images of the shop in the registry only, and the tag
// stable at version 1.
func newShop(t *testing.T) *host {
	t.Helper()
	h := newHost(t)
	h.login()
	h.Cleanup(h.forgetsShop)
	h.buildsShop()
	h.moves("1")
	return h
}

// forgetsShop removes the images of the shop from the host.
func (h *host) forgetsShop() {
	h.Helper()
	h.try("systemctl stop dockhost.socket dockhost.service 'dockhost@*'; ids=$(docker ps -aq) && [ -z \"$ids\" ] || docker rm -fv $ids;" +
		" ids=$(docker images -q localhost:5000/shop | sort -u) && [ -z \"$ids\" ] || docker rmi -f $ids")
}

// buildsShop builds the images, and one for another platform, and pushes them.
func (h *host) buildsShop() {
	h.Helper()
	if shopBuilt {
		return
	}
	script := "cd $(mktemp -d)\nmake() { printf '%s\\n' \"$2\" >Dockerfile; DOCKER_BUILDKIT=0 docker build -q -t localhost:5000/shop:$1 . ; docker push -q localhost:5000/shop:$1; }\n" +
		"make base 'FROM localhost:5000/busybox\nCOPY --from=localhost:5000/app:1 /app /app\nENTRYPOINT [\"/app\"]'\n"
	for name, lines := range shopImages {
		script += "make " + name + " 'FROM localhost:5000/shop:base\n" + lines + "'\n"
	}
	h.run(script + "docker pull -q localhost:5000/app:1")
	h.loadForeign()
	h.run("docker tag " + foreign + " localhost:5000/shop:foreign; docker push -q localhost:5000/shop:foreign; docker rmi " + foreign)
	h.forgetsShop()
	shopBuilt = true
}

// registryAPI is curl for a path of the shop's repository in the registry. Docker 29 pushes
// manifests of OCI, older versions those of Docker.
const registryAPI = "curl -fsSk -u deploy:s3cret -H 'Accept: application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json' https://localhost:5000/v2/shop/"

// moves has the tag stable name another image in the registry. The host's Docker does
// not notice.
func (h *host) moves(to string) {
	h.Helper()
	h.run(registryAPI + "manifests/" + to + " >/run/manifest; " + registryAPI + "manifests/stable -X PUT -o /dev/null" +
		" -H \"Content-Type: $(jq -r .mediaType /run/manifest)\" --data-binary @/run/manifest")
}

// digest returns the digest of an image in the registry.
func (h *host) digest(tag string) string {
	h.Helper()
	return "sha256:" + strings.Fields(h.run(registryAPI + "manifests/" + tag + " | sha256sum"))[0]
}

// shop assigns the shop with these settings of updates, and keys of a Compose service.
func shop(update string, keys ...string) string {
	section := `dockhost:
  containers:
    shop:
      image: localhost:5000/shop:stable
      ports: ["8080:8080"]
      environment: {TOKEN: hunter2hunter2}
      deploy: {update_config: {monitor: 2s}}
      x-dockhost: {notify: "http://:8080/healthz", unit: {Service: {TimeoutStartSec: 5s}}, update: {` + update + `}}
`
	for _, key := range keys {
		section += "      " + key + "\n"
	}
	return section + registries
}

// confirmed waits until the shop is ready and the last update of it confirmed.
func (h *host) confirmed() {
	h.Helper()
	h.eventually("the shop is confirmed", func() error {
		c, err := h.container("shop")
		if err != nil {
			return err
		}
		if !c.Ready || c.Update == nil || c.Update.State != api.OutcomeConfirmed {
			return fmt.Errorf("status = %+v, %+v", c, c.Update)
		}
		return nil
	})
}

// serves checks which version of the shop answers.
func (h *host) servesVersion(want string) {
	h.Helper()
	var got struct {
		Version string `json:"version"`
	}
	out := h.run("curl -fsS --retry 20 --retry-delay 1 --retry-connrefused --max-time 20 http://localhost:8080/")
	if err := json.Unmarshal([]byte(out), &got); err != nil || got.Version != want {
		h.Errorf("http://localhost:8080/ = %s, want version %s", out, want)
	}
}

// updates runs a dockhostctl command about updates, which must exit with this status and
// print these texts.
func (h *host) updates(command string, want int, texts ...string) string {
	h.Helper()
	out, code := h.try("dockhostctl " + command)
	if code != want {
		h.Errorf("dockhostctl %s exits %d, want %d: %s", command, code, want, out)
	}
	for _, text := range texts {
		if !strings.Contains(out, text) {
			h.Errorf("dockhostctl %s prints %s, want %q", command, out, text)
		}
	}
	return out
}

// past returns the history of the shop, the newest first.
func (h *host) past() []api.HistoryEntry {
	h.Helper()
	out := h.run("dockhostctl history shop --json")
	var entries []api.HistoryEntry
	if err := json.Unmarshal([]byte(out), &entries); err != nil {
		h.Fatalf("dockhostctl history --json: %v: %s", err, out)
	}
	return entries
}

// showsState waits until an update is in this state, with this text in its reason.
func (h *host) showsState(state, why string) {
	h.Helper()
	h.eventually("the update is "+state+", "+why, func() error {
		c, err := h.container("shop")
		if err == nil && (c.Update == nil || c.Update.State != state || !strings.Contains(c.Update.Why, why)) {
			err = fmt.Errorf("update = %+v", c.Update)
		}
		return err
	})
}

// confirmedBy waits until the last update was confirmed, and had this cause.
func (h *host) confirmedBy(cause api.UpdateCause) {
	h.Helper()
	h.eventually("an update by "+string(cause)+" is confirmed", func() error {
		if last := h.past()[0]; last.Cause != cause || last.Outcome != api.OutcomeConfirmed {
			return fmt.Errorf("history = %+v", last)
		}
		return nil
	})
}
