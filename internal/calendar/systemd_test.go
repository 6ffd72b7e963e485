package calendar

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// accepted are expressions that systemd accepts. The first are the examples of
// systemd.time(7).
func accepted() []string {
	return []string{
		"Sat,Thu,Mon..Wed,Sat..Sun", "Mon,Sun 12-*-* 2,1:23", "Wed *-1", "Wed..Wed,Wed *-1", "Wed, 17:48", "Wed..Sat,Tue 12-10-15 1:2:3",
		"*-*-7 0:0:0", "10-15", "monday *-12-* 17:00", "Mon,Fri *-*-3,1,2 *:30:45", "12,14,13,12:20,10,30", "12..14:10,20,30",
		"mon,fri *-1/2-1,3 *:30:45", "03-05 08:05:40", "08:05:40", "05:40", "Sat,Sun 12-05 08:05:40", "Sat,Sun 08:05:40", "2003-03-05 05:40",
		"05:40:23.4200004/3.1700005", "2003-02..04-05", "2003-03-05 05:40 UTC", "2003-03-05", "03-05", "hourly", "daily", "daily UTC",
		"monthly", "weekly", "weekly Pacific/Auckland", "yearly", "annually", "*:2/3",

		"minutely", "quarterly", "biannually", "semi-annually", "bi-annually", "semiannually", "anually", "DAILY", "Daily utc",
		"*-02~03", "*-*~1 04:00", "Mon *-05~07/1", "*-*~01..07 03:00", "*-*-01..02/9", "*-*~1..7/9", "*:5..5", "*-*~01..08/3", "*-*~7/2", "*-*~28/9", "*-02-29", "Mon *-02-29", "*-02-30", "*-2-28..31",
		"*-*-*", "*-*-* *:*:*", "*:*:0/17", "*:0/40", "0/5:00", "1..23/2:15", "*-*-1..7/3", "*-1..12/4-15 06:30", "2027..2030/2-07-01", "2027/3-*-01",
		"27-01-01", "70-01-01", "2199-12-31 23:59:59", "2026-11-31", "@1800000000", "@1", "Mon-Fri 09:00", "tue..thu 22:00", "Mon..Sun 01:00", "Wed,",
		"Fri *-*-13 13:13:13", "*-*-31 00:00", "*-12-24..26 18:00", "*:00,15,30,45:30.5", "23:59:59.999999",

		"Sat,Sun 02:00 Europe/Berlin", "02:30 Europe/Berlin", "*:30 Europe/Berlin", "*:0/10 Europe/Berlin", "*-03-29 02:30 Europe/Berlin",
		"*-10-25 02:30 Europe/Berlin", "Sun *-*~07/1 02:15 Europe/Berlin", "daily America/Santiago", "*-09-* 00..01:30 America/Santiago",
		"00:30 Africa/Cairo", "daily Africa/Cairo", "*:20 America/Santiago", "hourly Australia/Lord_Howe", "*:15 Australia/Lord_Howe", "02:15 Australia/Lord_Howe", "*:45 Asia/Kathmandu",
		"12:00 Etc/GMT+12", "daily Pacific/Apia", "*-12-30,31 12:00 Pacific/Apia", "05:00 America/Chicago", "*:*:0/20 America/New_York", "01:30 America/New_York",
	}
}

// refused are expressions that systemd refuses.
func refused() []string {
	return []string{
		"", "test", "7", "24:00", "10:60", "10:00:60", "*-13-01", "*-00-01", "*-01-32", "*-01-00", "1969-01-01", "2200-01-01", "Sun..Mon", "Mon..", "Mon...Fri",
		"Mon,,Tue", "Foo 10:00", "Monda 10:00", "10:00 Europe/Nowhere", "10:00 Local", "10:00 ../../etc/localtime", "10", "10-", "-10", "10:00:00:00",
		"10:00 11:00", "2026-01-01-01", "2026~01-01", "2026-01~29", "*-*~31", "*-*-05..02", "*:0/0", "*:0/60", "0/24:00", "*/5:00", "*-*-*/2",
		"1..2..3:00", "1/2/3:00", "1,:00", ",1:00", "1.5:00", "@", "@x", "@-1", "@1 10:00", "*-*-*T10:00", "10:00Z", "+1h", "1000000000000:00", "20:4294967297",
		"*-*~2/2", "*-*~1/1", "Mon Tue 10:00", "Mon, Tue", "10:00 UTC UTC", "daily daily", "Mon daily", "daily 10:00", "UTC", "10:00 Mon",
	}
}

