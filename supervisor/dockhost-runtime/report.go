package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
)

// report writes an error where runc would: to stderr, and to the end of the file
// that --log names. Docker's shim shows the last error in that file ("OCI runtime
// create failed: ...").
func report(c call, err error, now time.Time, stderr io.Writer) {
	_, _ = fmt.Fprintln(stderr, err)
	if c.log == "" {
		return
	}
	if err := appendFile(c.log, logLine(c.logFormat, err.Error(), now)); err != nil {
		_, _ = fmt.Fprintln(stderr, err)
	}
}

// logLine formats an error as logrus does, which runc uses. The time must be RFC
// 3339, or containerd's go-runc skips the whole log.
func logLine(format, message string, now time.Time) string {
	stamp := now.Format(time.RFC3339)
	if format != "json" {
		return "time=" + strconv.Quote(stamp) + " level=error msg=" + strconv.Quote(message) + "\n"
	}
	line, _ := json.Marshal(struct { // strings only: it cannot fail
		Level   string `json:"level"`
		Message string `json:"msg"`
		Time    string `json:"time"`
	}{"error", message, stamp})
	return string(line) + "\n"
}

func appendFile(name, text string) error {
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644) // #nosec G302 -- the mode that runc uses
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	return err
}
