//go:build e2e

package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/agent/api"
)

// keepsHouse restarts the agent with these housekeeping settings, and without its
// record of images.
func (h *host) keepsHouse(policy string) {
	h.Helper()
	h.write("/etc/dockhost/dockhost.yaml", "housekeeping: {"+policy+"}\n")
	h.run("systemctl stop dockhost.service dockhost.socket; rm -f /var/lib/dockhost/images.json; systemctl start dockhost.socket")
}

// images returns Docker's images of a repository, sorted.
func (h *host) images(repository string) []string {
	h.Helper()
	out := strings.Fields(h.run("docker image ls --format '{{.Repository}}:{{.Tag}}' '" + repository + "'"))
	slices.Sort(out)
	return out
}

// gc returns what dockhostctl gc --json prints, and its exit status.
func (h *host) gc(args string) (api.GC, int) {
	h.Helper()
	out, code := h.try("dockhostctl gc --json " + args)
	var gc api.GC
	if err := json.Unmarshal([]byte(out), &gc); err != nil {
		h.Fatalf("dockhostctl gc --json %s: %v: %s", args, err, out)
	}
	return gc, code
}

// used returns how full the file system of Docker's data is, in percent.
func (h *host) used() int {
	h.Helper()
	percent, err := strconv.Atoi(strings.Trim(h.output("df --output=pcent $(docker info -f '{{.DockerRootDir}}') | tail -n 1"), " %"))
	if err != nil {
		h.Fatal(err)
	}
	return percent
}

// sees waits until housekeeping has recorded the image of the container app.
func (h *host) sees() {
	h.Helper()
	h.eventually("housekeeping sees app", func() error {
		out, _ := h.try("jq -r .ways.app.container /var/lib/dockhost/images.json; jq -r .container_id /run/dockhost/state/app.json")
		if ids := strings.Fields(out); len(ids) != 2 || ids[0] != ids[1] {
			return fmt.Errorf("containers in images.json and in the state = %q", out)
		}
		return nil
	})
}

// replacedBy waits until the container app runs this image and is ready.
func (h *host) replacedBy(image string) {
	h.Helper()
	h.within(3*time.Minute, image+" runs", func() error {
		c, err := h.container("app")
		if err != nil || !c.Ready || c.Pending != nil || c.Image != image {
			return fmt.Errorf("status = %+v (%+v), %w", c, c.Pending, err)
		}
		if got, _ := h.try("docker inspect -f '{{.Config.Image}}' app"); strings.TrimSpace(got) != image {
			return fmt.Errorf("image = %s", got)
		}
		return nil
	})
}

// TestHousekeepingRemovesDownToLowMark fills the disk over the high mark:
// housekeeping removes the least recently used images down to the low mark. It
// keeps images that are pinned, in use, or needed for a rollback.
func TestHousekeepingRemovesDownToLowMark(t *testing.T) {
	h := newHost(t)
	h.smallDisk("400m")
	h.keepsHouse(`images: all, min_age: 0s, keep_last: 1, high: 80%, low: 50%, keep: "fill:1", interval: 24h, build_cache: off`)
	h.assign(app())
	h.ready("app")
	h.sees()
	h.assign(strings.Replace(app(), "app:1", "app:2", 1))
	h.replacedBy("localhost:5000/app:2")
	h.sees()
	h.makes("40M", "fill:1", "fill:2", "fill:3")
	h.run("docker create --name holds fill:2 x >/dev/null")
	h.makes("40M", "fill:4", "fill:5", "fill:6")
	plan, code := h.gc("--dry-run")
	if code != 0 || plan.Done || plan.Disk.Wanted != 0 || len(h.images("fill")) != 6 {
		t.Errorf("gc --dry-run exits %d with %+v, want 0 and nothing to remove", code, plan.Disk)
	}
	h.makes("40M", "fill:7", "fill:8")
	h.within(3*time.Minute, "housekeeping has removed images", func() error {
		want := []string{"fill:1", "fill:2", "fill:7", "fill:8"}
		if diff := cmp.Diff(want, h.images("fill")); diff != "" {
			return fmt.Errorf("images (-want +got):\n%s", diff)
		}
		return nil
	})
	if used := h.used(); used > 50 || used < 40 {
		t.Errorf("the disk is %d%% full, want 40%% to 50%%, the low mark", used)
	}
	if got := h.images("localhost:5000/app"); !slices.Equal(got, []string{"localhost:5000/app:1", "localhost:5000/app:2"}) {
		t.Errorf("images = %v, want the running one and the previous one", got)
	}
	for image, reason := range map[string]string{
		"fill:1": "pinned", "fill:2": "in-use: container holds uses it", "localhost:5000/app:1": "rollback: container app goes back to it",
		"localhost:5000/app:2": "in-use", "fill:8": "room",
	} {
		if out, code := h.try("dockhostctl gc --explain " + image); code != 0 || !strings.Contains(out, reason) {
			t.Errorf("gc --explain %s exits %d: %s, want %q", image, code, out, reason)
		}
	}
	if out, code := h.try("dockhostctl gc --explain fill:3"); code != 1 || !strings.Contains(out, `no image "fill:3"`) {
		t.Errorf("gc --explain of a removed image exits %d and prints %s, want 1 and no image", code, out)
	}
}

