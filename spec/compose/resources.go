package compose

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"

	"github.com/dockhost/dockhost/internal/document"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-units"
)

// minMemory is the lowest memory limit that Docker accepts (daemon/daemon_unix.go,
// linuxMinMemory).
const minMemory = 6 * units.MiB

// resources returns the limits and the devices.
func (d *declaration) resources() container.Resources {
	s := &d.service
	limits := d.field("deploy").Field("resources").Field("limits")
	resources := container.Resources{
		NanoCPUs:   d.nanoCPUs(d.field("cpus")),
		CpusetCpus: s.CPUSet,
		Memory:     d.bytes("mem_limit", int64(s.MemLimit)),
		MemorySwap: d.memorySwap(),
		Ulimits:    d.ulimits(),
	}
	pids := s.PidsLimit
	if s.Deploy != nil && s.Deploy.Resources.Limits != nil {
		deploy := s.Deploy.Resources.Limits
		d.unite(limits.Field("cpus"), "cpus", &resources.NanoCPUs, d.nanoCPUs(limits.Field("cpus")))
		d.unite(limits.Field("memory"), "mem_limit", &resources.Memory, int64(deploy.MemoryBytes))
		d.unite(limits.Field("pids"), "pids_limit", &pids, deploy.Pids)
	}
	d.checkWhole(d.field("pids_limit"))
	d.checkWhole(limits.Field("pids"))
	if pids != 0 {
		resources.PidsLimit = &pids
	}
	d.checkMemory(&resources, limits)
	d.addDevices(&resources)
	return resources
}

// checkWhole reports a number that compose-go would round or truncate.
func (d *declaration) checkWhole(at spot) {
	if at.Text() == "" {
		return
	}
	if _, err := strconv.ParseInt(at.Text(), 10, 64); err != nil {
		d.Errorf(at, "cannot use %q: write a whole number", document.Shorten(at.Text()))
	}
}

// unite sets a limit to the value in deploy.resources.limits. If both are set,
// they must be equal.
func (d *declaration) unite(at spot, key string, limit *int64, deploy int64) {
	switch {
	case !at.Present() || deploy == *limit:
	case *limit != 0:
		d.Errorf(at, "differs from %s: keep one of them", key)
	default:
		*limit = deploy
	}
}

// nanoCPUs reads a number of CPUs without rounding, like Docker's CLI.
func (d *declaration) nanoCPUs(at spot) int64 {
	if !at.IsScalar() || at.Text() == "" {
		return 0
	}
	const billion = 1_000_000_000
	cpus, ok := new(big.Rat).SetString(at.Text())
	if !ok || len(at.Text()) > 20 || cpus.Sign() < 0 {
		d.Errorf(at, "cannot use %q as a number of CPUs: write a number such as 1.5", document.Shorten(at.Text()))
		return 0
	}
	nano := cpus.Mul(cpus, big.NewRat(billion, 1))
	if !nano.IsInt() || !nano.Num().IsInt64() {
		d.Errorf(at, "too precise or too large: write at most nine decimals")
		return 0
	}
	return nano.Num().Int64()
}

// bytes returns a size. It reports fractions, which compose-go would read as 0,
// and negative sizes.
func (d *declaration) bytes(key string, size int64) int64 {
	at := d.field(key)
	if at.IsScalar() && at.Node.Tag == "!!float" {
		d.Errorf(at, "cannot use a fraction of a byte: write a whole number, or a unit such as 512m or \"1.5g\"")
	}
	if size < 0 {
		d.Errorf(at, "cannot be negative")
	}
	return size
}

// memorySwap returns memory and swap together, -1 for unlimited swap.
func (d *declaration) memorySwap() int64 {
	if size := int64(d.service.MemSwapLimit); size == -1 {
		return size
	}
	return d.bytes("memswap_limit", int64(d.service.MemSwapLimit))
}

func (d *declaration) checkMemory(resources *container.Resources, limits spot) {
	at := d.field("mem_limit")
	if !at.Present() {
		at = limits.Field("memory")
	}
	if resources.Memory > 0 && resources.Memory < minMemory {
		d.Errorf(at, "too little: Docker needs at least 6m")
	}
	swap := d.field("memswap_limit")
	switch {
	case resources.MemorySwap == 0:
	case resources.Memory == 0:
		d.Errorf(swap, "needs mem_limit: this limits memory and swap together")
	case resources.MemorySwap > 0 && resources.MemorySwap < resources.Memory:
		d.Errorf(swap, "less than mem_limit: this limits memory and swap together")
	}
}

func (d *declaration) ulimits() []*container.Ulimit {
	var ulimits []*container.Ulimit
	for _, name := range slices.Sorted(maps.Keys(d.service.Ulimits)) {
		limit := d.service.Ulimits[name]
		soft, hard := limit.Soft, limit.Hard
		if limit.Single != 0 {
			soft, hard = limit.Single, limit.Single
		}
		parsed, err := units.ParseUlimit(fmt.Sprintf("%s=%d:%d", name, soft, hard))
		if err != nil {
			d.Errorf(d.field("ulimits").Field(name), "cannot use this limit: %v", err)
			continue
		}
		ulimits = append(ulimits, parsed)
	}
	return ulimits
}

func (d *declaration) oomScoreAdj() int {
	score := d.service.OomScoreAdj
	if score < -1000 || score > 1000 {
		d.Errorf(d.field("oom_score_adj"), "cannot use %d: write a number from -1000 to 1000", score)
	}
	return int(score)
}

// request converts a Compose device request to Docker's.
func request(from types.DeviceRequest, capabilities []string) container.DeviceRequest {
	return container.DeviceRequest{
		Driver:       from.Driver,
		Count:        int(from.Count),
		DeviceIDs:    from.IDs,
		Capabilities: [][]string{capabilities},
		Options:      from.Options,
	}
}
