package systemd

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/coreos/go-systemd/v22/journal"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// NewLogger returns a logger that writes native journal entries where standard
// error is the journal, and lines to stderr elsewhere. Each field of an entry
// is a journal field of its own (upper case) and stands in the message too,
// for journalctl shows only that.
func NewLogger(identifier string, level zapcore.Level, stderr io.Writer) *zap.Logger {
	if inJournal, err := journal.StderrIsJournalStream(); err == nil && inJournal {
		return zap.New(&journalCore{LevelEnabler: level, identifier: identifier})
	}
	encoder := zap.NewDevelopmentEncoderConfig()
	encoder.TimeKey, encoder.CallerKey, encoder.StacktraceKey = "", "", ""
	encoder.EncodeLevel = zapcore.LowercaseLevelEncoder
	return zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(encoder), zapcore.Lock(zapcore.AddSync(stderr)), level))
}

// journalCore is a zap core that speaks journald's native protocol
// (systemd.journal-fields(7)).
type journalCore struct {
	zapcore.LevelEnabler

	identifier string
	fields     []zapcore.Field
}

func (c *journalCore) With(fields []zapcore.Field) zapcore.Core {
	narrowed := *c
	narrowed.fields = append(narrowed.fields[:len(narrowed.fields):len(narrowed.fields)], fields...)
	return &narrowed
}

func (c *journalCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(entry.Level) {
		return checked.AddCore(entry, c)
	}
	return checked
}

func (c *journalCore) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	all := append(c.fields[:len(c.fields):len(c.fields)], fields...)
	vars := map[string]string{"SYSLOG_IDENTIFIER": c.identifier}
	message := entry.Message
	for _, field := range all {
		value := fieldText(field)
		vars[strings.ToUpper(field.Key)] = value
		if field.Type == zapcore.ErrorType {
			message += ": " + value
		}
	}
	for _, field := range all {
		if field.Type != zapcore.ErrorType {
			message += " " + field.Key + "=" + quoted(fieldText(field))
		}
	}
	return journal.Send(message, priority(entry.Level), vars)
}

func (c *journalCore) Sync() error { return nil }

// fieldText renders one field as zap's own encoders would.
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
