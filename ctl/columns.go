package ctl

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// gap is the space between two columns.
const gap = "  "

// column is a column of a table.
type column struct {
	title string
	cells []string
	// colors are the escapes before each cell, nil for none.
	colors []string
	// least is the width to which a column may be shortened, 0 for one that keeps its
	// width. fromFront says that the front of a cell is cut, instead of its end.
	least     int
	fromFront bool
	// drop says which column is left out first where all do not fit: the one with the
	// highest number; 0 is never left out.
	drop int
}

// width returns the width of the widest cell.
func (c column) width() int {
	width := utf8.RuneCountInString(c.title)
	for _, cell := range c.cells {
		width = max(width, utf8.RuneCountInString(cell))
	}
	return width
}

// narrowest returns the width below which the column cannot be shortened.
func (c column) narrowest() int {
	if c.least == 0 {
		return c.width()
	}
	return min(c.width(), c.least)
}

// fit leaves out and shortens columns until a line has at most a width; 0 is no limit. It
// returns the columns that stay, and their widths.
func fit(columns []column, width int) (kept []column, widths []int) {
	kept = slices.Clone(columns)
	for width > 0 && total(kept, column.narrowest) > width {
		first := -1
		for i, c := range kept {
			if c.drop > 0 && (first < 0 || c.drop > kept[first].drop) {
				first = i
			}
		}
		if first < 0 {
			break
		}
		kept = slices.Delete(kept, first, first+1)
	}
	if width <= 0 || total(kept, column.width) <= width {
		for _, c := range kept {
			widths = append(widths, c.width())
		}
		return kept, widths
	}
	for _, c := range kept {
		widths = append(widths, c.narrowest())
	}
	rest := width - total(kept, column.narrowest)
	for i, c := range kept { // the first columns grow first
		grow := max(0, min(rest, c.width()-widths[i]))
		widths[i] += grow
		rest -= grow
	}
	return kept, widths
}

// total returns the width of a line of columns.
func total(columns []column, width func(column) int) int {
	sum := len(gap) * max(0, len(columns)-1)
	for _, c := range columns {
		sum += width(c)
	}
	return sum
}

// writeColumns writes a table whose lines have at most a width; 0 is no limit.
func writeColumns(b *strings.Builder, columns []column, width int, off string) {
	columns, widths := fit(columns, width)
	writeLine := func(cell func(c column) (text, color string)) {
		var line strings.Builder
		for i, c := range columns {
			text, color := cell(c)
			text = cut(text, widths[i], c.fromFront)
			padding := strings.Repeat(" ", max(0, widths[i]-utf8.RuneCountInString(text)))
			if color != "" {
				text = color + text + off
			}
			line.WriteString(text + padding)
			if i < len(columns)-1 {
				line.WriteString(gap)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	writeLine(func(c column) (string, string) { return c.title, "" })
	if len(columns) == 0 {
		return
	}
	for row := range columns[0].cells {
		writeLine(func(c column) (string, string) {
			if c.colors == nil {
				return c.cells[row], ""
			}
			return c.cells[row], c.colors[row]
		})
	}
}

// ellipsis stands for what was cut.
const ellipsis = "..."

// cut returns a text of at most a width.
func cut(text string, width int, fromFront bool) string {
	runes := []rune(text)
	switch {
	case len(runes) <= width:
		return text
	case width <= len(ellipsis):
		return string(runes[:width])
	case fromFront:
		return ellipsis + string(runes[len(runes)-width+len(ellipsis):])
	}
	return string(runes[:width-len(ellipsis)]) + ellipsis
}
