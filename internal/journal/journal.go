// Package journal names what dockhost tells: each event has a MESSAGE_ID, by which
// programs find it in the journal and journalctl -x explains it (packaging/catalog).
// It also has the fields of the journal that say which container an entry is about.
package journal

import (
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Name is the name of an event, as in the journal's field DOCKHOST_EVENT and in
// dockhostctl events.
type Name string

// The events.
const (
	// AssignmentAccepted: an assignment is in force that differs from the one before.
	AssignmentAccepted Name = "assignment-accepted"
	// AssignmentRefused: user data or a file that cannot be used: what was accepted before stays in force.
	AssignmentRefused Name = "assignment-refused"
	// Declared: dockhostctl run declared a container.
	Declared Name = "declared"
	// Forgotten: dockhostctl rm removed the declaration of a container.
	Forgotten Name = "forgotten"
	// Starting: the agent has systemd start a unit.
	Starting Name = "starting"
	// Restarting: the agent has systemd restart a unit, because its declaration has changed.
	Restarting Name = "restarting"
	// Stopping: the agent has systemd stop a unit.
	Stopping Name = "stopping"
	// PullBegun: a pull begins.
	PullBegun Name = "pull-begun"
	// PullDone: a pull has ended well.
	PullDone Name = "pull-done"
	// Ready: a container is ready, as its notify mode defines it.
	Ready Name = "ready"
	// Unhealthy: a container that runs is not well.
	Unhealthy Name = "unhealthy"
	// Healthy: a container that was not well is well again.
	Healthy Name = "healthy"
	// Exited: a container has ended by itself, with exit code 0.
	Exited Name = "exited"
	// Failed: a container ended with an error, or could not be run.
	Failed Name = "failed"
	// Stopped: a container has ended because someone stopped it.
	Stopped Name = "stopped"
	// Restarted: someone called docker restart.
	Restarted Name = "restarted"
	// UpdateConfirmed: an update stayed well.
	UpdateConfirmed Name = "update-confirmed"
	// UpdateRolledBack: an update was not well, and what ran before runs again.
	UpdateRolledBack Name = "update-rolled-back"
	// UpdateRefused: an update was not tried, and the old container runs as before.
	UpdateRefused Name = "update-refused"
	// UpdateFailed: an update was not well, and is left as it is.
	UpdateFailed Name = "update-failed"
	// UpdateSuperseded: a newer update replaced one whose outcome was not known yet.
	UpdateSuperseded Name = "update-superseded"
	// ImageRemoved: housekeeping removed an image.
	ImageRemoved Name = "image-removed"
	// Problem: something is wrong, and someone may have to act.
	Problem Name = "problem"
	// Solved: a problem has ended.
	Solved Name = "solved"
)

// All returns all events.
func All() []Name {
	var all []Name
	for _, k := range kinds() {
		all = append(all, k.name)
	}
	return all
}

// ID returns the MESSAGE_ID, "" for an unknown event.
func (n Name) ID() string { return n.kind().id }

// Message returns the message that [Name.Log] writes.
func (n Name) Message() string { return n.kind().message }

// Log writes the entry of an event.
func (n Name) Log(log *zap.Logger, fields ...zap.Field) { n.Say(log, n.kind().message, fields...) }

// Say is [Name.Log] with another message.
func (n Name) Say(log *zap.Logger, message string, fields ...zap.Field) {
	k := n.kind()
	k.write(log, k.level, message, fields)
}

// Error is [Name.Say] for someone who must act.
func (n Name) Error(log *zap.Logger, message string, fields ...zap.Field) {
	n.kind().write(log, zapcore.ErrorLevel, message, fields)
}

func (k kind) write(log *zap.Logger, level zapcore.Level, message string, fields []zap.Field) {
	log.Log(level, message, append(fields, zap.String(keyID, k.id), zap.String(keyEvent, string(k.name)))...)
}

// The fields of an entry that say which event it is.
const (
	keyID    = "MESSAGE_ID"
	keyEvent = "DOCKHOST_EVENT"
)

// kind is what the journal says about an event.
type kind struct {
	name Name
	// id is the MESSAGE_ID. It never changes: other programs look for it.
	id, message string
	level       zapcore.Level
}

func (n Name) kind() kind {
	for _, k := range kinds() {
		if k.name == n {
			return k
		}
	}
	return kind{name: n, message: string(n), level: zapcore.InfoLevel}
}

func kinds() []kind {
	return []kind{
		{AssignmentAccepted, "49194676cfe5497ba435de293859d49c", "assignment accepted", zapcore.InfoLevel},
		{AssignmentRefused, "9fba931af1bd4f8ca844689f89a55ecf", "assignment refused", zapcore.ErrorLevel},
		{Declared, "ddae923a802f4e96ba314604250949b1", "container declared", zapcore.InfoLevel},
		{Forgotten, "98b13250bbf345c7851a5cf273b2a21c", "container forgotten", zapcore.InfoLevel},
		{Starting, "aec64fe7ff96446390758284ea4ed27e", "starting container", zapcore.InfoLevel},
		{Restarting, "8324b02d63104f669f75e9b216884bd7", "restarting container", zapcore.InfoLevel},
		{Stopping, "0de3490d146a496382e7836b997e5756", "stopping container", zapcore.InfoLevel},
		{PullBegun, "afb17f6089794ca0a62bc2be87474c2a", "pulling image", zapcore.InfoLevel},
		{PullDone, "bf735b07c4b146dc8f326280543656c4", "image pulled", zapcore.InfoLevel},
		{Ready, "7cee1b7d16064650a128bf3bc78d480a", "container is ready", zapcore.InfoLevel},
		{Unhealthy, "575ccf3bb8874f27be8c0d2d5810c6bc", "container is unhealthy", zapcore.WarnLevel},
		{Healthy, "1415e84657fe433e9abeb80f7b297599", "container is healthy again", zapcore.InfoLevel},
		{Exited, "5435d4fd599e4f078c6c7b1f84f98ca3", "container ended", zapcore.InfoLevel},
		{Failed, "964320e9e39d47318aeb40ca6322e425", "container failed", zapcore.ErrorLevel},
		{Stopped, "9556bb0a99ff438b8ee97b4f8d507832", "container stopped", zapcore.InfoLevel},
		{Restarted, "fa718328cbbe4af5add77ab19baa253b", "container was restarted by docker restart", zapcore.InfoLevel},
		{UpdateConfirmed, "eb57e4c864b24e28b947f71d3d5d6d10", "update confirmed", zapcore.InfoLevel},
		{UpdateRolledBack, "26a5e859ab7c419aaabbc73f007cf34f", "update rolled back", zapcore.WarnLevel},
		{UpdateRefused, "116a0d9dffe245eea087b8a8cbfae900", "update refused", zapcore.WarnLevel},
		{UpdateFailed, "410133c0daef448d852d672223d3fc5a", "update failed", zapcore.ErrorLevel},
		{UpdateSuperseded, "5152220b6f984a32979680f386b65457", "update superseded by another", zapcore.InfoLevel},
		{ImageRemoved, "6027c345a64a41489eabd03698e36b96", "image removed", zapcore.InfoLevel},
		{Problem, "2f49b79bbef74678ab67c394cc263e3a", "problem", zapcore.WarnLevel},
		{Solved, "40217efdc3a7442ca16eb04867fdea8e", "solved", zapcore.InfoLevel},
	}
}
