package config

import (
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"
)

func TestParseUlimits(t *testing.T) {
	tests := []struct {
		name, text string
		want       []*container.Ulimit
		wrong      string
	}{
		{"both", "ulimits:\n  nproc: 512\n  nofile: {soft: 1024, hard: 65536}\n", []*container.Ulimit{
			{Name: "nofile", Soft: 1024, Hard: 65536}, {Name: "nproc", Soft: 512, Hard: 512},
		}, ""},
		{"unlimited", "ulimits: {memlock: -1}\n", []*container.Ulimit{{Name: "memlock", Soft: -1, Hard: -1}}, ""},
		{"null", "ulimits:\n", nil, ""},
		{"no mapping", "ulimits: 65536\n", nil, "f:1:1 ulimits: not a mapping: write nofile: 65536 below it, indented"},
		{"unknown limit", "ulimits:\n  nofiles: 1\n", nil, "f:2:3 ulimits.nofiles: cannot use this limit"},
		{"soft above hard", "ulimits: {nofile: {soft: 2, hard: 1}}\n", nil, "cannot use this limit"},
		{"unknown key", "ulimits: {nofile: {max: 2}}\n", nil, `ulimits.nofile.max: unknown key "max"`},
		{"no hard limit", "ulimits: {nofile: {soft: 2}}\n", nil, "cannot use this limit"},
		{"no number", "ulimits: {nofile: many}\n", nil, "cannot use this limit"},
		{"too negative", "ulimits: {nofile: -2}\n", nil, "cannot use this limit"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Parse("f", []byte(tt.text), known())
			if tt.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wrong) {
					t.Errorf("Parse() = %v, want %q", err, tt.wrong)
				}
				return
			}
			if diff := cmp.Diff(tt.want, c.Ulimits); diff != "" || err != nil {
				t.Errorf("Parse() error = %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestChangedUlimitsDiffer(t *testing.T) {
	parse := func(text string) Config {
		c, err := Parse("f", []byte(text), known())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	a, b := parse("ulimits: {nofile: 1}\n"), parse("ulimits: {nofile: 2}\n")
	if a.Equal(b) || !a.Equal(parse("ulimits: {nofile: {soft: 1, hard: 1}}\n")) {
		t.Error("Equal() does not compare limits")
	}
	if got := a.Ulimit("nofile"); got == nil || got.Hard != 1 || a.Ulimit("nproc") != nil {
		t.Errorf("Ulimit() = %v and %v", got, a.Ulimit("nproc"))
	}
}
