//go:build e2e

package e2e

import (
	"fmt"
	"testing"
)

// TestUnitEndsAsItsContainer checks the result of a unit whose container exits,
// is killed, or is stopped by docker stop.
func TestUnitEndsAsItsContainer(t *testing.T) {
	tests := []struct {
		name, end, status, result, active string
	}{
		{"an exit status", "curl -s -X POST 'localhost:8080/crash?code=7' || true", "7", "exit-code", "failed"},
		{"a signal", "kill -9 $(docker inspect -f '{{.State.Pid}}' app)", "137", "exit-code", "failed"},
		{"docker stop", "docker stop app >/dev/null", "0", "success", "inactive"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newHost(t)
			h.assign(app(`ports: ["8080:8080"]`, "restart: 'no'"))
			h.ready("app")
			h.run(test.end)
			h.reaches("dockhost@app", test.active)
			if test.active != "failed" {
				return // systemd forgets a unit that has succeeded
			}
			if status, result := h.property("dockhost@app", "ExecMainStatus"), h.property("dockhost@app", "Result"); status != test.status || result != test.result {
				t.Errorf("ExecMainStatus = %s, Result = %s, want %s, %s", status, result, test.status, test.result)
			}
			if c, err := h.container("app"); err != nil || c.LastError == nil || c.Ready {
				t.Errorf("status = %+v, %v, want the error", c, err)
			}
		})
	}
}

// TestFinishedJobIsNotRepeated checks that neither systemd nor a restarted agent
// repeats a job that has exited with 0, and that the status is well.
func TestFinishedJobIsNotRepeated(t *testing.T) {
	h := newHost(t)
	h.assign(app(`command: ["-exit-after", "500ms", "-exit-code", "0"]`, "restart: 'no'"))
	finished := func() error {
		if c, err := h.container("app"); err != nil || !c.Finished {
			return fmt.Errorf("status = %+v, %w", c, err)
		}
		return nil
	}
	h.eventually("the job has finished", finished)
	if _, code := h.status(); code != 0 {
		t.Errorf("status exits %d, want 0", code)
	}
	since := h.now()
	h.run("systemctl restart dockhost")
	h.eventually("the new agent reports the job", finished)
	if ids := h.output("docker events --since " + since + " --until $(date +%s.%N) --filter event=create --format '{{.Actor.ID}}'"); ids != "" {
		t.Errorf("the job ran again: %s", ids)
	}
}

// TestUnrunnableCommandExitsAsDockerRun compares the exit status of a unit whose
// command cannot be executed with the exit status of docker run.
func TestUnrunnableCommandExitsAsDockerRun(t *testing.T) {
	for _, entrypoint := range []string{"/nonexistent", "/etc"} {
		t.Run(entrypoint, func(t *testing.T) {
			h := newHost(t)
			h.assign(app(`entrypoint: ["`+entrypoint+`"]`, "restart: 'no'"))
			h.reaches("dockhost@app", "failed")
			_, want := h.try("docker run --rm --entrypoint " + entrypoint + " localhost:5000/app:1")
			if got := h.property("dockhost@app", "ExecMainStatus"); got != fmt.Sprint(want) {
				t.Errorf("ExecMainStatus = %s, want %d as docker run exits", got, want)
			}
			h.stopsFailed()
		})
	}
}

// TestOutOfMemoryNamesTheLimit checks that the error of a container that was
// killed for lack of memory names the limit and its size.
func TestOutOfMemoryNamesTheLimit(t *testing.T) {
	tests := []struct {
		name string
		keys []string
		why  string
	}{
		{"the container's limit", []string{"mem_limit: 50m", "memswap_limit: 50m", "x-dockhost: {unit: {Service: {MemoryMax: 200M}}}"}, "it reached its own limit of 50MiB (raise mem_limit)"},
		{"the unit's limit", []string{"mem_limit: 200m", "x-dockhost: {unit: {Service: {MemoryMax: 50M}}}"}, "it reached the limit of dockhost@app.service, 50MiB (raise MemoryMax=)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newHost(t)
			if h.output("docker info -f '{{.MemoryLimit}}'") != "true" {
				t.Skip("the host has no memory controller")
			}
			h.assign(app(append(test.keys, `ports: ["8080:8080"]`, "restart: 'no'")...))
			h.ready("app")
			h.run("curl -s -X POST 'localhost:8080/eat?mb=150' || true")
			h.unitFails("137")
			h.saysWhy("container was killed: out of memory (exit code 137): " + test.why)
			h.stopsFailed()
		})
	}
}
