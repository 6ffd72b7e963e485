package housekeeping

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/spec"
)

var update = flag.Bool("update", false, "write the golden files again")

// now is the time of the tests.
var now = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)

const (
	mb  = 1 << 20
	day = 24 * time.Hour
)

// id returns an image's ID, of a name that is a hexadecimal digit.
func id(name string) string { return "sha256:" + strings.Repeat(name, 64)[:64] }

// pulled returns an image that dockhost pulled some time ago, with its own layer.
func pulled(name, ref string, ago time.Duration, layers ...string) Image {
	return Image{
		ID: id(name), Tags: []string{ref}, Managed: true, Pulled: []string{ref}, Arrived: now.Add(-ago), Size: 100 * mb,
		Layers: append([]string{"own-" + name}, layers...),
	}
}

// host returns a host with a disk that is used percent full.
func host(used int64, images ...Image) Input {
	in := Input{
		Now: now, Images: images, Layers: map[string]int64{"base": 50 * mb}, Rollback: map[string]string{}, Preloaded: map[string]bool{},
		Disk: Disk{Root: "/var/lib/docker", Used: used * 10 * mb, Free: (100 - used) * 10 * mb, Files: 1000, FilesFree: 900},
	}
	for _, image := range images {
		for _, layer := range image.Layers {
			if strings.HasPrefix(layer, "own-") {
				in.Layers[layer] = 100 * mb
			}
		}
	}
	return in
}