// TestHousekeepingKeepsPreviousImage makes ten updates in a row: housekeeping
// keeps the running image and the previous one, and images that dockhost did not
// pull.
func TestHousekeepingKeepsPreviousImage(t *testing.T) {
	h := newHost(t)
	h.loggedIn()
	h.run(`
		docker pull -q localhost:5000/app:1 >/dev/null
		for n in 1 2 3 4 5 6 7 8 9 10; do
			id=$(docker create localhost:5000/app:1) && docker commit -c "LABEL night=$n" $id localhost:5000/nightly:$n >/dev/null
			docker rm $id >/dev/null && docker push -q localhost:5000/nightly:$n >/dev/null && docker rmi localhost:5000/nightly:$n >/dev/null
		done`)
	t.Cleanup(func() {
		h.run("docker rmi -f localhost:5000/nightly:9 localhost:5000/nightly:10 theirs:1 >/dev/null 2>&1 || true")
	})
	h.makes("100K", "theirs:1")
	h.keepsHouse("min_age: 0s, interval: 24h")
	for night := 1; night <= 10; night++ {
		h.assign(strings.Replace(app(), "app:1", fmt.Sprint("nightly:", night), 1))
		h.replacedBy(fmt.Sprint("localhost:5000/nightly:", night))
		want := []string{fmt.Sprint("localhost:5000/nightly:", night)}
		if night > 1 {
			want = append(want, fmt.Sprint("localhost:5000/nightly:", night-1))
		}
		slices.Sort(want)
		h.eventually("only the wanted images are left", func() error {
			if diff := cmp.Diff(want, h.images("localhost:5000/nightly")); diff != "" {
				return fmt.Errorf("images (-want +got):\n%s", diff)
			}
			return nil
		})
		h.sees()
	}
	for _, theirs := range []string{"theirs", "localhost:5000/app"} {
		if len(h.images(theirs)) == 0 {
			t.Errorf("housekeeping removed %s, which dockhost did not pull", theirs)
		}
	}
}

// TestHousekeepingMakesRoomForPull pulls an image that does not fit: housekeeping
// removes others, while the agent and the container keep running.
func TestHousekeepingMakesRoomForPull(t *testing.T) {
	h := newHost(t)
	disk, size := "800m", "100M"
	if h.storesInContainerd() { // app:big takes 600 MB, which most of the disk is not
		disk, size = "1400m", "200M"
	}
	h.smallDisk(disk)
	h.keepsHouse("images: all, min_age: 0s, interval: 24h, build_cache: off")
	h.assign(app())
	h.ready("app")
	h.sees()
	agent := h.property("dockhost", "MainPID")
	h.makes(size, "fill:1", "fill:2", "fill:3", "fill:4")
	h.assign(strings.Replace(app(), "app:1", "app:big", 1))
	h.replacedBy("localhost:5000/app:big")
	if left := h.images("fill"); len(left) == 4 {
		t.Errorf("images = %v, want fewer than 4", left)
	}
	if now := h.property("dockhost", "MainPID"); now != agent {
		t.Errorf("MainPID of the agent = %s, want %s", now, agent)
	}
	h.run("docker image ls -q fill | xargs -r docker rmi")
	h.refusedBeforePull()
	h.run("dockhostctl gc")
	const warnings = "journalctl --sync; journalctl -u dockhost.service -o cat | grep -c 'disk too full, and no more can be removed' || true"
	before, _ := strconv.Atoi(h.output(warnings))
	h.run("fallocate -l $(df --output=avail -B1 /run/dockhost-e2e-disk | tail -n 1) /run/dockhost-e2e-disk/junk")
	gc, code := h.gc("")
	if code != 3 || len(gc.Holds) == 0 {
		t.Errorf("gc of a disk full of other files exits %d with %+v, want 3 and what fills it", code, gc.Holds)
	}
	h.gc("")
	if times, _ := strconv.Atoi(h.output(warnings)); times != before+1 {
		t.Errorf("the journal warns %d times about the full disk, want once", times-before)
	}
	if s, code := h.status(); code != 3 || s.Housekeeping == nil || !strings.Contains(s.Housekeeping.Problem, "100% full") {
		t.Errorf("status exits %d with %+v, want 3 and the problem", code, s.Housekeeping)
	}
	if out, _ := h.try("dockhostctl status"); !strings.Contains(out, "other files on the file system of /run/dockhost-e2e-disk") {
		t.Errorf("status = %s, want what fills the disk", out)
	}
	h.run("rm /run/dockhost-e2e-disk/junk; dockhostctl gc")
	if s, code := h.status(); code != 0 || s.Housekeeping.Problem != "" {
		t.Errorf("status exits %d with %+v, want 0 and no problem", code, s.Housekeeping)
	}
}

