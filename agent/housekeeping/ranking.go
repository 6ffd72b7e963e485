package housekeeping

import "slices"

// ranking says how recent each image is in its repositories.
type ranking struct {
	// repositories are those of which a container runs or is assigned.
	repositories map[string]bool
	// newer is the number of more recent images in one of these repositories, the
	// smallest one, by the image's ID. Images of other repositories have none.
	newer map[string]int
}

func (p *planner) rankImages() ranking {
	r := ranking{repositories: p.activeRepositories(), newer: map[string]int{}}
	seen := map[string]int{}
	for _, i := range slices.Backward(p.byAge) {
		image := p.images[i].Image
		for _, name := range image.repositories() {
			if !r.repositories[name] {
				continue
			}
			if newer, ranked := r.newer[image.ID]; !ranked || seen[name] < newer {
				r.newer[image.ID] = seen[name]
			}
			seen[name]++
		}
	}
	return r
}

// activeRepositories returns the repositories of which a container runs, is assigned, or
// would be rolled back to.
func (p *planner) activeRepositories() map[string]bool {
	active := map[string]bool{}
	for ref := range p.assigned {
		active[repository(ref)] = true
	}
	for i := range p.images {
		image := p.images[i].Image
		_, used := p.users[image.ID]
		_, target := p.Rollback[image.ID]
		if used || target {
			for _, name := range image.repositories() {
				active[name] = true
			}
		}
	}
	return active
}
