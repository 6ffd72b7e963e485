package preview

import (
	"cmp"
	"path/filepath"
	"slices"

	"github.com/dockhost/dockhost/assignment"
	"github.com/dockhost/dockhost/spec"
)

// together holds the inputs that one host can have at the same time: Compose files
// with different names, and one user data.
type together struct {
	members map[*Input]bool
	inputs  []*Input
	sources []assignment.Source
}

func newTogether(inputs []*Input) *together {
	t := &together{members: map[*Input]bool{}}
	files, userData := map[string]int{}, 0
	for _, in := range inputs {
		if in.compose {
			files[filepath.Base(in.Name)]++
		} else {
			userData++
		}
	}
	for _, in := range inputs {
		if in.compose && files[filepath.Base(in.Name)] == 1 || !in.compose && userData == 1 {
			t.members[in] = true
		}
	}
	return t
}

// add adds the containers of an input.
func (t *together) add(in *Input, containers []spec.Container) {
	if t.members[in] {
		t.inputs = append(t.inputs, in)
		t.sources = append(t.sources, assignment.Source{Name: in.file(), Containers: containers})
	}
}

// findings returns what the agent says of the inputs together: what clashes, and which
// input counts.
func (t *together) findings() []Finding {
	order := make([]int, len(t.inputs))
	for i := range order {
		order[i] = i
	}
	rank := func(in *Input) string {
		if in.compose {
			return "1" + filepath.Base(in.Name)
		}
		return "0"
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(rank(t.inputs[a]), rank(t.inputs[b])) })
	var sources []assignment.Source
	for _, i := range order {
		sources = append(sources, t.sources[i])
	}
	_, clashes := assignment.Merge(sources)
	var all []Finding
	for _, clash := range clashes {
		all = append(all, Finding{Severity: Warning, File: sources[clash.Source].Name, Message: clash.Message})
	}
	return all
}
