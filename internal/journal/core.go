package journal

import (
	"slices"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// keyContainer is the field of an entry that names the container which it is about.
const keyContainer = "container"

// Entry is an event that was written to the journal.
type Entry struct {
	At      time.Time
	Name    Name
	Message string
	// Fields has all fields of the entry, by their keys.
	Fields map[string]any
}

// Wrap returns a core that adds what is known about the container to each entry with
// a field "container", and then passes those that are events to record.
func Wrap(core zapcore.Core, about func(container string) About, record func(Entry)) zapcore.Core {
	return &wrapper{Core: core, about: about, record: record}
}

type wrapper struct {
	zapcore.Core
	about  func(container string) About
	record func(Entry)
	// fields are those of With.
	fields []zapcore.Field
}

// With keeps the fields, because an entry is about the container that they name.
func (w *wrapper) With(fields []zapcore.Field) zapcore.Core {
	narrowed := *w
	narrowed.fields = append(slices.Clip(w.fields), fields...)
	return &narrowed
}

func (w *wrapper) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if w.Enabled(entry.Level) {
		return checked.AddCore(entry, w)
	}
	return checked
}

func (w *wrapper) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	all := append(slices.Clip(w.fields), fields...)
	given := encode(all)
	if name, _ := given[keyContainer].(string); name != "" {
		for key, value := range encode([]zapcore.Field{zap.Inline(w.about(name))}) {
			if _, isGiven := given[key]; !isGiven {
				all = append(all, zap.Any(key, value))
			}
		}
	}
	err := w.Core.Write(entry, all)
	if name, _ := given[keyEvent].(string); name != "" {
		w.record(Entry{At: entry.Time, Name: Name(name), Message: entry.Message, Fields: given})
	}
	return err
}

func encode(fields []zapcore.Field) map[string]any {
	encoder := zapcore.NewMapObjectEncoder()
	for _, field := range fields {
		field.AddTo(encoder)
	}
	return encoder.Fields
}
