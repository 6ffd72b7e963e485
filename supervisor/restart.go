package supervisor

import (
	"context"
	"time"
)

// restartLag is how long after a stop the Engine may take to get at the start
// that makes it a restart.
const restartLag = 100 * time.Millisecond

// restarted says whether a stop was the first half of docker restart. The
// Engine keeps the container to itself from then on until it runs again, and
// answers who asks for it only then, however long that takes.
func (s *Supervisor) restarted(ctx context.Context, c *running) bool {
	timeout := time.NewTimer(restartLag)
	defer timeout.Stop()
	for waiting := true; waiting && c.events != nil && !c.started; {
		select {
		case event, open := <-c.events:
			if !open {
				c.events = nil
				continue
			}
			s.happened(ctx, c, event)
		case <-timeout.C:
			waiting = false
		}
	}
	found, err := s.Engine.Inspect(ctx, c.id)
	return err == nil && found.Running
}

// followAgain takes up a container that Docker has started once more. It was
// born in its place again, for the placement is still there.
func (s *Supervisor) followAgain(ctx context.Context, c *running) (bool, int, error) {
	c.process.close()
	fresh := running{id: c.id, output: c.output, events: c.events}
	*c = fresh
	c.memory = s.Cgroups.Memory(s.cgroup)
	if err := s.listen(ctx, c, s.Engine.WaitEnded); err != nil {
		return false, ExitNotRun, err
	}
	if err := s.verifyPlace(ctx, c); err != nil {
		return false, ExitNotRun, err
	}
	if err := s.writePIDFile(c.process.id()); err != nil {
		return false, ExitNotRun, err
	}
	s.Log.Info("container was restarted by docker restart")
	s.life.restarted()
	s.pid = c.process.id()
	if s.spec.Notify.AtOnce() {
		s.life.ready()
	}
	s.gpuPid.Store(int64(s.pid))
	s.readiness.watch(ctx, c.id, s.pid)
	return true, 0, nil
}
