package systemd

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/coreos/go-systemd/v22/journal"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/dockhost/dockhost/internal/oneline"
)

// NewLogger returns a logger that writes native journal entries if standard error is
// the journal, and lines to stderr otherwise. Each field of an entry becomes a
// journal field (in upper case, systemd.journal-fields(7)). It is also part of the
// message, because journalctl shows only the message; a field whose key is in upper case
// already is for programs, and not part of it. invocation is $INVOCATION_ID.
func NewLogger(identifier, invocation string, debug bool, stderr io.Writer) *zap.Logger {
	level := zapcore.InfoLevel
	if debug {
		level = zapcore.DebugLevel
	}
	write := toLines(identifier, stderr)
	if inJournal, err := journal.StderrIsJournalStream(); err == nil && inJournal {
		write = toJournal(identifier, ownFields(Cgroups{}, invocation))
	}
	return zap.New(&core{LevelEnabler: level, write: write})
}

// ownFields are the fields by which journalctl finds the entries of this process for its
// unit. journald knows that by itself only while the process runs: it finds no unit for what
// a process says last. Only root's entries are believed, and those of users' managers are not
// found so.
func ownFields(cgroups Cgroups, invocation string) map[string]string {
	unit, path, err := cgroups.OwnUnit()
	if err != nil || UserOf(path) != "" {
		return map[string]string{}
	}
	fields := map[string]string{"OBJECT_SYSTEMD_UNIT": unit}
	if invocation != "" {
		fields["OBJECT_SYSTEMD_INVOCATION_ID"] = invocation
	}
	return fields
}

// writer writes one entry.
type writer func(level zapcore.Level, message string, vars map[string]string) error

// toJournal returns a writer of entries. Where an entry lacks one of the common fields, it
// gets that.
func toJournal(identifier string, common map[string]string) writer {
	return func(level zapcore.Level, message string, vars map[string]string) error {
		all := maps.Clone(common)
		maps.Copy(all, vars)
		all["SYSLOG_IDENTIFIER"] = identifier
		return journal.Send(message, priority(level), all)
	}
}

func toLines(identifier string, w io.Writer) writer {
	var mu sync.Mutex
	return func(level zapcore.Level, message string, _ map[string]string) error {
		mu.Lock()
		defer mu.Unlock()
		prefix := identifier + ": "
		if level != zapcore.InfoLevel {
			prefix += level.String() + ": "
		}
		_, err := io.WriteString(w, prefix+message+"\n")
		return err
	}
}

// core is a zap core that renders an entry both as text and as journal fields.
type core struct {
	zapcore.LevelEnabler

	write  writer
	fields []zapcore.Field
}

func (c *core) With(fields []zapcore.Field) zapcore.Core {
	narrowed := *c
	narrowed.fields = append(slices.Clip(narrowed.fields), fields...)
	return &narrowed
}

func (c *core) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(entry.Level) {
		return checked.AddCore(entry, c)
	}
	return checked
}

func (c *core) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	vars := map[string]string{}
	var failure, data strings.Builder
	for _, field := range append(slices.Clip(c.fields), fields...) {
		if field.Type == zapcore.InlineMarshalerType {
			addInline(vars, field)
			continue
		}
		value := fieldText(field)
		name := strings.ToUpper(field.Key)
		vars[name] = value
		switch {
		case field.Type == zapcore.ErrorType:
			failure.WriteString(": " + value)
		case field.Key != name:
			data.WriteString(" " + field.Key + "=" + quoted(value))
		}
	}
	for name, value := range vars {
		vars[name] = oneline.Text(value)
	}
	return c.write(entry.Level, oneline.Text(entry.Message+failure.String()+data.String()), vars)
}

func (c *core) Sync() error { return nil }

// addInline adds the fields of an object. They are fields of the journal alone.
func addInline(vars map[string]string, field zapcore.Field) {
	encoder := zapcore.NewMapObjectEncoder()
	field.AddTo(encoder)
	for key, value := range encoder.Fields {
		vars[strings.ToUpper(key)] = fmt.Sprint(value)
	}
}

// fieldText renders one field like zap's own encoders.
func fieldText(field zapcore.Field) string {
	encoder := zapcore.NewMapObjectEncoder()
	field.AddTo(encoder)
	return fmt.Sprint(encoder.Fields[field.Key])
}

func quoted(value string) string {
	if value == "" || strings.ContainsAny(value, " \"\n") {
		return strconv.Quote(value)
	}
	return value
}

func priority(level zapcore.Level) journal.Priority {
	switch level {
	case zapcore.DebugLevel:
		return journal.PriDebug
	case zapcore.InfoLevel:
		return journal.PriInfo
	case zapcore.WarnLevel:
		return journal.PriWarning
	case zapcore.ErrorLevel:
		return journal.PriErr
	case zapcore.DPanicLevel, zapcore.PanicLevel, zapcore.FatalLevel, zapcore.InvalidLevel:
		return journal.PriCrit
	}
	return journal.PriNotice
}
