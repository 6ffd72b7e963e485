package ctl

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/dockhost/dockhost/agent/api"
)

// barWidth is the width of a progress bar, without its numbers.
const barWidth = 30

const (
	// eraseLine is the terminal's escape that erases the line of the cursor.
	eraseLine = "\r\x1b[K"
	// noWrap and wrap turn line wrapping off and on, so that a bar never takes two
	// lines.
	noWrap, wrap = "\x1b[?7l", "\x1b[?7h"
)

// transcript prints what happens to containers that are updated at the same time: a
// line for each step, and on a terminal a bar for the pulls below the lines.
type transcript struct {
	// lines gets the lines. terminal gets the bar; nil prints none.
	lines, terminal io.Writer

	mu sync.Mutex
	// steps maps a container to its last step, pulls to the state of its pull.
	steps map[string]string
	pulls map[string]api.UpdateProgress
	// bar is what the terminal shows.
	bar string
}

func newTranscript(lines, terminal io.Writer) *transcript {
	return &transcript{lines: lines, terminal: terminal, steps: map[string]string{}, pulls: map[string]api.UpdateProgress{}}
}

// transcript returns the transcript of a command that updates containers.
func (h Host) transcript(lines io.Writer) *transcript {
	if h.Interactive {
		return newTranscript(lines, h.Err)
	}
	return newTranscript(lines, nil)
}

// progress prints a line if the container has reached another phase, or waits for
// something else.
func (t *transcript) progress(name string, p api.UpdateProgress) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p.Total > 0 {
		t.pulls[name] = p
	} else {
		delete(t.pulls, name)
	}
	step := p.Phase
	switch step {
	case api.StateWaiting:
		step = doing(p)
	case api.OutcomeConfirmed, api.OutcomeRolledBack, api.OutcomeRefused, api.OutcomeFailed, api.OutcomeSuperseded:
		step = "" // of the update before
	}
	if step == "" || step == t.steps[name] {
		t.draw()
		return
	}
	t.steps[name] = step
	t.print(name, doing(p))
}

// end prints a last line for a container, unless it is empty, and forgets its pull.
func (t *transcript) end(name, line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.pulls, name)
	if line == "" {
		t.draw()
		return
	}
	t.print(name, line)
}

// print prints a line above the bar.
func (t *transcript) print(name, line string) {
	t.erase()
	fmt.Fprintf(t.lines, "%s: %s\n", name, line)
	t.draw()
}

func (t *transcript) erase() {
	if t.bar != "" {
		fmt.Fprint(t.terminal, eraseLine)
		t.bar = ""
	}
}

// draw shows the bar for the present pulls.
func (t *transcript) draw() {
	if t.terminal == nil || len(t.pulls) == 0 {
		t.erase()
		return
	}
	if bar := pullBar(t.pulls); bar != t.bar {
		fmt.Fprint(t.terminal, eraseLine+noWrap+bar+wrap)
		t.bar = bar
	}
}

// pullBar returns one bar for all pulls together.
func pullBar(pulls map[string]api.UpdateProgress) string {
	var done, total int64
	title := fmt.Sprintf("%d images", len(pulls))
	for name, p := range pulls {
		done, total = done+min(p.Done, p.Total), total+p.Total
		if len(pulls) == 1 {
			title = name
		}
	}
	share := float64(done) / float64(total)
	full := strings.Repeat("=", int(share*barWidth))
	return fmt.Sprintf("%s: [%-*s] %3d%%  %s/%s", title, barWidth, full, int(share*100), bytesOf(done), bytesOf(total))
}

// doing says in words what is being done.
func doing(p api.UpdateProgress) string {
	if p.Doing == "" && p.Why != "" {
		return p.Phase + ": " + p.Why
	}
	return cmp.Or(p.Doing, p.Phase)
}
