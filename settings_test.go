package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/ctl"
)

// A setting names the line that sets it. An address that may hold a token is not shown.
func TestSettingsNameTheirOrigin(t *testing.T) {
	const text = `datasource: {names: [NoCloud], poll: 5m}
housekeeping:
  high: 90
  low: 60
update:
  policy: registry
  webhook: {url: "https://example.com/token-4711", secret_file: /etc/key}
ulimits: {nofile: {soft: 1024, hard: 65536}, nproc: 512}
`
	got, err := settingsOf("f.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []ctl.Setting{
		{Key: "datasource.names", Value: "NoCloud", Origin: "f.yaml:1"},
		{Key: "datasource.poll", Value: "5m0s", Origin: "f.yaml:1"},
		{Key: "user_data.include", Value: "false"},
		{Key: "housekeeping.high", Value: "90", Origin: "f.yaml:3"},
		{Key: "housekeeping.keep_last", Value: "2"},
		{Key: "update.policy", Value: "registry", Origin: "f.yaml:6"},
		{Key: "update.webhook.url", Value: "https://example.com/...", Origin: "f.yaml:7"},
		{Key: "ulimits", Value: "nofile=1024:65536, nproc=512:512", Origin: "f.yaml:8"},
	} {
		if !slices.Contains(got, want) {
			t.Errorf("settings lack %+v:\n%+v", want, got)
		}
	}
	if _, err := settingsOf("f.yaml", []byte("housekeeping: {hihg: 3}\n")); err == nil || !strings.Contains(err.Error(), "f.yaml:1") {
		t.Errorf("error = %v, want the line of the mistake", err)
	}
	if got, err := settingsOf("f.yaml", nil); err != nil || slices.ContainsFunc(got, func(s ctl.Setting) bool { return s.Origin != "" }) {
		t.Errorf("settings of no file = %+v, %v, want defaults alone", got, err)
	}
}
