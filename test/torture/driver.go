package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// scriptLimit bounds a script that applies a fault, which may hang together with what hangs on the host.
	scriptLimit = 60 * time.Second
	// duringLimit is the time in which a fault must show in the status.
	duringLimit = 60 * time.Second
	// patience is how long a fault may hold up the commands of another one.
	patience  = 5 * time.Second
	pollEvery = 250 * time.Millisecond
)

// driver carries out the steps of a plan on a host.
type driver struct {
	host    *host
	report  *report
	options options
	setting setting
	watch   watch
}

// run carries out the steps until the last one, or until the time is over.
func (d *driver) run(ctx context.Context) error {
	versions, err := d.host.run(ctx, "systemctl --version | head -n 1; docker --version; dockhostctl --version; uname -r")
	if err != nil {
		return err
	}
	d.report.note("%s", strings.ReplaceAll(strings.TrimSpace(versions), "\n", "; "))
	p := newPlan(d.options.seed)
	first := true
	for d.options.steps == 0 || p.last < d.options.steps {
		if d.report.over() {
			break
		}
		s := p.next()
		if s.number < d.options.from {
			continue
		}
		if first || s.setting != d.setting {
			if err := d.reset(ctx, s.setting); err != nil {
				return fmt.Errorf("set up %s: %w", d.options.host, err)
			}
			first = false
		}
		if err := d.step(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return ctx.Err()
}

// step carries out one step. After a violation it resets the host, so that the next step begins on a host that is well.
func (d *driver) step(ctx context.Context, s step) error {
	began := time.Now()
	d.report.begin(s)
	if _, err := d.host.run(ctx, "systemctl reset-failed 2>/dev/null; date +%s.%N >/root/torture/since"); err != nil {
		return err
	}
	wrong := d.strike(ctx, s)
	struck := time.Now()
	wrong = append(wrong, d.mend(ctx, s)...)
	mended := time.Now()
	settled, wentBack, err := d.settle(ctx)
	if err != nil {
		return err
	}
	wrong = append(wrong, settled...)
	well := time.Now()
	if len(settled) == 0 {
		deep, err := d.deep(ctx, s)
		if err != nil {
			return err
		}
		wrong = append(wrong, deep...)
	}
	if len(wrong) == 0 && len(wentBack) > 0 {
		if wrong, err = d.tryAgain(ctx, wentBack); err != nil {
			return err
		}
	}
	d.report.end(s, durations{struck.Sub(began), mended.Sub(struck), well.Sub(mended), time.Since(well)}, wrong)
	if len(wrong) == 0 || ctx.Err() != nil {
		return ctx.Err()
	}
	d.keepEvidence(ctx, s, wrong)
	d.report.note("the host is reset")
	return d.reset(ctx, s.setting)
}

// strike applies the faults, waits, and checks what must hold during a single fault.
func (d *driver) strike(ctx context.Context, s step) []string {
	var wait sync.WaitGroup
	for i, fault := range s.strikes {
		pause(ctx, fault.after)
		wait.Go(func() { d.report.applied(fault, d.apply(ctx, s, i)) })
	}
	d.await(ctx, s, &wait)
	pause(ctx, s.hold)
	if during := s.strikes[0].fault.during; during != "" && len(s.strikes) == 1 {
		if out, err := d.until(ctx, duringLimit, variables(s, 0)+during); err != nil {
			return []string{fmt.Sprintf("not while %s: %s: %v: %s", s.strikes[0], during, err, out)}
		}
	}
	return nil
}

// await waits until the faults are applied. A command may hang together with what hangs on the host: that runs again after
// a few seconds.
func (d *driver) await(ctx context.Context, s step, wait *sync.WaitGroup) {
	applied := make(chan struct{})
	go func() {
		wait.Wait()
		close(applied)
	}()
	select {
	case <-applied:
	case <-time.After(patience):
		_, _ = d.until(ctx, patience, release(s))
		<-applied
	}
}

// release returns the script that lets all run again that hangs.
func release(s step) string { return variables(s, 0) + "let_go; ID=2; let_go; true" }

// apply applies a fault, and reports whether there was something to break.
func (d *driver) apply(ctx context.Context, s step, i int) bool {
	fault := s.strikes[i].fault
	if fault.boot != noBoot {
		err := d.host.restart(ctx, fault.boot == powerCut)
		if err != nil {
			d.report.note("boot: %v", err)
		}
		return err == nil
	}
	limited, cancel := context.WithTimeout(ctx, scriptLimit)
	defer cancel()
	_, status, err := d.host.try(limited, variables(s, i)+fault.apply)
	return err == nil && status != 9
}

// mend undoes the faults, the last one first, and starts what an operator would have to start. What cannot be undone is
// tried again after the rest: a removed container cannot be started, nor one be declared while a disk is full.
func (d *driver) mend(ctx context.Context, s step) []string {
	scripts := []string{release(s) + " && systemctl start containerd.service docker.socket docker.service systemd-journald.service"}
	for i, strike := range slices.Backward(s.strikes) {
		if undo := strike.fault.undo; undo != "" {
			scripts = append(scripts, variables(s, i)+undo)
		}
	}
	limited, cancel := context.WithTimeout(ctx, d.options.limit)
	defer cancel()
	for {
		var left, wrong []string
		for _, script := range scripts {
			if out, status, err := d.host.try(limited, script); err != nil || status != 0 {
				left = append(left, script)
				wrong = append(wrong, fmt.Sprintf("cannot undo: %s: exit status %d, %v: %s", script[strings.LastIndex(script, "\n")+1:], status, err, strings.TrimSpace(out)))
			}
		}
		if len(left) == 0 || limited.Err() != nil {
			return wrong
		}
		scripts = left
		pause(limited, pollEvery)
	}
}

// until runs a script again and again until it succeeds.
func (d *driver) until(ctx context.Context, limit time.Duration, script string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	last := ""
	for {
		out, status, err := d.host.try(ctx, script)
		if err == nil && status == 0 {
			return out, nil
		}
		if err == nil {
			last = out
		}
		if ctx.Err() != nil {
			return last, fmt.Errorf("not in %s", limit)
		}
		pause(ctx, pollEvery)
	}
}

// settle waits until the host is well, and returns what is wrong at the end of the limit, and which containers went back
// to the revision before.
func (d *driver) settle(ctx context.Context) (wrong, wentBack []string, err error) {
	deadline := time.Now().Add(d.options.limit)
	for {
		last := time.Now().After(deadline)
		wrong, wentBack = d.look(ctx, last)
		if len(wrong) == 0 || last || ctx.Err() != nil {
			return wrong, wentBack, ctx.Err()
		}
		pause(ctx, pollEvery)
	}
}

// tryAgain does what an operator does after a rollback for which the new revision was not to blame. The host must then be
// well with the new revision.
func (d *driver) tryAgain(ctx context.Context, wentBack []string) ([]string, error) {
	d.report.note("went back, as it should, and tried again: %s", strings.Join(wentBack, ", "))
	if out, err := d.host.run(ctx, "timeout 30 dockhostctl update --force --no-block "+strings.Join(wentBack, " ")); err != nil {
		return []string{fmt.Sprintf("dockhostctl update: %v: %s", err, strings.TrimSpace(out))}, ctx.Err()
	}
	wrong, again, err := d.settle(ctx)
	for _, name := range again {
		wrong = append(wrong, "container "+name+" went back again, although nothing was broken")
	}
	return wrong, err
}

// look returns what is wrong now, all of it if full is set, otherwise at least one thing, and which containers went back.
func (d *driver) look(ctx context.Context, full bool) (wrong, wentBack []string) {
	ctx, cancel := context.WithTimeout(ctx, scriptLimit)
	defer cancel()
	script := factsScript
	if full {
		script = "FULL=yes\n" + script
	}
	out, _, err := d.host.try(ctx, script)
	if err != nil {
		return []string{fmt.Sprintf("the host does not answer: %v", err)}, nil
	}
	f := parseFacts(out)
	return judge(f), f.wentBack()
}

// deep makes the checks that are made once after each step.
func (d *driver) deep(ctx context.Context, s step) ([]string, error) {
	out, err := d.host.run(ctx, deepScript+"\ntrue")
	if err != nil {
		return nil, err
	}
	loses := false
	for _, strike := range s.strikes {
		loses = loses || strike.fault.loses
	}
	facts := parseDeep(out)
	wrong := append(d.watch.judge(facts, loses), judgeHistory(facts.history, s)...)
	grown, err := d.grown(ctx)
	return append(wrong, grown...), err
}

// grown waits until no process of dockhost is larger than it may be, and returns which ones are at the end of the limit. One
// that is busy has more connections to Docker for a moment.
func (d *driver) grown(ctx context.Context) ([]string, error) {
	deadline := time.Now().Add(d.options.limit)
	for {
		out, err := d.host.run(ctx, sizesScript)
		if err != nil {
			return nil, err
		}
		wrong := d.watch.judgeSizes(parseSizes(out))
		if len(wrong) == 0 || time.Now().After(deadline) {
			return wrong, nil
		}
		d.report.note("looking again: %s", strings.Join(wrong, "; "))
		pause(ctx, time.Second)
	}
}

// variables returns the beginning of a script of a strike.
func variables(s step, i int) string {
	strike := s.strikes[i]
	return library + fmt.Sprintf("NAME=%s UNIT=%s STEP=%d ID=%d NUMBER=%d\n", strike.target, unitName(strike.target), s.number, i+1, strike.number)
}
