package main

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// The goals are printed, not enforced: the numbers depend on how fast and busy the machine is.
const (
	startGoal     = 1.05
	runtimeGoal   = 1.05
	downtimeGoal  = 1.2
	pssGoal       = 0.5
	anonymousGoal = 5 << 10 // KiB
	wakeupsGoal   = 0
	rateGoal      = 1.0
	cpuGoal       = 1.0
)

// report has all measurements.
type report struct {
	options      options
	ways         ways
	replacements replacements
	calls        calls
	residents    residents
	agent        idleAgent
	relays       relays
}

func (r report) write(w io.Writer) error {
	var out bytes.Buffer
	if r.options.agentOnly {
		r.writeAgent(&out)
		_, err := out.WriteTo(w)
		return err
	}
	r.writeDowntime(&out)
	if r.options.downtimeOnly {
		_, err := out.WriteTo(w)
		return err
	}
	r.writeStart(&out)
	r.writeParts(&out)
	r.writeStop(&out)
	r.writeCrash(&out)
	r.writeCalls(&out)
	r.writeMemory(&out)
	r.writeWakeups(&out)
	r.writeAgent(&out)
	r.writeLines(&out)
	if r.options.noQuadlet != "" {
		fmt.Fprintf(&out, "\nNo Podman quadlet: %s.\n", r.options.noQuadlet)
	}
	_, err := out.WriteTo(w)
	return err
}

func (r report) writeDowntime(w io.Writer) {
	docker, dockhost := r.replacements.docker, r.replacements.dockhost
	row(w, "downtime of an update", cells{"median", "25 %", "75 %", "ratio", "goal"})
	row(w, docker.name, spread(docker.down))
	row(w, dockhost.name, append(spread(dockhost.down), ratio(dockhost.down, docker.down), most(downtimeGoal)),
		"stop-first, the same image")
	fmt.Fprintln(w)
}

func (r report) writeStart(w io.Writer) {
	docker, plain := r.ways.docker, r.ways.plain
	row(w, "start to READY", cells{"median", "25 %", "75 %", "ratio", "goal"})
	row(w, docker.name, spread(docker.started))
	row(w, plain.name, append(spread(plain.started), ratio(plain.started, docker.started), ""),
		"the same to Docker: this is the noise")
	through := r.ways.passThrough
	row(w, through.name, append(spread(through.started), ratio(through.started, plain.started), most(runtimeGoal)),
		"to "+plain.name)
	for _, way := range []*way{r.ways.assigned, r.ways.run} {
		row(w, way.name, append(spread(way.started), ratio(way.started, docker.started), most(startGoal)))
	}
	if way := r.ways.quadlet; way != nil {
		row(w, way.name, append(spread(way.started), ratio(way.started, docker.started)))
	}
	fmt.Fprintln(w)
}

func (r report) writeParts(w io.Writer) {
	row(w, "of which", cells{"to create", "to running", "to the end"})
	for _, way := range r.ways.toStart() {
		row(w, way.name, cells{ms(way.toCreate.median()), ms(way.toRun.median()), ms(way.toReturn.median())})
	}
	fmt.Fprintln(w)
}

func (r report) writeStop(w io.Writer) {
	docker := r.ways.docker.stopped
	row(w, "stop", cells{"median", "25 %", "75 %", "ratio"})
	row(w, "docker stop, docker rm", spread(docker))
	for _, way := range r.ways.withQuadlet(r.ways.assigned, r.ways.run) {
		row(w, way.name, append(spread(way.stopped), ratio(way.stopped, docker)))
	}
	fmt.Fprintln(w)
}

func (r report) writeCrash(w io.Writer) {
	docker := r.ways.restarting
	row(w, "crash to READY", cells{"median", "25 %", "75 %", "ratio"})
	row(w, docker.name, append(spread(docker.crashed), ""), "until it runs, of which Docker waits 100 ms; the same container again")
	for _, way := range r.ways.withQuadlet(r.ways.assigned, r.ways.run) {
		row(w, way.name, append(spread(way.crashed), ratio(way.crashed, docker.crashed)))
	}
	fmt.Fprintln(w)
}

