// Package metrics is what the agent tells Prometheus. It keeps a few counters, and makes
// all metrics of them and of the status for each request, so that they cost nothing
// between requests. It knows neither the host nor the agent.
package metrics

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/expfmt"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/internal/oneline"
)

// MediaType is the type of the text format.
const MediaType = "text/plain; version=0.0.4; charset=utf-8"

// Snapshot is what the metrics are made of.
type Snapshot struct {
	Status api.Status
	Counts Counts
	// FreedBytes is how much housekeeping has freed since the agent started.
	FreedBytes int64
	// OOMKills are how often the kernel ended a container since the boot, by name.
	OOMKills map[string]int64
	// Boot are the phases of this boot.
	Boot []Phase
	// GPUs is how many GPUs the driver knows; below 0 without a driver.
	GPUs int
}

// Phase is a phase of the boot.
type Phase struct {
	Name     string
	Duration time.Duration
}

// Handler answers with the metrics of what snapshot returns.
func Handler(snapshot func(context.Context) Snapshot) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		promhttp.HandlerFor(gatherer(snapshot(context.WithoutCancel(r.Context())), true), promhttp.HandlerOpts{DisableCompression: true}).ServeHTTP(w, r)
	})
}

// Text returns the metrics for a file. The file is written only after a change, so it has
// no metric that changes by itself.
func Text(s Snapshot) ([]byte, error) {
	families, err := gatherer(s, false).Gather()
	if err != nil {
		return nil, fmt.Errorf("gather metrics: %w", err)
	}
	var out bytes.Buffer
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(&out, family); err != nil {
			return nil, fmt.Errorf("write metrics: %w", err)
		}
	}
	return out.Bytes(), nil
}

func gatherer(s Snapshot, live bool) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{s, live})
	return registry
}

// collector makes the metrics of a snapshot. It describes none: which there are depends on
// what the host runs.
type collector struct {
	Snapshot
	// live says that the reader gets the metrics as they are now.
	live bool
}

// Describe implements [prometheus.Collector].
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (c collector) Collect(out chan<- prometheus.Metric) {
	s := sink{out}
	s.gauge("build_info", "The version of the agent.", 1, "version", c.Status.Agent.Version)
	s.gauge("well", "Whether every container is ready and nobody has to act (dockhostctl status).", is(c.Status.Well))
	for i := range c.Status.Containers {
		c.container(s, &c.Status.Containers[i])
	}
	c.assignment(s)
	pulls := c.Counts
	s.counter("pull_bytes_total", "Bytes of images that were downloaded since the agent started.", float64(pulls.PulledBytes))
	s.counter("pull_errors_total", "Pulls that failed since the agent started.", float64(pulls.PullErrors))
	s.out <- prometheus.MustNewConstSummary(desc("pull_duration_seconds", "How long pulls took since the agent started."), pulls.Pulls, pulls.PullTime.Seconds(), nil)
	s.counter("gc_freed_bytes_total", "Bytes that housekeeping has freed since the agent started.", float64(c.FreedBytes))
	for _, phase := range c.Boot {
		s.gauge("boot_phase_seconds", "How long a phase of this boot took (dockhostctl analyze).", phase.Duration.Seconds(), "phase", phase.Name)
	}
	if c.GPUs >= 0 {
		s.gauge("gpu_present", "How many GPUs NVIDIA's driver knows.", float64(c.GPUs))
	}
}

func (c collector) assignment(s sink) {
	source := c.Status.Source
	s.gauge("assignment_last_good_in_use", "Whether the last known good assignment is in force, because the user data cannot be used.", is(source.LastKnownGood))
	if source.AcceptedAt == nil {
		return
	}
	s.gauge("assignment_accepted_timestamp_seconds", "When an assignment was accepted last.", seconds(*source.AcceptedAt))
	if c.live {
		s.gauge("assignment_age_seconds", "How long ago an assignment was accepted last.", time.Since(*source.AcceptedAt).Seconds())
	}
}

// container makes the metrics of a container.
func (c collector) container(s sink, one *api.Container) {
	name := []string{"name", one.Name}
	s.gauge("container_info", "What runs.", 1, append(name, "image", one.Image, "digest", one.Digest, "unit", one.Unit, "origin", string(one.Origin))...)
	s.gauge("container_ready", "Whether the container is ready, or has ended without an error.", is(one.Ready || one.Finished), name...)
	s.gauge("container_stopped", "Whether an operator has stopped the container.", is(one.Stopped != nil), name...)
	if one.Health != "" {
		for _, state := range []string{"healthy", "starting", "unhealthy"} {
			s.gauge("container_health", "The state of Docker's health check: 1 for the one that holds.", is(one.Health == state), append(name, "state", state)...)
		}
	}
	s.counter("container_restarts_total", "How often systemd has restarted the unit by itself.", float64(one.Restarts), name...)
	s.counter("container_oom_kills_total", "How often a process of the container was killed for lack of memory, since the boot.", float64(c.OOMKills[one.Name]), name...)
	s.gauge("container_gpu_lost", "Whether the container has lost one of its GPUs.", is(one.GPU != ""), name...)
	s.counter("update_rollbacks_total", "Updates that were rolled back since the agent started.", float64(c.Counts.Rollbacks[one.Name]), name...)
	update := one.Update
	if update == nil || update.State == "" {
		return
	}
	s.gauge("update_state", "The state of the update of a container, or how the last one ended: always 1.", 1, append(name, "state", update.State)...)
	if update.Since != nil {
		s.gauge("update_last_timestamp_seconds", "When the state of the update began.", seconds(*update.Since), name...)
	}
}

// sink takes metrics.
type sink struct{ out chan<- prometheus.Metric }

// gauge sends a gauge. labels are names and values in turns.
func (s sink) gauge(name, help string, value float64, labels ...string) {
	s.send(prometheus.GaugeValue, name, help, value, labels)
}

func (s sink) counter(name, help string, value float64, labels ...string) {
	s.send(prometheus.CounterValue, name, help, value, labels)
}

func (s sink) send(kind prometheus.ValueType, name, help string, value float64, labels []string) {
	var names, values []string
	for i := 0; i+1 < len(labels); i += 2 {
		names, values = append(names, labels[i]), append(values, oneline.Of(labels[i+1], maxLabel))
	}
	metric, err := prometheus.NewConstMetric(desc(name, help, names...), kind, value, values...)
	if err != nil { // a value that is not UTF-8
		metric = prometheus.NewInvalidMetric(desc(name, help, names...), err)
	}
	s.out <- metric
}

// maxLabel bounds the value of a label in characters.
const maxLabel = 500

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("dockhost_"+name, help, labels, nil)
}

func is(fact bool) float64 {
	if fact {
		return 1
	}
	return 0
}

func seconds(at time.Time) float64 { return float64(at.UnixMilli()) / 1000 }
