package housekeeping

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap/zaptest"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/engine/enginetest"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
)

// rig is a host with a fake Engine, and a disk on which each image takes 100 MB
// of 1000.
type rig struct {
	*testing.T
	server   *enginetest.Server
	client   *engine.Client
	root     string
	dir      rundir.Dir
	policy   Policy
	assigned Assigned
	// other is how many bytes other files take.
	other atomic.Int64
	// ahead is how far the clock is set ahead.
	ahead atomic.Int64
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{T: t, server: enginetest.NewServer(t), root: t.TempDir(), policy: DefaultPolicy()}
	r.dir = rundir.Dir(filepath.Join(r.root, rundir.Path))
	client, err := engine.New(engine.Options{Host: r.server.Address()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	r.client = client
	return r
}

// keeper returns another keeper on the host, as after a restart.
func (r *rig) keeper() *Keeper {
	return New(Options{
		Root: r.root, Dir: r.dir, Docker: r.client, Log: zaptest.NewLogger(r.T),
		Policy: func() Policy { return r.policy }, Assigned: func() Assigned { return r.assigned },
		Wanted: func(context.Context) bool { return true }, Changed: func() {}, Statfs: r.statfs,
		Now: func() time.Time { return time.Now().Add(time.Duration(r.ahead.Load())) },
	})
}

func (r *rig) statfs(root string) (Disk, error) {
	used := int64(len(r.server.Images()))*100*mb + r.other.Load()
	return Disk{Root: root, Used: used, Free: max(1000*mb-used, 0), Files: 100, FilesFree: 90}, nil
}

// pulled adds images that dockhost pulled.
func (r *rig) pulled(refs ...string) {
	r.Helper()
	for _, ref := range refs {
		image := enginetest.App()
		image.Size = 100 * mb
		r.server.AddImage(ref, image)
		claim, err := r.dir.Claim(r.Context(), ref)
		if err != nil {
			r.Fatal(err)
		}
		claim.Pulled(r.id(ref))
		claim.Release()
	}
}

func (r *rig) id(ref string) string {
	r.Helper()
	image, err := r.client.Image(r.Context(), ref)
	if err != nil {
		r.Fatal(err)
	}
	return image.ID
}

// runs creates the container app of an image, as a supervisor does, and makes it ready.
func (r *rig) runs(ref string) {
	r.Helper()
	const name = "app"
	if err := r.client.Remove(r.Context(), name); err != nil {
		r.Fatal(err)
	}
	id, _, err := r.client.Create(r.Context(), engine.CreateRequest{
		Name: name, Config: &container.Config{Image: ref, Labels: map[string]string{unitLabel: "dockhost@" + name + ".service"}},
		HostConfig: &container.HostConfig{},
	})
	if err == nil {
		err = r.client.Start(r.Context(), id)
	}
	if err == nil {
		err = r.dir.WriteState(name, rundir.State{Phase: "running", Ready: true, ContainerID: id, Image: ref})
	}
	if err != nil {
		r.Fatal(err)
	}
	r.assigned = Assigned{Images: []string{ref}, Names: []string{name}}
}

func (r *rig) collect(k *Keeper) {
	r.Helper()
	if done, err := k.Collect(r.Context(), "a test"); err != nil || len(done.Problems) > 0 {
		r.Fatalf("Collect() = %+v, %v", done.Problems, err)
	}
}

func (r *rig) later(d time.Duration) { r.ahead.Add(int64(d)) }

func (r *rig) has(want ...string) {
	r.Helper()
	if diff := cmp.Diff(want, r.server.Images()); diff != "" {
		r.Errorf("images (-want +got):\n%s", diff)
	}
}

// Ten updates leave keep_last images, even if the agent is restarted in between.
func TestUpdatesLeaveKeepLast(t *testing.T) {
	r := newRig(t)
	k := r.keeper()
	r.server.AddImage("theirs:1", enginetest.App())
	for _, tag := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"} {
		r.pulled("localhost:5000/app:" + tag)
		r.runs("localhost:5000/app:" + tag)
		r.collect(k)
		r.later(24 * time.Hour)
		if tag == "5" {
			k = r.keeper()
		}
		r.collect(k)
	}
	r.has("docker.io/library/theirs:1", "localhost:5000/app:10", "localhost:5000/app:9")
}

// The image to roll back to stays, however many new images fail.
func TestRollbackTargetStays(t *testing.T) {
	r := newRig(t)
	r.policy.KeepLast = 1
	k := r.keeper()
	r.pulled("app:1")
	r.runs("app:1")
	r.collect(k)
	for _, ref := range []string{"app:2", "app:3"} {
		r.pulled(ref)
		r.runs(ref)
		if err := r.dir.WriteState("app", rundir.State{Phase: "unready"}); err != nil {
			t.Fatal(err)
		}
		r.collect(k)
		r.later(2 * time.Hour)
		r.collect(k)
	}
	r.has("docker.io/library/app:1", "docker.io/library/app:3")
}

// A damaged memory loses only who pulled what, and is replaced.
func TestDamagedMemoryIsReplaced(t *testing.T) {
	for _, text := range []string{"", "{", `{"version":9}`, `{"version":1,"images":{"a":null},"ways":{}}`, `{"version":1}`} {
		r := newRig(t)
		k := r.keeper()
		r.pulled("app:1", "app:2", "app:3", "app:4")
		r.runs("app:4")
		r.collect(k)
		path := filepath.Join(r.root, memoryPath)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r.later(100 * time.Hour)
		k = r.keeper()
		r.collect(k)
		r.has("docker.io/library/app:1", "docker.io/library/app:2", "docker.io/library/app:3", "docker.io/library/app:4")
		raw, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(raw, &memory{})
		}
		if err != nil {
			t.Errorf("the memory is not replaced: %v", err)
		}
	}
}

