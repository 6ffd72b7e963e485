package housekeeping

import "time"

// stuckInterval is how long the keeper waits after a run that could not free
// enough.
const stuckInterval = 10 * time.Minute

// cause says why a run should begin, "" when none should. due says that the
// interval is over, requested that [Keeper.Look] was called.
func (k *Keeper) cause(policy Policy, due, requested bool) string {
	if k.replaced() {
		return "a container was replaced"
	}
	k.mu.Lock()
	root, stuck := k.roots.images, k.stuck
	k.mu.Unlock()
	if root != "" {
		images, err := k.Statfs(root)
		disk, need, full := k.crowded(policy, images, k.need(images))
		if err == nil && full && (k.Now().Sub(stuck) >= stuckInterval || requested && need > disk.Free) {
			return "the disk is too full"
		}
	}
	if due {
		return "the interval is over"
	}
	return ""
}

// need returns how many bytes the running pulls will still bring to a disk.
func (k *Keeper) need(disk Disk) int64 {
	claimed, _, err := k.Dir.Claims()
	if err != nil {
		return 0
	}
	return disk.need(claimed)
}

// replaced reports whether a container is ready that was not seen ready before.
func (k *Keeper) replaced() bool {
	names := k.Assigned().Names
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, name := range names {
		state, err := k.Dir.State(name)
		if err != nil || !state.Ready {
			continue
		}
		if h := k.memory.Histories[name]; h == nil || h.Container != state.ContainerID {
			return true
		}
	}
	return false
}
