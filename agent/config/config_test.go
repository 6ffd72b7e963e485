package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/spec"
)

func known() []string { return []string{"NoCloud", "Ec2", "GCE"} }

func TestParse(t *testing.T) {
	tests := []struct {
		name, text string
		want       Config
	}{
		{"empty", "", Config{Poll: defaultPoll}},
		{"comments", "# nothing\n", Config{Poll: defaultPoll}},
		{"a name", "datasource: Ec2\n", Config{Datasources: []string{"Ec2"}, Poll: defaultPoll}},
		{"a list", "datasource: [GCE, NoCloud]\n", Config{Datasources: []string{"GCE", "NoCloud"}, Poll: defaultPoll}},
		{
			"all", "datasource: {names: Ec2, imdsv1: true, poll: 1m}\nuser_data: {include: true}\n",
			Config{Datasources: []string{"Ec2"}, IMDSv1: true, Poll: time.Minute, Include: true},
		},
		{
			"updates", `update:
  policy: registry
  check: 10m
  order: start-first
  monitor: 2m
  failure_action: pause
  window: [Sat 02:00 +4h UTC]
  pause_after: 2
  lock: {file: /run/lock/site}
  fleet_lock: {base_url: https://lock.example/, group: all, hold_after_failure: 1h}
  wariness: 1
  webhook: {url: "https://hooks.example/x?token=y", secret_file: /etc/dockhost/webhook.key}
`,
			Config{
				Poll: defaultPoll,
				Update: &spec.Update{
					Policy: spec.UpdateRegistry, Check: 10 * time.Minute, Order: spec.StartFirst, Monitor: 2 * time.Minute, FailureAction: spec.FailurePause,
					Windows: []string{"Sat 02:00 +4h UTC"}, PauseAfter: 2, Lock: &spec.UpdateLock{File: "/run/lock/site"},
					FleetLock: &spec.FleetLock{BaseURL: "https://lock.example/", Group: "all", HoldAfterFailure: time.Hour}, Wariness: new(1.0),
				},
				Webhook: &Webhook{URL: "https://hooks.example/x?token=y", SecretFile: "/etc/dockhost/webhook.key"},
			},
		},
		{
			"listeners", "health: {listen: ':8081'}\nmetrics: {listen: '[::1]:9469', textfile: /var/lib/node/dockhost.prom}\n",
			Config{Poll: defaultPoll, Listen: Listen{Health: ":8081", Metrics: "[::1]:9469", Textfile: "/var/lib/node/dockhost.prom"}},
		},
		{"no poll", "datasource: {poll: off}\n", Config{}},
		{"nulls", "datasource:\nuser_data:\nupdate:\n", Config{Poll: defaultPoll}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse("dockhost.yaml", []byte(tt.text), known())
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Errorf("Parse() error = %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"a list", "- a\n", "f:1:1: not a mapping: write lines of KEY: VALUE"},
		{"no YAML", "datasource: [\n", "f:2:1: not YAML"},
		{"unknown key", "datasources: Ec2\n", `f:1:1 datasources: unknown key "datasources" (did you mean "datasource"?)`},
		{"capitals", "datasource: ec2\n", `f:1:1 datasource: unknown datasource "ec2" (did you mean "Ec2"?)`},
		{"unknown", "datasource: {names: [Ec2, Azure]}\n", `f:1:27 datasource.names[1]: unknown datasource "Azure" (known are: NoCloud, Ec2, GCE)`},
		{"poll", "datasource: {poll: 1s}\n", "f:1:14 datasource.poll: not an interval: write 10m or the like, 10s at least, or off"},
		{"boolean", "user_data: {include: yes please}\n", "f:1:13 user_data.include: neither true nor false"},
		{"no mapping", "update: registry\n", "f:1:1 update: not a mapping: write settings such as policy: registry below it, indented"},
		{"order", "update: {order: stop}\n", "f:1:10 update.order: unknown value: use stop-first or start-first"},
		{
			"soak", "update: {policy: registry, monitor: 10m}\n",
			"f:1:28 update.monitor: longer than the time between two checks of the registry, 5m: write a shorter one, or check: 10m beside policy",
		},
		{
			"webhook", "update: {webhook: {url: 'http://hooks.example/', secret_file: key}}\n",
			"f:1:20 update.webhook.url: not https: write https://HOST/PATH, so that nobody can read or change a report\n" +
				"f:1:50 update.webhook.secret_file: not a file: write an absolute path, without . and .. in it, such as /etc/dockhost/webhook.key",
		},
		{
			"half a webhook", "update: {webhook: {ulr: 1}}\n",
			"f:1:10 update.webhook: no url: write the https address that gets the outcome of each update\n" +
				"f:1:10 update.webhook: no secret_file: write the path of a file with the key that signs the reports\n" +
				`f:1:20 update.webhook.ulr: unknown key "ulr"`,
		},
		{
			"a login", "update: {webhook: {url: 'https://me:pw@hooks.example/', secret_file: /key}}\n",
			"f:1:20 update.webhook.url: cannot have a login or a fragment: the receiver knows a report by its signature (secret_file)",
		},
		{
			"all at once", "datasource: {imdsv1: 3, pol: 1m}\nuser_data: []\n",
			"f:1:14 datasource.imdsv1: neither true nor false\nf:1:25 datasource.pol: unknown key \"pol\" (did you mean \"poll\"?)\nf:2:1 user_data: not a mapping: write include: true below it, indented",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse("f", []byte(tt.text), known())
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("Parse() = %+v, %v, want the error %q", got, err, tt.want)
			}
		})
	}
}

func TestRead(t *testing.T) {
	root := t.TempDir()
	if got, err := Read(root, known()); err != nil || got.Poll != defaultPoll {
		t.Errorf("Read() without a file = %+v, %v", got, err)
	}
	path := filepath.Join(root, Path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("datasource: GCE\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(root, known()); err != nil || len(got.Datasources) != 1 {
		t.Errorf("Read() = %+v, %v, want GCE", got, err)
	}
}

func TestEqual(t *testing.T) {
	parse := func(text string) Config {
		c, err := Parse("f", []byte(text), known())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	const text = "update: {wariness: 0.5, webhook: {url: 'https://a.example/', secret_file: /key}}\n"
	if !parse(text).Equal(parse(text)) {
		t.Error("a configuration does not equal itself")
	}
	for _, other := range []string{"", "update: {wariness: 0.5}\n", strings.Replace(text, "0.5", "0.6", 1), strings.Replace(text, "/key", "/key2", 1)} {
		if parse(text).Equal(parse(other)) {
			t.Errorf("%q equals %q", text, other)
		}
	}
}
