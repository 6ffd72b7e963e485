package sim

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// The size of a picture, and of the plot in it.
const (
	width, height = 720, 300
	left, top     = 56, 56
	plotWidth     = width - left - 16
	plotHeight    = height - top - 36
)

// look is how a band is drawn, from the bottom up.
type look struct {
	band        band
	name, color string
}

// looks are the bands. The colors are readable on a dark and on a light page.
func looks() []look {
	return []look{
		{quarantined, "new image in quarantine", "#d1495b"},
		{trying, "being updated", "#e8a33d"},
		{updated, "new image", "#3a9d6e"},
		{old, "old image", "#7d8fa8"},
	}
}

// most returns how many hosts were in the band at most.
func (l look) most(points []point) (most int) {
	for _, p := range points {
		most = max(most, p.counts[l.band])
	}
	return most
}

// thousands writes a number with commas.
func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// draw returns a picture of the hosts in each band over time, as areas on each other.
func draw(title string, points []point) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label=%q`+
		` font-family="sans-serif" font-size="12" fill="#808080">`+"\n", width, height, width, height, title)
	fmt.Fprintf(&b, `<text x="%d" y="18" font-size="14">%s</text>`+"\n", left, title)
	total := 0
	for _, n := range points[0].counts {
		total += n
	}
	x := left
	for _, l := range looks() {
		most := l.most(points)
		if most == 0 {
			continue
		}
		text := l.name
		if most < total {
			text += ", at most " + thousands(most)
		}
		fmt.Fprintf(&b, `<rect x="%d" y="30" width="11" height="11" fill=%q/><text x="%d" y="40">%s</text>`+"\n", x, l.color, x+16, text)
		x += 34 + 6*len(text)
	}
	below := make([]int, len(points))
	for _, l := range looks() {
		if l.most(points) == 0 {
			continue
		}
		fmt.Fprintf(&b, `<path fill=%q d="%s"/>`+"\n", l.color, area(points, below, l.band, total))
	}
	axes(&b, points, total)
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// area returns the path of a band, on top of the bands below, to which it adds it.
func area(points []point, below []int, b band, total int) string {
	var up, down []string
	for i, p := range points {
		x := left + plotWidth*float64(i)/float64(len(points)-1)
		down = append(down, fmt.Sprintf("%.0f %.1f", x, y(below[i], total)))
		below[i] += p.counts[b]
		up = append(up, fmt.Sprintf("%.0f %.1f", x, y(below[i], total)))
	}
	for i, j := 0, len(down)-1; i < j; i, j = i+1, j-1 {
		down[i], down[j] = down[j], down[i]
	}
	return "M" + strings.Join(up, "L") + "L" + strings.Join(down, "L") + "Z"
}

func y(hosts, total int) float64 { return top + plotHeight*(1-float64(hosts)/float64(total)) }

// axes draws the numbers of hosts and the time.
func axes(b *bytes.Buffer, points []point, total int) {
	for i := range 5 {
		hosts := total * i / 4
		fmt.Fprintf(b, `<text x="%d" y="%.0f" text-anchor="end">%s</text>`+"\n", left-6, y(hosts, total)+4, thousands(hosts))
	}
	fmt.Fprintf(b, `<text x="%d" y="40" text-anchor="end">hosts</text>`+"\n", left-6)
	whole := points[len(points)-1].at - points[0].at
	every := 30 * time.Minute
	for ; whole/every > 8; every *= 2 {
	}
	for at := time.Duration(0); at <= whole; at += every {
		x := left + plotWidth*float64(at)/float64(whole)
		fmt.Fprintf(b, `<text x="%.0f" y="%d" text-anchor="middle">%s</text>`+"\n", x, height-14, strings.TrimSuffix(fmt.Sprintf("%.1f", at.Hours()), ".0")+" h")
	}
}
