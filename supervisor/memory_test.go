package supervisor

import (
	"context"
	"strings"
	"syscall"
	"testing"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/engine/enginetest"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/systemd"
)

func TestMemoryLimitIsNamed(t *testing.T) {
	const slice = "/system.slice/system-dockhost.slice"
	v1 := func(unitLimit, unitHits, sliceLimit, sliceHits string) map[string]string {
		return map[string]string{
			"memory" + unitCgroup + "/memory.limit_in_bytes": unitLimit, "memory" + unitCgroup + "/memory.failcnt": unitHits,
			"memory" + slice + "/memory.limit_in_bytes": sliceLimit, "memory" + slice + "/memory.failcnt": sliceHits,
		}
	}
	v2 := func(unitLimit, unitEvents, unitLocal, sliceLimit, sliceLocal string) map[string]string {
		return map[string]string{
			unitCgroup + "/memory.max": unitLimit, unitCgroup + "/memory.events": unitEvents, unitCgroup + "/memory.events.local": unitLocal,
			slice + "/memory.max": sliceLimit, slice + "/memory.events": unitEvents, slice + "/memory.events.local": sliceLocal,
		}
	}
	const none, own, units, above = "9223372036854771712", "its own limit of 64MiB (raise mem_limit)",
		"the limit of dockhost@app.service, 100MiB (raise MemoryMax=)", "the limit of system-dockhost.slice, 32MiB (raise MemoryMax=)"
	tests := []struct {
		name          string
		before, after map[string]string
		docker        engine.Container
		own           *systemd.Memory
		want          string
	}{
		{"v1, its own", v1("104857600", "0", none, "0"), v1("104857600", "0", none, "0"), engine.Container{OOMKilled: true, Memory: 64 << 20}, nil, own},
		{"v1, its own, though the unit had to make room", v1("104857600", "0", none, "0"), v1("104857600", "9", none, "0"), engine.Container{OOMKilled: true, Memory: 64 << 20}, nil, own},
		{"v1, the unit's", v1("104857600", "0", none, "0"), v1("104857600", "9", none, "0"), engine.Container{OOMKilled: true, Memory: 640 << 20}, nil, units},
		{"v1, the unit's alone", v1("104857600", "0", none, "0"), v1("104857600", "9", none, "0"), engine.Container{OOMKilled: true}, nil, units},
		{"v1, the unit's, which Docker misses", v1("104857600", "0", none, "0"), v1("104857600", "9", none, "0"), engine.Container{Memory: 640 << 20}, &systemd.Memory{Limit: 640 << 20, Killed: 1}, units},
		{"v1, the unit's, with a smaller limit", v1("104857600", "0", none, "0"), v1("104857600", "9", none, "0"), engine.Container{Memory: 64 << 20}, &systemd.Memory{Limit: 64 << 20, Killed: 1}, units},
		{"v1, its own, which was seen", v1("104857600", "0", none, "0"), v1("104857600", "9", none, "0"), engine.Container{Memory: 64 << 20}, &systemd.Memory{Limit: 64 << 20, Hits: 1, Killed: 1}, own},
		{"v1, a slice's", v1(none, "0", "33554432", "5"), v1(none, "0", "33554432", "6"), engine.Container{OOMKilled: true}, nil, above},
		{"v1, the host's", v1("104857600", "0", "33554432", "5"), v1("104857600", "0", "33554432", "5"), engine.Container{OOMKilled: true}, nil, "the host's memory of "},
		{"v1, none", v1("104857600", "0", none, "0"), v1("104857600", "9", none, "0"), engine.Container{Memory: 64 << 20}, nil, ""},
		{
			"v2, its own", v2("104857600", "oom 0\noom_kill 0\n", "oom 0\n", "max", "oom 0\n"), v2("104857600", "oom 1\noom_kill 1\n", "oom 0\n", "max", "oom 0\n"),
			engine.Container{Memory: 64 << 20},
			nil, own,
		},
		{
			"v2, the unit's", v2("104857600", "oom 0\noom_kill 0\n", "oom 0\n", "max", "oom 0\n"), v2("104857600", "oom 1\noom_kill 1\n", "oom 1\n", "max", "oom 0\n"),
			engine.Container{Memory: 64 << 20},
			nil, units,
		},
		{
			"v2, a slice's", v2("104857600", "oom 3\noom_kill 3\n", "oom 3\n", "33554432", "oom 1\n"), v2("104857600", "oom 3\noom_kill 4\n", "oom 3\n", "33554432", "oom 2\n"),
			engine.Container{OOMKilled: true, Memory: 64 << 20},
			nil, above,
		},
		{
			"v2, the host's", v2("104857600", "oom 3\noom_kill 3\n", "oom 3\n", "33554432", "oom 1\n"), v2("104857600", "oom 3\noom_kill 4\n", "oom 3\n", "33554432", "oom 1\n"),
			engine.Container{OOMKilled: true, Memory: 64 << 20},
			nil, "the host's memory of ",
		},
		{
			"v2, within it", v2("max", "oom 0\noom_kill 0\n", "oom 0\n", "max", "oom 0\n"), v2("max", "oom 1\noom_kill 1\n", "oom 0\n", "max", "oom 0\n"),
			engine.Container{OOMKilled: true},
			nil, "a memory limit that was set inside it",
		},
		{
			"v2, none now", v2("104857600", "oom 1\noom_kill 1\n", "oom 1\n", "max", "oom 0\n"), v2("104857600", "oom 1\noom_kill 1\n", "oom 1\n", "max", "oom 0\n"),
			engine.Container{Memory: 64 << 20},
			nil, "",
		},
		{"not accounted for", nil, nil, engine.Container{OOMKilled: true, Memory: 64 << 20}, nil, own},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := rig{t: t, hostFiles: hostFiles{root: t.TempDir()}}
			j := judge{container: &spec.Container{}, unit: &unit{cgroup: unitCgroup, cgroups: systemd.Cgroups{Root: r.root}}}
			lay := func(files map[string]string) {
				for file, text := range files {
					r.write("sys/fs/cgroup/"+file, text)
				}
			}
			lay(test.before)
			before := j.unit.memory()
			lay(test.after)
			got := j.memoryLimit(memoryUse{atStart: before, atEnd: test.own}, test.docker)
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("memoryLimit() = %q, want %q", got, test.want)
			}
		})
	}
}

