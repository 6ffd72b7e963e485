package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
		{"no poll", "datasource: {poll: off}\n", Config{}},
		{"nulls", "datasource:\nuser_data:\n", Config{Poll: defaultPoll}},
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
