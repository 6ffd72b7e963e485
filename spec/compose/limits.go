package compose

import (
	"regexp"
	"strconv"
	"strings"
)

const (
	// maxContainers is how many containers one source may declare. compose-go
	// takes about a millisecond and 300 KB for each.
	maxContainers = 1000
	// maxPorts is how many ports a container may publish or expose. Docker starts
	// processes and adds firewall rules for each.
	maxPorts = 1000
	// maxItems is how many items or keys one key of a service may have.
	maxItems = 2000
	// maxRefusals is how many parts of one source are looked for that compose-go
	// refuses.
	maxRefusals = 100
	// maxHints is how many problems of one kind suggest another word.
	maxHints = 20
)

// withinContainers reports a section with too many containers.
func (r *report) withinContainers(section spot) bool {
	if n := len(section.Node.Content) / 2; n > maxContainers {
		r.Errorf(section, "too many containers: %d are declared here, and a host takes up to %d", n, maxContainers)
		return false
	}
	return true
}

// withinLimits reports lists that are too long, and ports that are too many.
// compose-go expands a range of ports, so it must not see such a service.
func (d *declaration) withinLimits() bool {
	before := d.Len()
	for _, value := range d.at.Fields() {
		count := len(value.Node.Content)
		if value.IsMapping() {
			count /= 2
		}
		if count > maxItems {
			d.Errorf(value, "too long: write up to %d items", maxItems)
		}
	}
	if d.Len() == before {
		d.countPorts()
	}
	return d.Len() == before
}

// countPorts reports ports that are too many. It is done at the item that exceeds
// the limit.
func (d *declaration) countPorts() {
	for _, key := range []string{"ports", "expose"} {
		total := 0
		for _, item := range d.field(key).Items() {
			text := item.Text()
			if item.IsMapping() {
				text = item.Field("published").Text()
			}
			if total += rangeLength(text); total > maxPorts {
				d.Errorf(item, "too many ports: a container can have up to %d (with network_mode: host it needs none of these)", maxPorts)
				return
			}
		}
	}
}

// portRange is a range of ports.
var portRange = regexp.MustCompile(`([0-9]+)-([0-9]+)`)

// rangeLength returns how many ports an item stands for at most.
func rangeLength(text string) int {
	longest := 1
	for _, ends := range portRange.FindAllStringSubmatch(text, -1) {
		first, errFirst := strconv.Atoi(ends[1])
		last, errLast := strconv.Atoi(ends[2])
		if errFirst != nil || errLast != nil {
			continue // compose-go refuses it
		}
		longest = max(longest, last-first+1)
	}
	return longest
}

// circle returns the names in a circle, shortened in the middle.
func circle(names []string) string {
	const most = 12
	if len(names) > most {
		shortened := append([]string{}, names[:most-2]...)
		names = append(append(shortened, "..."), names[len(names)-1])
	}
	return strings.Join(names, " -> ")
}

// bisect returns the indexes of the first n values that accept refuses, at most
// limit. It returns none if accept refuses values only together. accept gets a
// part of them, from first to before last.
func bisect(n, limit int, accept func(first, last int) bool) []int {
	var refused []int
	var search func(first, last int)
	search = func(first, last int) {
		switch {
		case first == last || len(refused) >= limit || accept(first, last):
		case first+1 == last:
			refused = append(refused, first)
		default:
			middle := (first + last) / 2
			search(first, middle)
			search(middle, last)
		}
	}
	search(0, n)
	return refused
}