// A process of the container that the kernel kills is reported, although the container
// runs. Docker may report that the kernel has killed another program.
func TestOOMKillIsNoted(t *testing.T) {
	r := newRig(t)
	full := make(chan struct{})
	r.program(func(ctx context.Context, p *enginetest.Process) int {
		for {
			select {
			case <-full:
				p.OutOfMemory()
			case sig := <-p.Signals:
				return 128 + int(sig.(syscall.Signal))
			case <-ctx.Done():
				return 0
			}
		}
	})
	kills := func(n string) {
		own := "sys/fs/cgroup" + unitCgroup + "/" + containerLeaf
		r.write(own+"/memory.max", "max\n")
		r.write(own+"/memory.events", "oom "+n+"\noom_kill "+n+"\n")
	}
	kills("0")
	l := r.start()
	l.ready()
	full <- struct{}{} // another program
	kills("1")
	full <- struct{}{}
	l.until("a process was killed", func() bool { return l.state().OOMKills == 1 })
	const want = "STATUS running app:1, but out of memory (the kernel has killed 1 of its processes)"
	l.until(want, func() bool { return r.notify.count(want) == 1 })
	if state := l.state(); !state.Ready || state.LastError != nil {
		t.Errorf("state = %+v, want one that is ready", state)
	}
	l.stop()
	l.ends(0, "")
}
