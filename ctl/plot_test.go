package ctl

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/agent/api"
)

var updatePlot = flag.Bool("update-plot", false, "write testdata/plot.svg")

func analysis() api.Analysis {
	return api.Analysis{
		Version: 1,
		Boot: []api.Phase{
			{Name: "systemd", Seconds: 1.42},
			{Name: "user data", At: 1.42, Seconds: 0.31, Detail: "NoCloud"},
			{Name: "assignment", At: 1.42, Seconds: 0.4},
			{Name: "docker", At: 1.42, Seconds: 1.9},
		},
		Containers: []api.Start{
			{
				Name: "db", Image: "postgres:17", Ready: true, Seconds: 6.31, PulledBytes: 151e6,
				Phases: []api.Phase{
					{Name: "docker", At: 1.8, Seconds: 1.55},
					{Name: "login", At: 3.35, Seconds: 0.22},
					{Name: "pull", At: 3.57, Seconds: 2.9},
					{Name: "create", At: 6.47, Seconds: 0.14},
					{Name: "start", At: 6.61, Seconds: 0.2},
					{Name: "ready", At: 6.81, Seconds: 1.3},
				},
			},
			{
				Name: "a<b>&\"a-very-long-name-of-a-container", Image: "shop:1", Seconds: 1.5,
				Phases: []api.Phase{{Name: "docker", At: 1.81, Seconds: 1.5}, {Name: "failed pulls", At: 3.31, Seconds: 2}, {Name: "unheard", At: 5.31, Seconds: 0.1}},
			},
			{
				Name: "web", Image: "nginx:1", Ready: true, Seconds: 0.71,
				Phases: []api.Phase{{Name: "docker", At: 9000, Seconds: 0.01}, {Name: "create", At: 9000.01, Seconds: 0.3}, {Name: "ready", At: 9000.31, Seconds: 0.4}},
			},
		},
	}
}

func TestPlot(t *testing.T) {
	got := plotSVG(analysis())
	if *updatePlot {
		if err := os.WriteFile("testdata/plot.svg", []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/plot.svg")
	if err != nil || got != string(want) {
		t.Errorf("plot differs from testdata/plot.svg, %v (look at it, and run: go test ./ctl -run TestPlot -update-plot)", err)
	}
}

// Each plot is XML, whatever there is to see, and has a bar for each phase.
func TestPlotIsXML(t *testing.T) {
	for name, a := range map[string]api.Analysis{
		"all": analysis(), "nothing": {}, "one instant": {Boot: []api.Phase{{Name: "systemd"}}},
		"an agent that was installed later": {Boot: []api.Phase{{Name: "systemd", Seconds: 600}, {Name: "docker", At: 600, Seconds: 0.1}}},
		"long after the boot":               {Containers: []api.Start{{Name: "web", Phases: []api.Phase{{Name: "ready", At: 1e6, Seconds: 0.2}}}}},
	} {
		svg := plotSVG(a)
		decoder := xml.NewDecoder(strings.NewReader(svg))
		var err error
		for err == nil {
			_, err = decoder.Token()
		}
		if !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v in %s", name, err, svg)
		}
		bars := len(a.Boot)
		for _, s := range a.Containers {
			bars += len(s.Phases)
		}
		if got := strings.Count(svg, "<title>") - 1; got != bars {
			t.Errorf("%s: %d bars, want %d", name, got, bars)
		}
	}
}
