// Package outcome writes how updates ended to the journal: one entry for each outcome,
// which programs find by its MESSAGE_ID, and journalctl -x explains. The explanations are
// in packaging/catalog.
package outcome

import (
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/internal/journal"
	"github.com/dockhost/dockhost/spec"
)

// Log writes the entry. Its fields in capitals are fields of the journal alone: those of
// Docker's log driver journald, and OBJECT_SYSTEMD_UNIT, by which journalctl -u shows the
// entry with the container's unit.
func Log(log *zap.Logger, entry api.HistoryEntry) {
	fields := []zap.Field{
		zap.String("container", entry.Name), zap.String("image", entry.To.Image),
		zap.Duration("took", entry.Ended.Sub(entry.Began).Round(time.Millisecond)),
	}
	text := func(key, value string) {
		if value != "" {
			fields = append(fields, zap.String(key, value))
		}
	}
	text("why", entry.Why)
	text("CONTAINER_NAME", entry.Name)
	text("IMAGE_NAME", entry.To.Image)
	text("OBJECT_SYSTEMD_UNIT", spec.UnitName(entry.Name))
	text("DOCKHOST_UPDATE_OUTCOME", entry.Outcome)
	text("DOCKHOST_UPDATE_CAUSE", string(entry.Cause))
	text("DOCKHOST_UPDATE_BY", entry.By)
	text("DOCKHOST_UPDATE_WHY", entry.Why)
	text("DOCKHOST_UPDATE_TO", entry.To.Digest)
	if entry.From != nil {
		text("DOCKHOST_UPDATE_FROM", entry.From.Digest)
	}
	journal.Name("update-"+entry.Outcome).Log(log, fields...)
}
