package update

import (
	"testing"
	"time"
)

// at returns a time in Berlin, where clocks are set forward on 29 March and back on 25
// October 2026.
func at(t *testing.T, text string) time.Time {
	t.Helper()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := time.ParseInLocation("2006-01-02 15:04:05", text, berlin)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestWindow(t *testing.T) {
	const never = ""
	tests := []struct {
		name, window, at string
		// until is when it closes, never if it is closed. next is when it opens next.
		until, next string
	}{
		{"before", "Sat,Sun 02:00 +4h Europe/Berlin", "2026-06-05 12:00:00", never, "2026-06-06 02:00:00"},
		{"just before", "Sat,Sun 02:00 +4h Europe/Berlin", "2026-06-06 01:59:59", never, "2026-06-06 02:00:00"},
		{"opens", "Sat,Sun 02:00 +4h Europe/Berlin", "2026-06-06 02:00:00", "2026-06-06 06:00:00", "2026-06-07 02:00:00"},
		{"open", "Sat,Sun 02:00 +4h Europe/Berlin", "2026-06-07 05:59:59", "2026-06-07 06:00:00", "2026-06-13 02:00:00"},
		{"closes", "Sat,Sun 02:00 +4h Europe/Berlin", "2026-06-07 06:00:00", never, "2026-06-13 02:00:00"},
		{"zone before the duration", "Sat 02:00 Europe/Berlin +1h", "2026-06-06 02:30:00", "2026-06-06 03:00:00", "2026-06-13 02:00:00"},
		{"over midnight", "Fri 22:00 +8h Europe/Berlin", "2026-06-06 05:00:00", "2026-06-06 06:00:00", "2026-06-12 22:00:00"},
		{"UTC", "02:00 +1h UTC", "2026-06-06 04:30:00", "2026-06-06 05:00:00", "2026-06-07 04:00:00"},
		{"last days", "*-*~01 12:00 +12h Europe/Berlin", "2028-02-10 00:00:00", never, "2028-02-29 12:00:00"},
		{"set forward over the opening", "02:30 +2h Europe/Berlin", "2026-03-29 03:30:00", never, "2026-03-30 02:30:00"},
		{"set forward while open", "01:00 +2h Europe/Berlin", "2026-03-29 03:30:00", "2026-03-29 04:00:00", "2026-03-30 01:00:00"},
		{"set back while open", "01:00 +4h Europe/Berlin", "2026-10-25 03:30:00", "2026-10-25 04:00:00", "2026-10-26 01:00:00"},
		{"openings that overlap", "*-06-06 00..03:00 +90min Europe/Berlin", "2026-06-06 01:10:00", "2026-06-06 04:30:00", "2026-06-06 02:00:00"},
		{"openings that touch", "*-06-06 00..03:00 +1h Europe/Berlin", "2026-06-06 01:00:00", "2026-06-06 04:00:00", "2026-06-06 02:00:00"},
		{"for the last time", "2026-06-06 02:00 +1h Europe/Berlin", "2026-06-06 02:00:00", "2026-06-06 03:00:00", never},
		{"closed for ever", "2026-06-06 02:00 +1h Europe/Berlin", "2026-06-06 03:00:00", never, never},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w, err := ParseWindow(test.window)
			if err != nil {
				t.Fatal(err)
			}
			now, until := at(t, test.at), time.Time{}
			if test.until != never {
				until = at(t, test.until)
			}
			if got := w.Until(now); !got.Equal(until) {
				t.Errorf("Until(%s) = %s, want %s", now, got, until)
			}
			if got := w.Open(now); got != (test.until != never) {
				t.Errorf("Open(%s) = %t", now, got)
			}
			got, ok := w.Next(now)
			if ok != (test.next != never) || ok && !got.Equal(at(t, test.next)) {
				t.Errorf("Next(%s) = %s, %t, want %s", now, got, ok, test.next)
			}
		})
	}
}

// A window that is always open takes no longer than others.
func TestWindowIsAlwaysOpen(t *testing.T) {
	for _, text := range []string{"minutely +1h", "*:*:* +366d", "daily +1d UTC"} {
		w, err := ParseWindow(text)
		if err != nil {
			t.Fatal(err)
		}
		now := at(t, "2026-06-06 12:34:56")
		if until := w.Until(now); !w.Open(now) || !until.After(now) {
			t.Errorf("%q is open until %s", text, until)
		}
	}
}

func TestWindowString(t *testing.T) {
	w, err := ParseWindow("  Sat,Sun\t02:00  +4h Europe/Berlin ")
	if got := w.String(); err != nil || got != "Sat,Sun 02:00 +4h Europe/Berlin" {
		t.Errorf("String() = %q (error %v)", got, err)
	}
}

func TestParseSpan(t *testing.T) {
	tests := []struct {
		text string
		want time.Duration
		ok   bool
	}{
		{"90s", 90 * time.Second, true},
		{"1h30m", 90 * time.Minute, true},
		{"1.5h", 90 * time.Minute, true},
		{"2d", 48 * time.Hour, true},
		{"1w1day2hours3min4sec5ms", 8*24*time.Hour + 2*time.Hour + 3*time.Minute + 4*time.Second + 5*time.Millisecond, true},
		{"0s", 0, true},
		{"", 0, false},
		{"4", 0, false},
		{"h", 0, false},
		{"-4h", 0, false},
		{"4h30", 0, false},
		{"4y", 0, false},
		{"999999999w", 0, false},
		{"99999w99999w99999w99999w99999w99999w99999w99999w99999w", 0, false},
	}
	for _, test := range tests {
		if got, ok := parseSpan(test.text); got != test.want || ok != test.ok {
			t.Errorf("parseSpan(%q) = %s, %t, want %s, %t", test.text, got, ok, test.want, test.ok)
		}
	}
}

func FuzzParseWindow(f *testing.F) {
	for _, text := range []string{
		"Sat,Sun 02:00 +4h Europe/Berlin", "daily +1d", "*-*~01 12:00 UTC +90min", "*:*:* +1s", "@1800000000 +1h", "2026-06-06 02:00 +1h", "+1h", "02:00 +1h +2h",
	} {
		f.Add(text, int64(1_774_742_400))
	}
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		w, err := ParseWindow(text)
		if err != nil {
			return
		}
		again, err := ParseWindow(w.String())
		if err != nil || again.String() != w.String() {
			t.Fatalf("ParseWindow(%q) = %q, and that is %q (error %v)", text, w, again, err)
		}
		now := time.Unix(unix%(200*365*24*3600), 0)
		until := w.Until(now)
		if w.Open(now) != !until.IsZero() || w.Open(now) && !until.After(now) {
			t.Errorf("%q at %s: Open() = %t, Until() = %s", text, now, w.Open(now), until)
		}
		if opens, ok := w.Next(now); ok && (!opens.After(now) || !w.Open(opens)) {
			t.Errorf("%q at %s: Next() = %s, and it is open then: %t", text, now, opens, w.Open(opens))
		}
	})
}
