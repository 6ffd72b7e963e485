package main

import "fmt"

const (
	maxMoreDescriptors = 10
	maxMoreKiB         = 8 << 10
)

// watch remembers what must hold from one step to the next: the order of the logger's lines, the size of processes, and the
// data of a volume.
type watch struct {
	line  int
	sizes map[string]size
	born  string
}

// judge returns what is wrong since the last step, apart from sizes. A step may lose lines if one of its faults may.
func (w *watch) judge(d deepFacts, loses bool) []string {
	var wrong []string
	for _, file := range d.broken {
		wrong = append(wrong, file+" cannot be parsed")
	}
	for _, place := range d.secrets {
		wrong = append(wrong, "a secret is shown: "+place)
	}
	if w.born != "" && d.born != w.born {
		wrong = append(wrong, fmt.Sprintf("the volume of the container data has %q, want %q: its data is lost", d.born, w.born))
	}
	w.born = d.born
	return append(wrong, w.judgeLines(d.lines, loses)...)
}

// judgeLines checks that the logger's lines are numbered without a gap, from 1 after each start of the container.
func (w *watch) judgeLines(lines []int, loses bool) []string {
	var wrong []string
	for _, line := range lines {
		switch {
		case w.line == 0 || line == w.line+1 || line == 1:
		case line > w.line && loses:
		case line > w.line:
			wrong = append(wrong, fmt.Sprintf("the journal lacks the logger's lines %d to %d", w.line+1, line-1))
		default:
			wrong = append(wrong, fmt.Sprintf("the journal has the logger's line %d after line %d", line, w.line))
		}
		w.line = line
	}
	if len(lines) == 0 {
		wrong = append(wrong, "the journal has no line of the logger")
	}
	return wrong
}

// judgeSizes compares each process with its size when it was first seen.
func (w *watch) judgeSizes(sizes []size) []string {
	var wrong []string
	seen := map[string]size{}
	for _, now := range sizes {
		key := fmt.Sprintf("%s %d", now.unit, now.pid)
		first, known := w.sizes[key]
		if !known {
			first = now
		}
		seen[key] = first
		if now.descriptors > first.descriptors+maxMoreDescriptors {
			wrong = append(wrong, fmt.Sprintf("%s has %d descriptors, %d at first", now.unit, now.descriptors, first.descriptors))
		}
		if now.anonymousKiB > 2*first.anonymousKiB+maxMoreKiB {
			wrong = append(wrong, fmt.Sprintf("%s has %d KiB of anonymous memory, %d at first", now.unit, now.anonymousKiB, first.anonymousKiB))
		}
	}
	w.sizes = seen
	return wrong
}
