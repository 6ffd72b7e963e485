package compose

import "github.com/dockhost/dockhost/internal/document"

// spot is a place in the source.
type spot = document.Spot

// report collects the problems of one source.
type report struct {
	*document.Report
	// project is what the containers of the source share.
	project *project
}

func newReport(source *document.Source) *report {
	return &report{Report: document.NewReport(source, func(path string) string {
		if why := cure(path); why != "" {
			return "on a single host: " + why
		}
		return ""
	})}
}