// TestMake compares plans with golden files.
func TestMake(t *testing.T) {
	nightly := []Image{
		pulled("1", "r.test/app:1", 9*day, "base"), pulled("2", "r.test/app:2", 8*day, "base"), pulled("3", "r.test/app:3", 7*day, "base"),
		pulled("4", "r.test/app:4", 6*day, "base"),
	}
	tests := []struct {
		name  string
		setUp func() (Input, Policy)
	}{
		{"nightly", func() (Input, Policy) {
			in := host(20, nightly...)
			in.Containers = []Container{{ID: "c1", Name: "app", ImageID: id("4"), Managed: true}}
			in.Assigned = []string{"r.test/app:4"}
			in.Rollback[id("3")] = "app"
			return in, DefaultPolicy()
		}},
		{"full", func() (Input, Policy) {
			in := host(97, append(slices.Clone(nightly),
				pulled("5", "r.test/old:1", 30*day), pulled("6", "r.test/old:2", 20*day), pulled("7", "r.test/pinned:1", 40*day),
				Image{ID: id("8"), Tags: []string{"theirs:1"}, Arrived: now.Add(-50 * day), Size: mb, Layers: []string{"own-8"}},
				Image{ID: id("9"), Arrived: now.Add(-2 * time.Hour), Size: mb, Layers: []string{"own-9"}},
				pulled("a", "r.test/new:1", time.Minute),
				pulled("b", "r.test/baked:1", 60*day),
				pulled("c", "r.test/coming:1", 2*time.Hour),
			)...)
			in.Containers = []Container{
				{ID: "c1", Name: "app", ImageID: id("4"), Managed: true},
				{ID: "c2", Name: "job", ImageID: id("b"), Managed: true, Ended: now.Add(-3 * time.Hour)},
				{ID: "c3", Name: "theirs", ImageID: id("8"), Ended: now.Add(-3 * time.Hour)},
			}
			in.Assigned, in.Claimed = []string{"r.test/app:4"}, []string{"r.test/coming:1"}
			in.Rollback[id("2")] = "app"
			in.Preloaded[id("b")] = true
			policy := DefaultPolicy()
			policy.Keep = []string{"r.test/pinned"}
			return in, policy
		}},
		{"shared", func() (Input, Policy) { // the base is removed with the last of its images
			in := host(90, pulled("1", "a:1", 3*day, "base"), pulled("2", "b:1", 2*day, "base"), pulled("3", "c:1", 4*day, "top", "base"))
			in.Layers["top"] = 0
			in.Images[2].Layers = []string{"base", "top"} // and frees nothing before
			return in, DefaultPolicy()
		}},
		{"tags of dockhost", func() (Input, Policy) { // of a container that is assigned, and of one that was
			in := host(20, pulled("1", "r.test/app:1", 3*day), pulled("2", "r.test/app:2", 3*day), pulled("3", "r.test/gone:3", 3*day), pulled("4", "r.test/gone:4", 3*day))
			for i, kept := range []string{"current:app", "previous:app", "current:gone", "previous:gone"} {
				_, name, _ := strings.Cut(kept, ":")
				in.Images[i].Digests, in.Images[i].Tags = []string{"r.test/" + name + "@sha256:" + fmt.Sprint(i)}, []string{spec.KeptImages + kept}
			}
			in.Images[3].Tags = append(in.Images[3].Tags, "r.test/gone:4")
			in.Assigned = []string{spec.KeptImages + "current:app", spec.KeptImages + "previous:app"}
			return in, DefaultPolicy()
		}},
		{"a pull does not fit", func() (Input, Policy) {
			in := host(60, pulled("1", "a:1", 3*day), pulled("2", "b:1", 2*day))
			in.Need = 450 * mb
			return in, DefaultPolicy()
		}},
		{"inodes", func() (Input, Policy) {
			in := host(20, pulled("1", "a:1", 3*day), pulled("2", "b:1", 2*day))
			in.Disk.FilesFree = 100
			return in, DefaultPolicy()
		}},
		{"all", func() (Input, Policy) {
			images := []Image{pulled("1", "a:1", 90*day), pulled("2", "b:1", 2*day), pulled("3", "c:1", 100*day)}
			images[0].Managed, images[1].Managed, images[2].Managed = false, false, false
			policy := DefaultPolicy()
			policy.Images, policy.MaxAge, policy.MaxRemovals = spec.ScopeAll, 30*day, 1
			return host(20, images...), policy
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := table(Make(test.setUp()))
			path := filepath.Join("testdata", strings.ReplaceAll(test.name, " ", "-")+".txt")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if diff := cmp.Diff(string(want), got); diff != "" || err != nil {
				t.Errorf("the plan, %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// table prints a plan so that people can compare it.
func table(plan api.GC) string {
	var b strings.Builder
	fmt.Fprintf(&b, "wanted %d MB, frees %d MB\n", plan.Disk.Wanted/mb, plan.Frees/mb)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, image := range plan.Images {
		what := "keep"
		if image.Remove {
			what = "remove"
		}
		fmt.Fprintf(w, "%s\t%s\t%v\t%d MB\t%s\t%s\n", what, api.ShortID(image.ID)[:1], image.Names, image.Frees/mb, image.Rule, image.Reason)
	}
	for _, c := range plan.Containers {
		fmt.Fprintf(w, "container\t%s\t%s\t\t\t%s\n", c.ID, c.Name, c.Reason)
	}
	_ = w.Flush()
	return b.String()
}

// random returns a random host.
func random(r *rand.Rand, images int) (Input, Policy) {
	in := host(int64(r.IntN(101)))
	in.Need = int64(r.IntN(2)) * r.Int64N(2000*mb)
	in.Disk.FilesFree = r.Int64N(1000)
	layers := 1 + 3*images
	for n := range layers {
		in.Layers[fmt.Sprint(n)] = r.Int64N(50 * mb)
	}
	for n := range images {
		image := Image{ID: fmt.Sprintf("sha256:%064x", n+1), Arrived: now.Add(-time.Duration(r.Int64N(int64(60 * day)))), Managed: r.IntN(3) > 0}
		for range r.IntN(4) {
			image.Tags = append(image.Tags, fmt.Sprintf("r%d.test/app:%d", r.IntN(1+images/8), r.IntN(4*images)))
		}
		if r.IntN(3) == 0 {
			image.Digests = append(image.Digests, fmt.Sprintf("r%d.test/app@sha256:%064x", r.IntN(1+images/8), n))
		}
		if image.Managed {
			image.Pulled = image.Tags
		}
		if r.IntN(8) == 0 {
			image.Labels = map[string]string{"keep": "me"}
		}
		if r.IntN(2) == 0 {
			image.LastUsed = now.Add(-time.Duration(r.Int64N(int64(60 * day))))
		}
		if n > 0 && r.IntN(10) == 0 {
			image.Parent = in.Images[r.IntN(n)].ID
		}
		for range r.IntN(10) {
			key := fmt.Sprint(r.IntN(layers))
			if !slices.Contains(image.Layers, key) {
				image.Layers = append(image.Layers, key)
				image.Size += in.Layers[key]
			}
		}
		in.Images = append(in.Images, image)
		switch r.IntN(12) {
		case 0:
			in.Rollback[image.ID] = "x"
		case 1:
			in.Preloaded[image.ID] = true
		case 2:
			in.Assigned = append(in.Assigned, slices.Concat(image.Tags, image.Digests)...)
		case 3:
			in.Claimed = append(in.Claimed, slices.Concat(image.Digests, image.Tags)...)
		case 6:
			in.Claimed = append(in.Claimed, image.ID)
		case 4, 5:
			in.Containers = append(in.Containers, Container{ID: fmt.Sprint(n), Name: "c", ImageID: image.ID, Managed: r.IntN(2) == 0})
		}
	}
	policy := DefaultPolicy()
	policy.KeepLast, policy.MaxRemovals = r.IntN(4), 1+r.IntN(2*images+1)
	policy.Images = []spec.Scope{spec.ScopeAll, spec.ScopeManaged, spec.ScopeNone}[r.IntN(3)]
	policy.MaxAge = time.Duration(r.IntN(3)) * 20 * day
	policy.MinAge = []time.Duration{0, time.Hour, 20 * day}[r.IntN(3)]
	policy.Keep = [][]string{nil, {"r1.test/*"}, {"label=keep"}}[r.IntN(3)]
	return in, policy
}

// TestMakeRandom checks what must be true of every plan.
func TestMakeRandom(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 1))
		in, policy := random(r, 1+r.IntN(40))
		plan := Make(in, policy)
		if problem := judge(in, policy, plan); problem != "" {
			raw, _ := json.MarshalIndent(in, "", " ")
			t.Fatalf("seed %d: %s\n%s\n%s", seed, problem, table(plan), raw)
		}
		again := in
		again.Images = slices.Clone(in.Images)
		r.Shuffle(len(again.Images), func(i, j int) { again.Images[i], again.Images[j] = again.Images[j], again.Images[i] })
		if diff := cmp.Diff(plan, Make(again, policy)); diff != "" {
			t.Fatalf("seed %d: the same host gives another plan (-first +second):\n%s", seed, diff)
		}
	}
}

func TestNames(t *testing.T) {
	image := Image{ID: id("a"), Tags: []string{"nginx:1.22"}, Digests: []string{"nginx@" + id("d")}, Labels: map[string]string{"keep.it": "for-ever"}}
	for ref, want := range map[string]bool{
		"nginx:1.22": true, "docker.io/library/nginx:1.22": true, "nginx:1.22@" + id("d"): true, "nginx:1.23": false, "nginx": false,
		strings.Repeat("a", 12): true, id("a"): true, strings.Repeat("b", 12): false,
	} {
		if got := image.referenceIn(normalized([]string{ref})) != ""; got != want {
			t.Errorf("the image is %q: %v, want %v", ref, got, want)
		}
	}
	for pattern, want := range map[string]bool{
		"nginx": true, "nginx:1.*": true, "docker.io/*/nginx:*": true, "docker.io/library/nginx": true, "ngin": false, "nginx:1.2?": true,
		"nginx:2*": false, "label=keep.it": true, "label=keep.it=for*": true, "label=keep.it=no": false, "label=*.it": true, "*inx:1.22": true,
	} {
		if got := (Policy{Keep: []string{pattern}}).pinnedBy(&image) != ""; got != want {
			t.Errorf("the pattern %q: %v, want %v", pattern, got, want)
		}
	}
}

// large is a host with 500 images, 3,000 layers and 200 containers.
func large() (Input, Policy) {
	r := rand.New(rand.NewPCG(1, 1))
	in := host(95)
	for n := range 3000 {
		in.Layers[fmt.Sprintf("sha256:%064x", n)] = r.Int64N(50 * mb)
	}
	for n := range 500 {
		ref := fmt.Sprintf("registry.example/team-%d/app:%d", n/10, n)
		image := Image{
			ID: fmt.Sprintf("sha256:%064x", n+1), Tags: []string{ref}, Pulled: []string{ref}, Managed: true,
			Digests: []string{fmt.Sprintf("registry.example/team-%d/app@sha256:%064x", n/10, n)},
			Arrived: now.Add(-time.Duration(n+2) * time.Hour),
		}
		for layer := range 12 {
			image.Layers = append(image.Layers, fmt.Sprintf("sha256:%064x", (n*6+layer)%3000))
		}
		in.Images = append(in.Images, image)
	}
	for n := range 200 {
		in.Containers = append(in.Containers, Container{ID: fmt.Sprint(n), Name: fmt.Sprint("c", n), ImageID: in.Images[n*2].ID})
		in.Assigned = append(in.Assigned, in.Images[n*2].Tags[0])
	}
	policy := DefaultPolicy()
	policy.Keep = []string{"registry.example/team-1/*", "registry.example/base/*", "label=keep"}
	return in, policy
}

func BenchmarkMake(b *testing.B) {
	in, policy := large()
	b.ReportAllocs()
	for b.Loop() {
		Make(in, policy)
	}
}