func (r report) writeCalls(w io.Writer) {
	plain, through := r.calls.plain, r.calls.passThrough
	row(w, "one call of the runtime", cells{"median", "25 %", "75 %", "added"})
	row(w, plainPath, spread(plain))
	row(w, "dockhost-runtime before it", append(spread(through), ms(through.median()-plain.median())))
	fmt.Fprintln(w)
}

func (r report) writeMemory(w io.Writer) {
	client := r.residents.client
	row(w, "memory when idle", cells{"RSS", "PSS", "ratio", "goal", "anonymous", "goal"})
	row(w, client.name, sizes(client, "", "", ""))
	for _, one := range []*resident{r.residents.assigned, r.residents.run} {
		row(w, one.name, sizes(one, share(one.memory.pss, client.memory.pss), under(pssGoal), "<= "+mib(anonymousGoal)))
	}
	if one := r.residents.quadlet; one != nil {
		row(w, one.name, sizes(one, share(one.memory.pss, client.memory.pss), "", ""))
	}
	fmt.Fprintln(w)
}

func sizes(r *resident, ratio, pssGoal, anonymousGoal string) cells {
	return cells{mib(r.memory.rss), mib(r.memory.pss), ratio, pssGoal, mib(r.memory.anonymous), anonymousGoal}
}

func (r report) writeWakeups(w io.Writer) {
	all := r.residents
	row(w, "wakeups a minute when idle", cells{"unchecked", "checked", "goal"}, "checked: with a health check each second")
	row(w, all.client.name, cells{perMinute(all.client), perMinute(all.clientChecked)})
	row(w, all.assigned.name, cells{perMinute(all.assigned), perMinute(all.assignedChecked), strconv.Itoa(wakeupsGoal)})
	row(w, all.run.name, cells{perMinute(all.run), "", strconv.Itoa(wakeupsGoal)})
	if all.quadlet != nil {
		row(w, all.quadlet.name, cells{perMinute(all.quadlet)})
	}
	fmt.Fprintln(w)
}

func (r report) writeLines(w io.Writer) {
	client, run := r.relays.client, r.relays.run
	title := fmt.Sprintf("%d MiB of log lines to a file", r.options.linesMiB)
	row(w, title, cells{"rate", "ratio", "goal", "CPU", "ratio", "goal", "anonymous"})
	row(w, client.name, cells{r.rate(client), "", "", seconds(client.cpu.median()), "", "", mib(client.memory.anonymous)})
	row(w, run.name, cells{
		r.rate(run), ratio(client.took, run.took), least(rateGoal),
		seconds(run.cpu.median()), ratio(run.cpu, client.cpu), most(cpuGoal), mib(run.memory.anonymous),
	})
}

func (r report) rate(one *relay) string {
	return fmt.Sprintf("%.0f MiB/s", float64(r.options.linesMiB)/one.took.median().Seconds())
}

// cells are the columns of a line.
type cells []string

// row writes a line: its name on the left, the numbers on the right, and then the notes.
func row(w io.Writer, name string, numbers cells, notes ...string) {
	var line strings.Builder
	fmt.Fprintf(&line, "%-32s", name)
	for _, number := range numbers {
		fmt.Fprintf(&line, "%12s", number)
	}
	for _, note := range notes {
		line.WriteString("  " + note)
	}
	fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
}

func spread(s samples) cells {
	return cells{ms(s.median()), ms(s.quantile(0.25)), ms(s.quantile(0.75))}
}

func ratio(s, base samples) string { return fmt.Sprintf("%.2f", s.ratio(base)) }

func share(part, whole int) string { return fmt.Sprintf("%.2f", float64(part)/float64(whole)) }

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

func mib(kib int) string { return fmt.Sprintf("%.1f MiB", float64(kib)/1024) }

func perMinute(r *resident) string { return fmt.Sprintf("%.1f", r.wakeups) }

func most(goal float64) string { return fmt.Sprintf("<= %.2f", goal) }

func under(goal float64) string { return fmt.Sprintf("< %.2f", goal) }

func least(goal float64) string { return fmt.Sprintf(">= %.2f", goal) }
