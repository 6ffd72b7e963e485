package housekeeping

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/spec"
)

// judge says what is wrong with a plan, without the code of [Make].
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

// enough says what is wrong with the bytes that a plan frees: it must reach the low mark
// with no image too many, or remove everything that it may.
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

// stored returns the bytes in the layers of all images except those that are gone.
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

// recent reports whether an image is one of the last of a repository of which something
// runs, is to run, or would be rolled back to.
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

// TestJudge makes plans wrong, each in its way, and judge must notice.
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
