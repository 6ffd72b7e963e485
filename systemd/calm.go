package systemd

import (
	"io"
	"slices"
)

// journalLineMax is where the journal cuts a line, and reads a prefix again
// (journald.conf(5), LineMax=, with its default).
const journalLineMax = 48 << 10

// calm passes lines on to the journal with emerg lowered to alert: the journal writes
// each line of the priority emerg to all terminals of the host (ForwardToWall=), and a
// container must not do so. It is not safe for concurrent use.
type calm struct {
	to io.Writer
	// prefixed says whether prefixes set the priority.
	prefixed func() bool
	// column is the position in the line, matched how many bytes of "<0>" it begins
	// with.
	column, matched int
}

const emergency = "<0>"

func (c *calm) Write(p []byte) (int, error) {
	n, err := c.to.Write(c.lower(p))
	return min(n, len(p)), err
}

// lower returns the text with a lower priority. It does not change p.
func (c *calm) lower(p []byte) []byte {
	text := p
	for i, b := range p {
		switch {
		case b == '\n' || b == 0:
			c.column, c.matched = 0, 0
			continue
		case c.column == c.matched && c.matched < len(emergency) && b == emergency[c.matched]:
			c.matched++
		}
		if c.column++; c.column == len(emergency) && c.matched == len(emergency) && c.prefixed() {
			if &text[0] == &p[0] {
				text = slices.Clone(p)
			}
			// The digit was written already if the prefix came in parts. What follows
			// "<0" is then no prefix any more.
			at, instead := i-1, byte('1')
			if at < 0 {
				at, instead = i, '-'
			}
			text[at] = instead
		}
		if c.column == journalLineMax {
			c.column, c.matched = 0, 0
		}
	}
	return text
}