// An image that a program claims between the plan and the removal stays.
func TestClaimAfterThePlan(t *testing.T) {
	r := newRig(t)
	k := r.keeper()
	r.pulled("app:1", "app:2", "app:3")
	r.collect(k)
	r.later(2 * time.Hour)
	r.other.Store(600 * mb) // 900 of 1000
	in, err := k.gather(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	plan := Make(in, r.policy)
	first := plan.Images[0].Names[0]
	claim, err := r.dir.Claim(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	defer claim.Release()
	k.removeImages(t.Context(), &plan, in, r.policy)
	if images := r.server.Images(); len(images) != 2 || !slices.Contains(images, first) {
		t.Errorf("images = %v, want two, %s among them", images, first)
	}
}

// The status says what fills a full disk, until there is room again.
func TestFullDiskIsReported(t *testing.T) {
	r := newRig(t)
	r.policy.Images = spec.ScopeAll
	k := r.keeper()
	r.pulled("a:1", "b:1")
	r.collect(k)
	r.later(2 * time.Hour)
	r.other.Store(900 * mb)
	done, err := k.Collect(t.Context(), "a test")
	if err != nil || len(r.server.Images()) != 0 || len(done.Holds) == 0 || done.Freed != 200*mb {
		t.Errorf("Collect() = %+v, %v, want all images gone and what fills the disk", done, err)
	}
	if status := k.Status(); !strings.Contains(status.Problem, "90% full") {
		t.Errorf("Status() = %+v, want the problem", status)
	}
	if _, err := k.MakeRoom(t.Context(), 500*mb); err == nil || !strings.Contains(err.Error(), "419.4MB are missing") || !strings.Contains(err.Error(), "other files") {
		t.Errorf("MakeRoom() = %v, want what is missing, and who holds the space", err)
	}
	if plan, err := k.Plan(t.Context()); err != nil || len(plan.Holds) == 0 || plan.Holds[0].Bytes != 900*mb {
		t.Errorf("Plan() = %+v, %v, want what fills the disk", plan.Holds, err)
	}
	k.noteRoom(r.policy)
	if k.Status().Problem == "" {
		t.Error("Status() lacks the problem, and the disk is still full")
	}
	r.other.Store(100 * mb)
	k.noteRoom(r.policy) // a look, without a run
	if status := k.Status(); status.Problem != "" || len(status.Holds) > 0 {
		t.Errorf("Status() = %+v after a look, want no problem any more", status)
	}
	r.collect(k)
	if plan, err := k.Plan(t.Context()); err != nil || len(plan.Holds) > 0 {
		t.Errorf("Plan() = %+v, %v, want nothing of what fills the disk, which is not full", plan.Holds, err)
	}
	if status := k.Status(); status.Problem != "" || len(status.Holds) > 0 {
		t.Errorf("Status() = %+v, want no problem any more", status)
	}
}

// Nothing is removed for a pull that no disk of this size could hold: a registry may
// claim any size.
func TestImpossibleNeedRemovesNothing(t *testing.T) {
	r := newRig(t)
	r.policy.Images = spec.ScopeAll
	k := r.keeper()
	r.pulled("a:1", "b:1")
	r.collect(k)
	r.later(2 * time.Hour)
	if freed, err := k.MakeRoom(t.Context(), 1<<50); freed != 0 || err == nil || !strings.Contains(err.Error(), "so nothing was removed (use a larger disk") {
		t.Errorf("MakeRoom() = %d, %v, want nothing removed", freed, err)
	}
	if len(r.server.Images()) != 2 {
		t.Errorf("images = %v, want both", r.server.Images())
	}
	disk := Disk{Used: 600, Free: 400}
	if need := disk.need([]rundir.Claimed{{Need: 1 << 50}, {Need: 300}, {Need: 1 << 62}}); need != 300 {
		t.Errorf("need = %d, want that of the pull that can fit", need)
	}
}

// The other images are removed even if one cannot be removed.
func TestFailedRemoval(t *testing.T) {
	r := newRig(t)
	k := r.keeper()
	r.pulled("a:1", "b:1", "c:1")
	r.collect(k)
	broken := enginetest.App()
	broken.Undeletable = "unlinkat: input/output error"
	r.server.AddImage("b:1", broken)
	r.later(2 * time.Hour)
	r.other.Store(650 * mb)
	done, err := k.Collect(t.Context(), "a test")
	if err != nil || len(done.Problems) > 1 {
		t.Errorf("Collect() = %+v, %v", done.Problems, err)
	}
	if images := r.server.Images(); len(images) > 2 {
		t.Errorf("images = %v, want fewer", images)
	}
}

// The keeper forgets nothing while Docker is away.
func TestDockerAway(t *testing.T) {
	r := newRig(t)
	k := r.keeper()
	r.pulled("a:1")
	r.server.Down()
	if _, err := k.Collect(t.Context(), "a test"); !errors.Is(err, engine.ErrUnreachable) {
		t.Errorf("Collect() = %v, want ErrUnreachable", err)
	}
	if k.Status().Error == "" {
		t.Error("the status does not say so")
	}
	r.server.Up()
	r.collect(k)
	if k.Status().Error != "" || !k.memory.managed(r.id("a:1")) {
		t.Errorf("Status() = %+v, and what was pulled is remembered: %v", k.Status(), k.memory.managed(r.id("a:1")))
	}
}

// The number of requests to Docker, and what is remembered, does not grow with the number
// of images or runs.
func TestGatherAsksFewTimes(t *testing.T) {
	r := newRig(t)
	k := r.keeper()
	const images, containers = 500, 200
	for n := range images {
		r.server.AddImage(fmt.Sprint("app:", n), enginetest.App())
	}
	for n := range containers {
		request := engine.CreateRequest{Name: fmt.Sprint("c", n), Config: &container.Config{Image: fmt.Sprint("app:", n)}, HostConfig: &container.HostConfig{}}
		if _, _, err := r.client.Create(t.Context(), request); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		before := r.server.Calls()
		in, err := k.gather(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if calls := r.server.Calls() - before; calls > 4 {
			t.Errorf("gathering takes %d calls, want 4 at most", calls)
		}
		if len(in.Images) != images || len(in.Containers) != containers || len(k.memory.Images) != images {
			t.Errorf("gathered are %d images, %d of them remembered, and %d containers", len(in.Images), len(k.memory.Images), len(in.Containers))
		}
	}
}

// Images that were baked into the host's image stay.
func TestPreloadedImageStays(t *testing.T) {
	r := newRig(t)
	k := r.keeper()
	r.pulled("a:1", "b:1")
	r.collect(k)
	path := filepath.Join(r.root, preloadedPath)
	text := `{"version":1,"images":[{"id":"` + r.id("a:1") + `","tags":["a:1"]}]}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r.later(2 * time.Hour)
	r.other.Store(800 * mb)
	r.collect(k)
	r.has("docker.io/library/a:1")
}

// An image that Docker reports as used stays longer than one that was not used.
func TestUsedImageStaysLonger(t *testing.T) {
	r := newRig(t)
	k := r.keeper()
	r.pulled("old:1", "older:1")
	r.collect(k)
	r.later(2 * time.Hour)
	k.noteUse(engine.Use{Image: "old:1", At: k.Now().Add(-time.Minute)})
	r.other.Store(600 * mb)
	r.policy.High, r.policy.Low = 80, 75
	r.collect(k)
	r.has("docker.io/library/old:1")
}
