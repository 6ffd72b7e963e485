package compose

import (
	"fmt"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/spec/update"
)

// applyUpdate adds deploy.update_config and deploy.rollback_config to the settings in
// x-dockhost.update. A service is one container here, so what Compose says about many,
// such as parallelism and delay, has no effect.
func (d *declaration) applyUpdate(c *spec.Container) {
	u := spec.Update{}
	if c.Update != nil {
		u = *c.Update
	}
	config, rollback := d.field("deploy").Field("update_config"), d.field("deploy").Field("rollback_config")
	u.Order = update.Order(d.Report, config.Field("order"))
	u.FailureAction = update.FailureAction(d.Report, config.Field("failure_action"))
	u.Monitor = update.Monitor(d.Report, config.Field("monitor"))
	u.RollbackOrder = update.Order(d.Report, rollback.Field("order"))
	if deploy := d.service.Deploy; deploy != nil {
		d.checkRatio(config, deploy.UpdateConfig)
		d.checkRatio(rollback, deploy.RollbackConfig)
	}
	if c.Update != nil || u.Order != "" || u.FailureAction != "" || u.Monitor != 0 || u.RollbackOrder != "" {
		c.Update = &u
	}
}

// checkRatio reports a ratio that no failure exceeds: a service has one container, so
// each failure has the ratio 1.
func (d *declaration) checkRatio(at spot, config *types.UpdateConfig) {
	if config != nil && !(config.MaxFailureRatio >= 0 && config.MaxFailureRatio < 1) {
		d.Errorf(at.Field("max_failure_ratio"), "not a ratio from 0 to less than 1: leave it out (to keep a container that is not well, write failure_action: continue)")
	}
}

// checkUpdates reports settings of updates that contradict other keys.
func (r *report) checkUpdates(declared []*declaration, containers []spec.Container) {
	for i, d := range declared {
		c := &containers[i]
		if c.Update == nil {
			continue
		}
		settings := d.dockhost.Field("update")
		config, rollback := d.field("deploy").Field("update_config"), d.field("deploy").Field("rollback_config")
		update.CheckPolicy(r.Report, settings.Field("policy"), c)
		update.CheckMonitor(r.Report, config.Field("monitor"), c.Update)
		update.CheckOrder(r.Report, config.Field("order"), c.Update.Order, c)
		update.CheckOrder(r.Report, rollback.Field("order"), c.Update.RollbackOrder, c)
		r.warnOfWindows(settings.Field("window"), c.Update.Windows, time.Now())
	}
}

// warnOfWindows warns of windows that have closed for ever. They are no errors: the same
// user data was right once, and its containers must still start.
func (r *report) warnOfWindows(at spot, windows []string, now time.Time) {
	for _, text := range windows {
		w, err := update.ParseWindow(text)
		if err != nil || w.Open(now) {
			continue
		}
		if _, opens := w.Next(now); !opens {
			r.sources.warnings = append(r.sources.warnings, fmt.Sprintf("%s: the window %q does not open again", at.Path, w))
		}
	}
}
