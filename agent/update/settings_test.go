package update_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/agent/update"
	"github.com/dockhost/dockhost/agent/update/fakehost"
	"github.com/dockhost/dockhost/spec"
	specupdate "github.com/dockhost/dockhost/spec/update"
)

const goodImage, badImage = "sha256:1111", "sha256:2222"

// world has a tag that names the bad image.
type world struct{}

func (world) Latest(string) (string, error)    { return badImage, nil }
func (world) Pull(string) error                { return nil }
func (world) Gate() string                     { return "" }
func (world) Passed(bool)                      {}
func (world) Replaced(*spec.Container, string) {}
func (world) Told(api.HistoryEntry)            {}
func (world) Behave(_ *spec.Container, digest string) fakehost.Behavior {
	if digest == badImage {
		return fakehost.Behavior{Ready: time.Second, Fails: 2 * time.Second, Why: "container ended with exit code 1"}
	}
	return fakehost.Behavior{Ready: time.Second}
}

// TestRollbackKeepsSettings changes the settings of a container that was confirmed, and
// rolls an update of it back: what ran before runs with the settings of now.
func TestRollbackKeepsSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := spec.Update{Policy: spec.UpdateRegistry, Check: time.Minute, Monitor: 10 * time.Second, FailureAction: spec.FailureRollback}
		files := update.Files{Root: t.TempDir()}
		container := func(policy spec.UpdatePolicy) *spec.Container {
			return &spec.Container{Name: "web", Image: "registry.test/web:1", Update: &spec.Update{Policy: policy}}
		}
		before := update.Record{Confirmed: &update.Revision{Container: container(spec.UpdateNone), ImageID: goodImage, Digest: goodImage}}
		if err := files.Save("web", before); err != nil {
			t.Fatal(err)
		}
		host := fakehost.New(container(spec.UpdateRegistry), goodImage, settings, 0, world{})
		m := update.New("web", host, files, zap.NewNop())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			m.Run(ctx)
		}()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		cancel()
		<-done

		current, digest := host.Running()
		if view := host.View(); view.State != api.OutcomeRolledBack || digest != goodImage {
			t.Fatalf("%s runs, and the update is %s: %s, want rolled back", digest, view.State, view.Why)
		}
		if current.Update == nil || current.Update.Policy != spec.UpdateRegistry {
			t.Errorf("settings = %+v, want those of now", current.Update)
		}
	})
}

// TestSoakFollowsSettings shortens the time for which an update is observed while it is.
func TestSoakFollowsSettings(t *testing.T) {
	inBubble(t, watched(), func(r *rig) {
		settings := specupdate.Defaults(new(watched()), nil)
		settings.Monitor = 24 * time.Hour
		r.host.Set(settings)
		r.set(func() { r.latest = newOne })
		time.Sleep(time.Hour)
		if view := r.machine.View(); view.State != string(update.PhaseSoaking) {
			t.Fatalf("the update is %s (%s), want soaking", view.State, view.Why)
		}
		settings.Monitor = time.Minute
		r.host.Set(settings)
		r.machine.Wake()
		time.Sleep(time.Second)
		r.want(newOne, update.OutcomeConfirmed)
	})
}