// refusedBeforePull assigns an image that cannot fit: it is refused before any
// layer is pulled, and the old container keeps running.
func (h *host) refusedBeforePull() {
	h.Helper()
	pid, since := h.pid("app"), h.now()
	h.run("fallocate -l $(($(df --output=avail -B1 /run/dockhost-e2e-disk | tail -n 1) - 20000000)) /run/dockhost-e2e-disk/junk")
	h.assign(strings.Replace(app(), "app:1", "nginx:1.22", 1))
	h.eventually("the image is refused", func() error {
		c, err := h.container("app")
		if err != nil || c.Pending == nil {
			return fmt.Errorf("status = %+v, %w", c, err)
		}
		for _, part := range []string{`image "localhost:5000/nginx:1.22" was not pulled: 48`, "are missing", "most is held by other files"} {
			if !strings.Contains(c.Pending.Error, part) {
				return fmt.Errorf("pending error = %q, want %q in it", c.Pending.Error, part)
			}
		}
		return nil
	})
	if now := h.pid("app"); now != pid {
		h.Errorf("pid = %s, want %s", now, pid)
	}
	// Docker fetches the configuration, but no layer.
	if out, code := h.try("journalctl -u docker-registry.service -o cat --since @" + since + " | grep -E 'GET /v2/nginx/blobs/.* 200 [0-9]{6,}'"); code == 0 {
		h.Errorf("layers were pulled: %s", out)
	}
	h.run("rm /run/dockhost-e2e-disk/junk")
	h.assign(strings.Replace(app(), "app:1", "app:big", 1))
	h.eventually("nothing is pending", func() error {
		if c, err := h.container("app"); err != nil || c.Pending != nil {
			return fmt.Errorf("status = %+v, %w", c, err)
		}
		return nil
	})
}

// TestHousekeepingSurvivesKilledAgent kills the agent during a run: the next run
// completes it. It also checks that a run does not start a stopped Docker.
func TestHousekeepingSurvivesKilledAgent(t *testing.T) {
	h := newHost(t)
	h.keepsHouse(`images: all, min_age: 0s, max_age: 1ns, interval: 24h`)
	h.run("systemctl start dockhost && systemctl stop docker.socket docker.service")
	if out, code := h.try("dockhostctl gc"); code != 1 || !strings.Contains(out, "docker.sock") {
		t.Errorf("gc without Docker exits %d: %s, want 1 and the reason", code, out)
	}
	h.run("systemctl start docker.service")
	var names []string
	for n := range 60 {
		names = append(names, fmt.Sprint("tiny:", n))
	}
	h.makes("10K", names...)
	for range 3 { // kill it as soon as the first image is removed
		h.run(`
			since=$(date +%s.%N)
			until dockhostctl gc >/dev/null 2>&1; do :; done &
			read -r _ < <(docker events --since $since -f type=image -f event=delete)
			kill $!
			systemctl kill -s KILL dockhost.service`)
	}
	if left := h.images("tiny"); len(left) == 0 {
		t.Error("the runs removed all images before the agent was killed: the test needs more images")
	}
	h.eventually("a run succeeds", func() error {
		if out, code := h.try("dockhostctl gc"); code != 0 {
			return fmt.Errorf("it exits %d: %s", code, out)
		}
		return nil
	})
	if left := h.images("tiny"); len(left) > 0 {
		t.Errorf("images = %v, want none", left)
	}
	h.run("jq -e .version /var/lib/dockhost/images.json; [ -z \"$(find /var/lib/dockhost -name '.images.json*')\" ]")
}

