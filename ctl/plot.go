package ctl

import (
	"encoding/xml"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/dockhost/dockhost/agent/api"
)

// The measures of a plot, in pixels.
const (
	plotWidth = 960
	plotLeft  = 170
	plotRight = 90
	plotTop   = 48
	// titleHeight is that of a chart's title, with the space below it.
	titleHeight = 34
	rowHeight   = 26
	barHeight   = 16
	plotBottom  = 40
)

// plotPhase is a kind of bar, in the order of the legend.
type plotPhase struct{ name, color, meaning string }

func plotPhases() []plotPhase {
	return []plotPhase{
		{"boot", "#9aa5b1", "boot"},
		{"docker", "#c0ca33", "wait for Docker"},
		{"login", "#ab47bc", "login"},
		{"pull", "#1e88e5", "pull"},
		{"failed pulls", "#e53935", "failed pulls"},
		{"create", "#fb8c00", "create"},
		{"start", "#8d6e63", "start"},
		{"ready", "#43a047", "until ready"},
	}
}

// plotRow is a line of bars.
type plotRow struct {
	name   string
	boot   bool
	phases []api.Phase
	total  float64
}

// chart is a set of rows with a common axis.
type chart struct {
	title string
	rows  []plotRow
}

// plotSVG draws the phases over time, with a line for each phase of the boot and for each
// container.
func plotSVG(a api.Analysis) string {
	charts := plotCharts(a)
	height, rows := plotTop, []plotRow{}
	for _, c := range charts {
		height += chartHeight(c)
		rows = append(rows, c.rows...)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="system-ui, Helvetica, Arial, sans-serif" font-size="12">`+"\n", plotWidth, height)
	b.WriteString(`<title>dockhost: boot and starts of containers</title><rect width="100%" height="100%" fill="#fff"/>` + "\n")
	drawLegend(&b, rows)
	y := plotTop
	for _, c := range charts {
		drawChart(&b, c, y)
		y += chartHeight(c)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// bootLag is how long after the boot a start begins that counts as a part of it, in
// seconds.
const bootLag = 60

// plotCharts returns a chart of the boot, and one of the starts long after it: on the axis
// of the boot they would make all bars invisible.
func plotCharts(a api.Analysis) []chart {
	boot := chart{title: "Boot, in seconds since systemd started"}
	later := chart{title: "Starts of containers, in seconds since the start of each"}
	end := math.Inf(-1)
	for _, p := range a.Boot {
		name := p.Name
		if p.Detail != "" {
			name += " (" + p.Detail + ")"
		}
		boot.rows = append(boot.rows, plotRow{name: name, boot: true, phases: []api.Phase{p}, total: p.Seconds})
		end = max(end, p.At+p.Seconds)
	}
	for _, s := range a.Containers {
		row := plotRow{name: s.Name, phases: slices.Clone(s.Phases), total: s.Seconds}
		if began(s) <= end+bootLag {
			boot.rows = append(boot.rows, row)
			continue
		}
		for i := range row.phases {
			row.phases[i].At -= began(s)
		}
		later.rows = append(later.rows, row)
	}
	return slices.DeleteFunc([]chart{boot, later}, func(c chart) bool { return len(c.rows) == 0 })
}

func chartHeight(c chart) int { return titleHeight + rowHeight*len(c.rows) + plotBottom }

// drawChart draws a chart at a height.
func drawChart(b *strings.Builder, c chart, y int) {
	fmt.Fprintf(b, `<text x="16" y="%d" font-size="15" font-weight="600" fill="#1f2933">%s</text>`+"\n", y+12, c.title)
	y += titleHeight
	from, to := plotRange(c.rows)
	scale := (plotWidth - plotLeft - plotRight) / (to - from)
	drawAxis(b, from, to, scale, y, y+rowHeight*len(c.rows))
	for i, row := range c.rows {
		drawRow(b, row, y+rowHeight*i, from, scale)
	}
}

// plotRange returns the time that a chart shows. If the agent was started long after
// systemd, the bar until then begins left of the chart.
func plotRange(rows []plotRow) (from, to float64) {
	for _, row := range rows {
		for _, p := range row.phases {
			to = max(to, p.At+p.Seconds)
		}
	}
	if rows[0].boot {
		if first := rows[0].phases[0]; first.Seconds > 3*(to-first.Seconds) {
			from = first.Seconds - (to-first.Seconds)/4
		}
	}
	return from, max(to, from+0.1)
}

// drawLegend draws the kinds of bars that there are.
func drawLegend(b *strings.Builder, rows []plotRow) {
	x := 16
	for _, kind := range plotPhases() {
		isUsed := slices.ContainsFunc(rows, func(row plotRow) bool {
			return row.boot && kind.name == "boot" || !row.boot && slices.ContainsFunc(row.phases, func(p api.Phase) bool { return p.Name == kind.name })
		})
		if !isUsed {
			continue
		}
		fmt.Fprintf(b, `<rect x="%d" y="16" width="12" height="12" rx="2" fill="%s"/><text x="%d" y="26" fill="#3e4c59">%s</text>`+"\n", x, kind.color, x+17, kind.meaning)
		x += 34 + 7*len(kind.meaning)
	}
}

// drawAxis draws the seconds.
func drawAxis(b *strings.Builder, from, to, scale float64, top, bottom int) {
	step := plotStep(to - from)
	for at := math.Ceil(from/step) * step; at <= to+step/1000; at += step {
		x := plotLeft + (at-from)*scale
		fmt.Fprintf(b, `<line x1="%.1f" y1="%d" x2="%[1]f" y2="%[3]d" stroke="#e4e7eb"/><text x="%[1]f" y="%[4]d" text-anchor="middle" fill="#7b8794">%[5]g s</text>`+"\n",
			x, top-6, bottom, bottom+16, math.Round(at*1000)/1000)
	}
}

// plotStep returns a round distance between two marks, of which there are at most ten.
func plotStep(length float64) float64 {
	for step := 0.01; ; step *= 10 {
		for _, factor := range []float64{1, 2, 5} {
			if length/(step*factor) <= 10 {
				return step * factor
			}
		}
	}
}

func drawRow(b *strings.Builder, row plotRow, y int, from, scale float64) {
	middle := y + barHeight/2 + 4
	weight := "600"
	if row.boot {
		weight = "400"
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end" font-weight="%s" fill="#1f2933">%s</text>`+"\n", plotLeft-10, middle, weight, escape(short(row.name)))
	end := 0.0
	for _, p := range row.phases {
		color := colorOf(p.Name, row.boot)
		x := max(plotLeft+(p.At-from)*scale, plotLeft)
		width := max(plotLeft+(p.At+p.Seconds-from)*scale-x, 1)
		end = max(end, x+width)
		fmt.Fprintf(b, `<rect x="%.1f" y="%d" width="%.1f" height="%d" rx="2" fill="%s"><title>%s %.3f s</title></rect>`+"\n", x, y, width, barHeight, color, escape(p.Name), p.Seconds)
	}
	fmt.Fprintf(b, `<text x="%.1f" y="%d" fill="#52606d">%.2f s</text>`+"\n", end+6, middle, row.total)
}

func colorOf(phase string, boot bool) string {
	for _, kind := range plotPhases() {
		if kind.name == phase && !boot || kind.name == "boot" && boot {
			return kind.color
		}
	}
	return "#cbd2d9"
}

// short returns the beginning of a long name.
func short(name string) string {
	if runes := []rune(name); len(runes) > maxPlotName {
		return string(runes[:maxPlotName-1]) + "…"
	}
	return name
}

func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // to memory
	return b.String()
}
