package main

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// The measures of the picture, in pixels, for letters of 14 pixels.
const (
	charWidth, lineHeight = 8.43, 20
	margin, bar           = 18, 34
	minColumns            = 60
)

// colorOf returns the color of a style on a dark screen.
func colorOf(number int) string {
	return []string{
		"#d7dde5",
		"#4b5563", "#ff6b6b", "#69db7c", "#ffd43b", "#74c0fc", "#da77f2", "#66d9e8", "#d7dde5",
		"#8b95a3", "#ff8787", "#8ce99a", "#ffe066", "#a5d8ff", "#e599f7", "#99e9f2", "#ffffff",
	}[number]
}

// draw draws a terminal with what was typed and what it shows.
func draw(typed string, lines [][]cell) string {
	prompt := []cell{{'$', style{color: 3, bold: true}}, {' ', style{}}}
	for _, char := range typed {
		prompt = append(prompt, cell{char, style{bold: true}})
	}
	lines = append([][]cell{prompt}, lines...)
	columns := minColumns
	for _, line := range lines {
		columns = max(columns, len(line))
	}
	width, height := int(float64(columns)*charWidth)+2*margin, bar+len(lines)*lineHeight+margin
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d">`+"\n", width, height)
	fmt.Fprintf(&b, "<title>%s</title>\n", escape(typed))
	b.WriteString(`<rect width="100%" height="100%" rx="8" fill="#1b1f27"/>` + "\n")
	for i, color := range []string{"#ff5f56", "#ffbd2e", "#27c93f"} {
		fmt.Fprintf(&b, `<circle cx="%d" cy="17" r="6" fill="%s"/>`+"\n", margin+4+i*20, color)
	}
	b.WriteString(`<g font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="14" xml:space="preserve">` + "\n")
	for i, line := range lines {
		drawLine(&b, line, bar+14+i*lineHeight)
	}
	b.WriteString("</g>\n</svg>\n")
	return b.String()
}

// drawLine draws each part of a line that has one style at its place in the grid, so that
// columns stay aligned in every font.
func drawLine(b *strings.Builder, line []cell, y int) {
	for begin := 0; begin < len(line); {
		end := begin + 1
		for end < len(line) && line[end].style == line[begin].style {
			end++
		}
		drawPart(b, line[begin:end], begin, y)
		begin = end
	}
}

func drawPart(b *strings.Builder, part []cell, column, y int) {
	var text strings.Builder
	for _, c := range part {
		text.WriteRune(c.char)
	}
	trimmed := strings.TrimLeft(text.String(), " ")
	column += text.Len() - len(trimmed)
	if trimmed = strings.TrimRight(trimmed, " "); trimmed == "" {
		return
	}
	extra := ""
	if part[0].style.bold {
		extra += ` font-weight="700"`
	}
	if part[0].style.dim {
		extra += ` opacity="0.65"`
	}
	length := float64(len([]rune(trimmed))) * charWidth
	fmt.Fprintf(b, `<text x="%.1f" y="%d" fill="%s" textLength="%.1f" lengthAdjust="spacingAndGlyphs"%s>%s</text>`+"\n",
		margin+float64(column)*charWidth, y, colorOf(part[0].style.color), length, extra, escape(trimmed))
}

func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // to memory
	return b.String()
}