// TestHousekeepingRemovesCacheAndVolumes removes build cache, and anonymous
// volumes without a container, only if the settings say so.
func TestHousekeepingRemovesCacheAndVolumes(t *testing.T) {
	h := newHost(t)
	h.keepsHouse("images: off, interval: 24h, build_cache: off")
	h.run("systemctl start dockhost; docker login -u deploy -p s3cret localhost:5000 2>/dev/null; docker pull -q localhost:5000/busybox")
	anonymous := h.output("docker volume create")
	h.run("docker volume create named >/dev/null; docker create --name has -v /data localhost:5000/busybox >/dev/null")
	inUse := h.output("docker inspect -f '{{range .Mounts}}{{.Name}}{{end}}' has")
	// Up to version 22, Docker's command builds with BuildKit without a plugin. The
	// layers of the first stage are only in the build cache, not in an image.
	h.write("/run/e2e-dockerfile", "FROM localhost:5000/busybox AS one\nRUN head -c 100000 /dev/urandom >/large && echo x >/small\n"+
		"FROM localhost:5000/busybox\nCOPY --from=one /small /small\n")
	_, code := h.try("DOCKER_BUILDKIT=1 docker build -q -t built - </run/e2e-dockerfile && docker rmi built")
	builds := code == 0
	if !builds && *suite == "bookworm" {
		t.Error("no build cache was made")
	}
	volumes := func() []string { return strings.Fields(h.run("docker volume ls -q | sort")) }
	if gc, code := h.gc(""); code != 0 || len(gc.Removed) > 0 || len(volumes()) != 3 {
		t.Errorf("gc with everything off exits %d and removes %v, want nothing; volumes = %v", code, gc.Removed, volumes())
	}

	since := h.now()
	h.keepsHouse("images: off, interval: 24h, build_cache: 1s, volumes: dangling")
	h.run("systemctl start dockhost")
	h.eventually("housekeeping has removed cache and volumes", func() error {
		if _, code := h.gc(""); code != 0 {
			return fmt.Errorf("gc exits %d", code)
		}
		// The agent may have removed them before gc did.
		removed := h.run("journalctl -u dockhost.service -o cat --since @" + since + " | grep 'removed what=' || true")
		if !strings.Contains(removed, `what="volume `+anonymous) || builds && !strings.Contains(removed, "B of build cache") {
			return fmt.Errorf("removed = %q, want the volume %s, and build cache: %t", removed, anonymous, builds)
		}
		return nil
	})
	want := []string{inUse, "named"}
	slices.Sort(want)
	if diff := cmp.Diff(want, volumes()); diff != "" {
		t.Errorf("volumes left (-want +got):\n%s", diff)
	}
}

var load = flag.Int("load", 30, "how many images TestHousekeepingRemovesManyImages makes")

// TestHousekeepingRemovesManyImages removes many images, and logs the time that a
// plan, a run and Docker's own commands take. -load sets the number of images.
func TestHousekeepingRemovesManyImages(t *testing.T) {
	h := newHost(t)
	h.keepsHouse(`images: all, min_age: 0s, max_age: 1ns, max_removals: 1000, interval: 24h, build_cache: off`)
	h.run("systemctl start dockhost; docker image prune -af >/dev/null")
	var names []string
	for n := range *load {
		names = append(names, fmt.Sprint("load:", n))
	}
	took := func(script string) time.Duration {
		start := time.Now()
		h.run(script)
		return time.Since(start).Round(time.Millisecond)
	}
	h.makes("50K", names...)
	t.Logf("dockhostctl gc --dry-run: %s, docker system df: %s", took("dockhostctl gc --dry-run"), took("docker system df"))
	rss := func() string {
		return h.output("awk '/^VmHWM/ {print $2, $3}' /proc/$(systemctl show --value -p MainPID dockhost)/status")
	}
	before := rss()
	t.Logf("dockhostctl gc: %s; the agent's peak memory %s, %s before", took("dockhostctl gc"), rss(), before)
	if left := h.images("load"); len(left) > 0 {
		t.Errorf("images = %v, want none", left)
	}
	h.makes("50K", names...)
	t.Logf("docker image prune -a: %s", took("docker image prune -af"))
}
