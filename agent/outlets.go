package agent

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/config"
	"github.com/dockhost/dockhost/agent/listen"
	"github.com/dockhost/dockhost/agent/metrics"
)

// outlets are what load balancers and Prometheus read: the listeners that dockhost.yaml
// names, and the file for node_exporter.
type outlets struct {
	agent           *Agent
	health, metrics *listen.Server
	textfile        *textfile
	counter         *metrics.Counter
}

func newOutlets(a *Agent, log *zap.Logger) *outlets {
	o := &outlets{agent: a, counter: &metrics.Counter{}}
	o.health = listen.New("health.listen", &readiness{store: a.store, waiting: a.fetcher.waiting, systemd: a.Units, dir: a.units.dir}, log)
	o.metrics = listen.New("metrics.listen", metrics.Handler(o.snapshot), log)
	o.textfile = &textfile{root: a.Root, snapshot: o.snapshot, wakes: make(chan struct{}, 1), log: log}
	return o
}

// run serves until ctx ends.
func (o *outlets) run(ctx context.Context) error {
	stopped := make(chan struct{})
	go func() { defer close(stopped); o.health.Run(ctx) }()
	defer func() { <-stopped }()
	written := make(chan struct{})
	go func() { defer close(written); o.textfile.run(ctx) }()
	defer func() { <-written }()
	o.metrics.Run(ctx)
	return nil
}

// apply has the outlets follow the configuration.
func (o *outlets) apply() {
	var l config.Listen
	if valid, _ := o.agent.config.get(); valid != nil {
		l = valid.Listen
	}
	o.health.Move(l.Health)
	o.metrics.Move(l.Metrics)
	o.textfile.move(l.Textfile)
}

// problems are why an outlet does not work, and what to do.
func (o *outlets) problems() []string {
	var all []string
	for _, problem := range []string{o.health.Problem(), o.metrics.Problem(), o.textfile.problem()} {
		if problem != "" {
			all = append(all, problem)
		}
	}
	return all
}

// getMetrics answers with the metrics.
func (s *server) getMetrics(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(sendTimeout))
	metrics.Handler(s.outlets.snapshot).ServeHTTP(w, r)
}

// snapshot returns what the metrics are made of. Its status is at most a second old.
func (o *outlets) snapshot(ctx context.Context) metrics.Snapshot {
	s := metrics.Snapshot{
		Status: o.agent.server.public.get(ctx, o.agent.server.hostStatus),
		Counts: o.counter.Counts(), OOMKills: map[string]int64{}, GPUs: countGPUs(o.agent.Root),
	}
	for i := range s.Status.Containers {
		name := s.Status.Containers[i].Name
		if state, err := o.agent.units.dir.State(name); err == nil {
			s.OOMKills[name] = state.OOMKillsBefore + state.OOMKills
		}
	}
	if keeper := o.agent.house.keeper; keeper != nil {
		s.FreedBytes = keeper.Freed()
	}
	for _, phase := range o.agent.boot.Phases() {
		s.Boot = append(s.Boot, metrics.Phase{Name: phase.Name, Duration: time.Duration(phase.Seconds * float64(time.Second))})
	}
	return s
}

// countGPUs returns how many GPUs NVIDIA's driver knows, below 0 without the driver.
func countGPUs(root string) int {
	entries, err := os.ReadDir(filepath.Join(root, "/proc/driver/nvidia/gpus"))
	if err != nil {
		return -1
	}
	return len(entries)
}
