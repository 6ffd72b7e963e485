// Package outcome writes how updates ended to the journal: one entry for each outcome,
// which programs find by its MESSAGE_ID, and journalctl -x explains. The explanations are
// in packaging/catalog.
package outcome

import (
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/spec"
)

// The MESSAGE_IDs of the outcomes. They never change: other programs look for them.
const (
	MessageConfirmed  = "eb57e4c864b24e28b947f71d3d5d6d10"
	MessageRolledBack = "26a5e859ab7c419aaabbc73f007cf34f"
	MessageRefused    = "116a0d9dffe245eea087b8a8cbfae900"
	MessageFailed     = "410133c0daef448d852d672223d3fc5a"
	MessageSuperseded = "5152220b6f984a32979680f386b65457"
)

// kind is what the journal says about an outcome.
type kind struct {
	id, message string
	level       zapcore.Level
}

// kindOf returns the kind of an outcome of an [api.HistoryEntry]. An unknown one has no
// MESSAGE_ID.
func kindOf(outcome string) kind {
	switch outcome {
	case "confirmed":
		return kind{MessageConfirmed, "update confirmed", zapcore.InfoLevel}
	case "rolled-back":
		return kind{MessageRolledBack, "update rolled back", zapcore.WarnLevel}
	case "refused":
		return kind{MessageRefused, "update refused", zapcore.WarnLevel}
	case "failed":
		return kind{MessageFailed, "update failed", zapcore.ErrorLevel}
	case "superseded":
		return kind{MessageSuperseded, "update superseded by another", zapcore.InfoLevel}
	}
	return kind{message: "update ended", level: zapcore.InfoLevel}
}

// Log writes the entry. Its fields in capitals are fields of the journal alone: those of
// Docker's log driver journald, and OBJECT_SYSTEMD_UNIT, by which journalctl -u shows the
// entry with the container's unit.
func Log(log *zap.Logger, entry api.HistoryEntry) {
	kind := kindOf(entry.Outcome)
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
	text("MESSAGE_ID", kind.id)
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
	log.Log(kind.level, kind.message, fields...)
}
