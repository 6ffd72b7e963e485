package supervisor

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseMessage(t *testing.T) {
	text := func(s string) *string { return &s }
	tests := []struct {
		text string
		want message
	}{
		{"", message{}},
		{"READY=1", message{ready: true}},
		{"READY=0", message{}},
		{"READY=1\nSTATUS=serving\n", message{ready: true, status: text("serving")}},
		{"STATUS=", message{status: text("")}},
		{"STATUS=a\x1b[2J=b\tc\xff", message{status: text("a [2J=b c�")}},
		{"STATUS=" + strings.Repeat("ä", 300), message{status: text(strings.Repeat("ä", 256) + "...")}},
		{"WATCHDOG=1", message{pass: []string{"WATCHDOG=1"}}},
		{"WATCHDOG=trigger\nWATCHDOG=2", message{pass: []string{"WATCHDOG=trigger"}}},
		{"ERRNO=2\nSTOPPING=1\nEXTEND_TIMEOUT_USEC=5", message{stopping: true, extend: 5 * time.Microsecond, pass: []string{"ERRNO=2"}}},
		{"EXTEND_TIMEOUT_USEC=9223372036854775807", message{extend: math.MaxInt64 / 1000 * 1000}},
		{"WATCHDOG_USEC=7", message{watchdog: time.Second, pass: []string{"WATCHDOG_USEC=1000000"}}},
		{"WATCHDOG_USEC=30000000", message{watchdog: 30 * time.Second, pass: []string{"WATCHDOG_USEC=30000000"}}},
		{"WATCHDOG_USEC=9223372036854775807", message{watchdog: time.Hour, pass: []string{"WATCHDOG_USEC=3600000000"}}},
		{"ERRNO=4096\nWATCHDOG_USEC=0", message{}},
		{"ERRNO=-2\nEXTEND_TIMEOUT_USEC=x\nSTOPPING=yes\nEXTEND_TIMEOUT_USEC=99999999999999999999", message{}},
		{"RELOADING=1\nMONOTONIC_USEC=123", message{reloading: true, pass: []string{"RELOADING=1", "MONOTONIC_USEC=123"}}},
		{"MAINPID=1\nMAINPIDFDID=2\nFDSTORE=1\nFDNAME=a\nFDPOLL=0\nBARRIER=1\nNOTIFYACCESS=all\nX_OWN=1\nnonsense", message{}},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, parseMessage(test.text), cmp.AllowUnexported(message{})); diff != "" {
			t.Errorf("parseMessage(%q) (-want +got):\n%s", test.text, diff)
		}
	}
	if got := parseMessage("RELOADING=1\nMONOTONIC_USEC=soon").pass; len(got) != 2 || !strings.HasPrefix(got[1], "MONOTONIC_USEC=") || got[1] == "MONOTONIC_USEC=soon" {
		t.Errorf("a reload without a time is passed on as %q, want the supervisor's time", got)
	}
}

func FuzzParseMessage(f *testing.F) {
	for _, text := range []string{"READY=1\nSTATUS=x", "RELOADING=1\nMONOTONIC_USEC=1", "=\n=", "STATUS=\x00\x1b"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m := parseMessage(text)
		if m.status != nil && (strings.ContainsFunc(*m.status, func(r rune) bool { return r < ' ' || r == 0x7f }) || len([]rune(*m.status)) > maxText+3) {
			t.Errorf("parseMessage(%q) has status %q", text, *m.status)
		}
		known := []string{"WATCHDOG", "WATCHDOG_USEC", "ERRNO", "RELOADING", "MONOTONIC_USEC"}
		if m.extend < 0 {
			t.Errorf("parseMessage(%q) extends by %s", text, m.extend)
		}
		for _, line := range m.pass {
			name, _, _ := strings.Cut(line, "=")
			if strings.Contains(line, "\n") || !slices.Contains(known, name) {
				t.Errorf("parseMessage(%q) passes %q on", text, line)
			}
		}
	})
}