// bases are the times from which the next ones are computed: around leap days, and
// around the clock changes of the zones above.
func bases(t *testing.T) []time.Time {
	t.Helper()
	var times []time.Time
	for _, text := range []string{
		"2024-02-28T23:30:00Z", "2026-03-08T05:10:00Z", "2026-03-29T00:10:00Z", "2026-04-04T14:40:00Z", "2026-04-23T20:10:00Z", "2026-09-05T21:10:00Z", "2026-10-03T15:10:00Z", "2026-10-25T00:20:00Z",
		"2026-10-25T01:20:00Z", "2026-11-01T05:25:30Z", "2026-11-01T06:25:30Z", "2011-12-29T20:00:00Z", "2099-12-31T23:59:59Z",
	} {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		times = append(times, at)
	}
	return times
}

// requireSystemdAnalyze skips the test where the program is missing, or fails it where
// it has to be there.
func requireSystemdAnalyze(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err == nil {
		return
	}
	if slices.Contains(strings.Split(os.Getenv("DOCKHOST_REQUIRE"), ","), "systemd") {
		t.Fatal("systemd-analyze is missing (install the package systemd)")
	}
	t.Skip("systemd-analyze is missing")
}

// iterations is how many times are compared.
const iterations = 5

// elapse is what systemd-analyze prints of a time.
var elapse = regexp.MustCompile(`(?:Next elapse|Iter(?:\.|ation) #\d+): \w{3} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC\n`)

// answer is what is compared: the normal form, and when the expression elapses, in UTC.
type answer struct {
	Normal string
	Times  []string
}

// systemd returns systemd's answers for expressions, by their texts.
func systemd(t *testing.T, base time.Time, expressions ...string) (map[string]answer, error) {
	t.Helper()
	arguments := append([]string{"calendar", "--iterations=5", "--base-time=" + base.Format("2006-01-02 15:04:05 UTC"), "--"}, expressions...)
	command := exec.CommandContext(t.Context(), "systemd-analyze", arguments...)
	command.Env = []string{"TZ=UTC", "LC_ALL=C", "PATH=" + os.Getenv("PATH")}
	out, err := command.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil, err
	} else if err != nil {
		t.Fatal(err)
	}
	answers := map[string]answer{}
	for i, text := range strings.Split(string(out), "\n\n") {
		_, normal, _ := strings.Cut(text, "Normalized form: ")
		normal, _, _ = strings.Cut(normal, "\n")
		a := answer{Normal: normal}
		for _, match := range elapse.FindAllStringSubmatch(text+"\n", -1) {
			a.Times = append(a.Times, match[1])
		}
		answers[expressions[i]] = a
	}
	return answers, nil
}

func TestExpressionsElapseAsInSystemd(t *testing.T) {
	requireSystemdAnalyze(t)
	for _, base := range bases(t) {
		want, err := systemd(t, base, accepted()...)
		if err != nil {
			t.Fatalf("systemd refuses one of the expressions: %v", err)
		}
		for _, text := range accepted() {
			if base.Hour() == 23 && skipsMidnight(text) {
				continue
			}
			if diff := cmp.Diff(want[text], ours(t, base, text)); diff != "" {
				t.Errorf("%q from %s (-systemd +ours):\n%s", text, base, diff)
			}
		}
	}
}

// ours returns the answer of this package. The host of the test is in UTC.
func ours(t *testing.T, base time.Time, text string) answer {
	t.Helper()
	e, err := Parse(text)
	if err != nil {
		t.Errorf("Parse(%q) error = %v", text, err)
		return answer{}
	}
	a := answer{Normal: e.String()}
	if e.zone == nil {
		e.zone = time.UTC
	}
	at, ok := e.Next(base)
	for ; ok && len(a.Times) < iterations; at, ok = e.Next(at) {
		a.Times = append(a.Times, at.UTC().Format("2006-01-02 15:04:05"))
	}
	return a
}

// skipsMidnight reports whether systemd (252 and 257) goes from 23:40 to 00:40 or the
// like, past the first time of the next day: it takes the minute 80 for 00:20 there.
func skipsMidnight(text string) bool {
	return slices.Contains([]string{"0/5:00", "*:0/40", "*:*:0/17"}, text)
}

func TestExpressionsAreRefusedAsInSystemd(t *testing.T) {
	requireSystemdAnalyze(t)
	for _, text := range refused() {
		if _, err := systemd(t, time.Unix(0, 0), text); err == nil {
			t.Errorf("systemd accepts %q", text)
		}
		if e, err := Parse(text); err == nil {
			t.Errorf("Parse(%q) = %s, want an error", text, e)
		}
	}
}
