package compose

import (
	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/internal/document"
)

// spot is a place in the source.
type spot = document.Spot

// report collects the problems of one source.
type report struct {
	*document.Report
	// unfilled are the values with a variable that has no value, which was reported.
	unfilled map[*yaml.Node]bool
	// sources are the files of a Compose file, and its sections.
	sources sources
	// project is what the containers of the source share.
	project *project
}

func newReport(source *document.Source) *report {
	return &report{unfilled: map[*yaml.Node]bool{}, Report: document.NewReport(source, func(path string) string {
		if why := cure(path); why != "" {
			return "on a single host: " + why
		}
		return ""
	})}
}
