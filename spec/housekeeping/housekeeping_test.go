package housekeeping

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/internal/document"
)

// parse parses the value of the key and returns it as JSON.
func parse(t *testing.T, text string) (string, error) {
	t.Helper()
	node, err := document.Parse("f", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	report := document.NewReport(document.File("f"), nil)
	raw, err := json.Marshal(Parse(report, document.Spot{Node: node}.Field("housekeeping")))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw), report.Err()
}

func TestParse(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"nothing", "housekeeping:\n", "null"},
		{"off", "housekeeping: off\n", `{"off":true}`},
		{"empty", "housekeeping: {}\n", `{"off":false}`},
		{"one mark", "housekeeping: {high: 90}\n", `{"off":false,"high":90,"low":70}`},
		{"a pattern", "housekeeping: {keep: nginx}\n", `{"off":false,"keep":["nginx"]}`},
		{
			"all", `housekeeping:
  images: all
  high: 80%
  low: 60%
  min_age: 90m
  max_age: 30d
  keep_last: 3
  keep: ["registry.example/*", label=keep=yes]
  max_removals: 5
  interval: 30m
  containers: off
  build_cache: off
  networks: unused
  volumes: dangling
`,
			`{"off":false,"images":"all","high":80,"low":60,"min_age":5400000000000,"max_age":2592000000000000,"keep_last":3,` +
				`"keep":["registry.example/*","label=keep=yes"],"max_removals":5,"interval":1800000000000,"containers":"off",` +
				`"build_cache":0,"networks":true,"volumes":true}`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := parse(t, test.text)
			if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
				t.Errorf("Parse() error = %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"a list", "housekeeping: []\n", "f:1:1 housekeeping: not a mapping: write settings such as images: managed below it, indented, or off"},
		{"unknown", "housekeeping: {max_ages: 1h}\n", `f:1:16 housekeeping.max_ages: unknown key "max_ages" (did you mean "max_age"?)`},
		{
			"out of order", "housekeeping:\n  high: 70\n  low: 85\n",
			"f:3:3 housekeeping.low: not below high: removal starts at high and stops at low, such as high: 85% and low: 70%",
		},
		{"high alone", "housekeeping: {high: 60%}\n", "f:1:16 housekeeping.high: not above low, which is 70% by default: write a higher one, or set low as well"},
		{"low alone", "housekeeping: {low: 90%}\n", "f:1:16 housekeeping.low: not below high, which is 85% by default: write a lower one, or set high as well"},
		{"no mark", "housekeeping: {high: 110%}\n", "f:1:16 housekeeping.high: not a percentage: write a part of the file system from 1% to 99%"},
		{"everything", "housekeeping:\n  keep: [nginx, '*:*']\n", "f:2:17 housekeeping.keep[1]: matches every image: write a narrower pattern, or images: off"},
		{"every label", "housekeeping: {keep: label=*}\n", "f:1:16 housekeeping.keep: matches every label: write the name of the label, as in label=NAME or label=NAME=VALUE"},
		{"a class", "housekeeping: {keep: 'app:[12]'}\n", "f:1:16 housekeeping.keep: not a pattern: only * and ? are special characters (write several patterns instead)"},
		{"scope", "housekeeping: {images: mine}\n", "f:1:16 housekeeping.images: unknown value: use managed (what dockhost pulled or created), all or off"},
		{"volumes", "housekeeping: {volumes: all}\n", "f:1:16 housekeeping.volumes: unknown value: use dangling or off"},
		{"age", "housekeeping: {max_age: 0s}\n", "f:1:16 housekeeping.max_age: not a time: write a number and a unit, such as 90m, 12h or 30d, or off"},
		{"interval", "housekeeping: {interval: 1s}\n", "f:1:16 housekeeping.interval: too short: write 1m or more"},
		{"count", "housekeeping: {keep_last: 0}\n", "f:1:16 housekeeping.keep_last: not a number: write a number from 1 to 10000"},
		{
			"all at once", "housekeeping: {low: x, keep: '**'}\n",
			"f:1:16 housekeeping.low: not a percentage: write a part of the file system from 1% to 99%\n" +
				"f:1:24 housekeeping.keep: matches every image: write a narrower pattern, or images: off",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := parse(t, test.text)
			if err == nil {
				t.Fatalf("Parse() = %s, want an error", got)
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Errorf("Parse() error (-want +got):\n%s", diff)
			}
		})
	}
}
