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

var update = flag.Bool("update", false, "write the golden files anew")

// now is when tests take place.
var now = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)

const (
	mb  = 1 << 20
	day = 24 * time.Hour
)

// id is an image's, of a name that is a hexadecimal digit.
func id(name string) string { return "sha256:" + strings.Repeat(name, 64)[:64] }

// pulled is an image that dockhost pulled so long ago, with a layer of its own.
func pulled(name, ref string, ago time.Duration, layers ...string) Image {
	return Image{
		ID: id(name), Tags: []string{ref}, Managed: true, Pulled: []string{ref}, Arrived: now.Add(-ago), Size: 100 * mb,
		Layers: append([]string{"own-" + name}, layers...),
	}
}

// host is a host with a disk that is so full.
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

// TestMake holds plans to golden files.
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
		{"shared", func() (Input, Policy) { // the base goes with the last image that has it
			in := host(90, pulled("1", "a:1", 3*day, "base"), pulled("2", "b:1", 2*day, "base"), pulled("3", "c:1", 4*day, "top", "base"))
			in.Layers["top"] = 0
			in.Images[2].Layers = []string{"base", "top"} // and frees nothing before
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

// table is a plan for people who compare it.
func table(plan api.GC) string {
	var b strings.Builder
	fmt.Fprintf(&b, "wanted %d MB, frees %d MB\n", plan.Disk.Wanted/mb, plan.Frees/mb)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, image := range plan.Images {
		what := "keep"
		if image.Remove {
			what = "remove"
		}
		fmt.Fprintf(w, "%s\t%s\t%v\t%d MB\t%s\t%s\n", what, short(image.ID)[:1], image.Names, image.Frees/mb, image.Rule, image.Reason)
	}
	for _, c := range plan.Containers {
		fmt.Fprintf(w, "container\t%s\t%s\t\t\t%s\n", c.ID, c.Name, c.Reason)
	}
	_ = w.Flush()
	return b.String()
}

// random makes a host of anything.
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

// TestMakeAlways has what holds for each plan, of whatever it is made.
func TestMakeAlways(t *testing.T) {
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

// judge says what is wrong with a plan, by other means than Make's.
func judge(in Input, policy Policy, plan api.GC) string {
	byID := map[string]Image{}
	for _, image := range in.Images {
		byID[image.ID] = image
	}
	if len(plan.Images) != len(in.Images) {
		return fmt.Sprintf("it is about %d images of %d", len(plan.Images), len(in.Images))
	}
	gone, frees := map[string]bool{}, int64(0)
	for _, v := range plan.Images {
		if v.Reason == "" || v.Rule == "" {
			return "no reason for " + v.ID
		}
		if v.Remove {
			gone[v.ID] = true
			frees += v.Frees
		}
	}
	if before, after := stored(in, nil), stored(in, gone); before-after != frees || frees != plan.Frees {
		return fmt.Sprintf("it says that %d and %d bytes go, and it is %d", plan.Frees, frees, before-after)
	}
	if len(gone) > policy.MaxRemovals {
		return fmt.Sprintf("%d go", len(gone))
	}
	for removed := range gone {
		if why := needed(in, policy, byID[removed]); why != "" {
			return removed + " goes: " + why
		}
	}
	return enough(in, policy, plan, gone)
}

// enough says what is wrong with how much a plan frees: the low mark is reached,
// by no image too many, or nothing more can go.
func enough(in Input, policy Policy, plan api.GC, gone map[string]bool) string {
	if plan.Frees >= plan.Disk.Wanted {
		var before int64
		for _, v := range plan.Images {
			if v.Remove && v.Rule == ruleLRU && before >= plan.Disk.Wanted {
				return "there would be room without " + v.ID
			}
			before += v.Frees
		}
		used, free := in.Disk.Used-plan.Frees, in.Disk.Free+plan.Frees
		switch {
		case in.Need > free:
			return fmt.Sprintf("the pull needs %d bytes, and gets %d", in.Need, free)
		case percent(in.Disk.Used, used+free) >= policy.High && percent(used, used+free) > policy.Low:
			return fmt.Sprintf("the disk is %d%% full afterwards", percent(used, used+free))
		}
		return ""
	}
	if len(gone) == policy.MaxRemovals {
		return ""
	}
	all := map[string]bool{}
	for _, image := range in.Images {
		all[image.ID] = gone[image.ID] || needed(in, policy, image) == ""
	}
	if more := stored(in, gone) - stored(in, all); more > 0 {
		return fmt.Sprintf("the disk is too full, and %d bytes stay that nothing needs", more)
	}
	return ""
}

// stored is what the layers of all images but some take.
func stored(in Input, gone map[string]bool) (sum int64) {
	held := map[string]bool{}
	for _, image := range in.Images {
		for _, layer := range image.Layers {
			if !gone[image.ID] && !held[layer] {
				held[layer] = true
				sum += in.Layers[layer]
			}
		}
	}
	return sum
}

// needed says why an image must not go.
func needed(in Input, policy Policy, image Image) string {
	for _, c := range in.Containers {
		if c.ImageID == image.ID {
			return "in use"
		}
	}
	for _, ref := range slices.Concat(in.Assigned, in.Claimed) {
		if slices.Contains(image.Tags, ref) || slices.Contains(image.Digests, ref) || ref == image.ID {
			return "assigned or claimed"
		}
	}
	_, target := in.Rollback[image.ID]
	switch {
	case target:
		return "rollback"
	case in.Preloaded[image.ID]:
		return "preloaded"
	case now.Sub(image.Arrived) < policy.MinAge:
		return "young"
	case policy.Images == spec.ScopeNone:
		return "off"
	case policy.Images == spec.ScopeManaged && !image.Managed && len(image.Tags)+len(image.Digests) > 0:
		return "not managed"
	}
	for _, ref := range slices.Concat(image.Tags, image.Digests) {
		if slices.Contains(policy.Keep, "r1.test/*") && strings.HasPrefix(ref, "r1.test/") {
			return "pinned"
		}
	}
	if slices.Contains(policy.Keep, "label=keep") && image.Labels["keep"] != "" {
		return "pinned by its label"
	}
	if slices.ContainsFunc(in.Images, func(child Image) bool { return child.Parent == image.ID }) {
		return "the parent of another one"
	}
	if recent(in, policy, image) {
		return "one of the last of its repository"
	}
	return ""
}

// recent says whether an image is one of the last of a repository of which
// something runs, or is to, or is a way back.
func recent(in Input, policy Policy, image Image) bool {
	runs := func(repository string) bool {
		named := func(other Image) bool { return slices.Contains(other.repositories(), repository) }
		return slices.ContainsFunc(in.Images, func(other Image) bool {
			_, target := in.Rollback[other.ID]
			used := slices.ContainsFunc(in.Containers, func(c Container) bool { return c.ImageID == other.ID })
			return named(other) && (target || used)
		}) || slices.ContainsFunc(in.Assigned, func(ref string) bool { return strings.HasPrefix(ref, repository) })
	}
	for _, repository := range image.repositories() {
		newer := 0
		for _, other := range in.Images {
			age := other.usedAt().Compare(image.usedAt())
			if slices.Contains(other.repositories(), repository) && (age > 0 || age == 0 && other.ID > image.ID) {
				newer++
			}
		}
		if newer < policy.KeepLast && runs(repository) {
			return true
		}
	}
	return false
}

// TestJudge has the judge of plans find what is wrong with one.
func TestJudge(t *testing.T) {
	tests := map[string]func(in *Input, policy *Policy, plan *api.GC){
		"in use":         func(in *Input, _ *Policy, _ *api.GC) { in.Containers = []Container{{ImageID: id("1"), Ended: now}} },
		"assigned":       func(in *Input, _ *Policy, _ *api.GC) { in.Assigned = []string{"a:1"} },
		"claimed":        func(in *Input, _ *Policy, _ *api.GC) { in.Claimed = []string{id("1")} },
		"rollback":       func(in *Input, _ *Policy, _ *api.GC) { in.Rollback[id("1")] = "x" },
		"preloaded":      func(in *Input, _ *Policy, _ *api.GC) { in.Preloaded[id("1")] = true },
		"young":          func(_ *Input, policy *Policy, _ *api.GC) { policy.MinAge = 4 * day },
		"not managed":    func(in *Input, _ *Policy, _ *api.GC) { in.Images[0].Managed = false },
		"off":            func(_ *Input, policy *Policy, _ *api.GC) { policy.Images = spec.ScopeNone },
		"parent":         func(in *Input, _ *Policy, _ *api.GC) { in.Images[1].Parent = id("1") },
		"max removals":   func(_ *Input, policy *Policy, _ *api.GC) { policy.MaxRemovals = 0 },
		"freed":          func(_ *Input, _ *Policy, plan *api.GC) { plan.Frees++ },
		"no reason":      func(_ *Input, _ *Policy, plan *api.GC) { plan.Images[1].Reason = "" },
		"too little":     func(_ *Input, _ *Policy, plan *api.GC) { plan.Disk.Wanted = 1000 * mb },
		"too much":       func(_ *Input, _ *Policy, plan *api.GC) { plan.Disk.Wanted = 0 },
		"not for a pull": func(in *Input, _ *Policy, _ *api.GC) { in.Need = 1000 * mb },
	}
	for name, spoil := range tests {
		in, policy := host(79, pulled("1", "a:1", 3*day), pulled("2", "b:1", 2*day)), DefaultPolicy()
		in.Need = 300 * mb
		plan := Make(in, policy)
		if problem := judge(in, policy, plan); problem != "" || !plan.Images[0].Remove || plan.Images[1].Remove {
			t.Fatalf("the plan is wrong, %q:\n%s", problem, table(plan))
		}
		if spoil(&in, &policy, &plan); judge(in, policy, plan) == "" {
			t.Errorf("%s: nothing is found to be wrong", name)
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
