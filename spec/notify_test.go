package spec

import (
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
)

func TestParseNotify(t *testing.T) {
	tests := []struct {
		text  string
		probe Probe
		good  bool
	}{
		{"started", Probe{}, true},
		{"healthy", Probe{}, true},
		{"container", Probe{}, true},
		{"off", Probe{}, true},
		{"tcp:5432", Probe{Scheme: "tcp", Port: 5432}, true},
		{"http://:8080/ready?deep=1", Probe{Scheme: "http", Port: 8080, Path: "/ready?deep=1"}, true},
		{"https://:8443", Probe{Scheme: "https", Port: 8443, Path: "/"}, true},
		{"http:///ready", Probe{Scheme: "http", Port: 80, Path: "/ready"}, true},
		{"", Probe{}, false},
		{"ready", Probe{}, false},
		{"tcp:0", Probe{}, false},
		{"tcp:70000", Probe{}, false},
		{"tcp:", Probe{}, false},
		{"http://:0/", Probe{}, false},
		{"http://example.com/", Probe{}, false},
		{"http://user:secret@:80/", Probe{}, false},
		{"http://:80/#part", Probe{}, false},
		{"ftp://:21/", Probe{}, false},
	}
	for _, test := range tests {
		mode, err := ParseNotify(test.text)
		if (err == nil) != test.good {
			t.Errorf("ParseNotify(%q) = %v, want good %v", test.text, err, test.good)
			continue
		}
		if probe, ok := mode.Probe(); probe != test.probe || ok != (test.probe != Probe{}) {
			t.Errorf("ParseNotify(%q).Probe() = %+v, %v, want %+v", test.text, probe, ok, test.probe)
		}
	}
}

func TestCheckReadiness(t *testing.T) {
	tests := []struct {
		check     *container.HealthConfig
		imageHas  bool
		canBeWell bool
	}{
		{nil, false, false},
		{nil, true, true},
		{&container.HealthConfig{Test: []string{"CMD", "true"}}, false, true},
		{&container.HealthConfig{Retries: 3}, true, true},
		{&container.HealthConfig{Retries: 3}, false, false},
		{&container.HealthConfig{Test: []string{"NONE"}}, true, false},
	}
	for _, test := range tests {
		c := &Container{Notify: NotifyHealthy, Config: &container.Config{Healthcheck: test.check}}
		if err := c.CheckReadiness(test.imageHas); (err == nil) != test.canBeWell {
			t.Errorf("CheckReadiness(%v) with %+v = %v, want good %v", test.imageHas, test.check, err, test.canBeWell)
		}
	}
}

func TestNotifyHidesSecrets(t *testing.T) {
	if _, err := ParseNotify("http://user:canary@:80/"); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("ParseNotify() = %v, want an error without the password", err)
	}
	probe, _ := Notify("https://:8443/ready?token=canary").Probe()
	if got, want := probe.String(), "https://:8443/ready"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
}
