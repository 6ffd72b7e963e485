package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// agentUnit is the unit of the node agent.
const agentUnit = "dockhost.service"

// agentAnonymousGoal is the most anonymous memory of an idle agent, in KiB.
const agentAnonymousGoal = 12 << 10

// idleAgent is the node agent while a container runs and nothing happens.
type idleAgent struct {
	memory  memory
	wakeups float64
}

// measureAgent restarts the agent while a container runs, and counts from a minute after that.
func measureAgent(ctx context.Context, o options) (agent idleAgent, err error) {
	assigned := newResidents(o).assigned
	if _, err := assigned.start(ctx); err != nil {
		return agent, err
	}
	defer func() { err = errors.Join(err, assigned.stop(ctx)) }()
	if _, _, err := timed(ctx, command{"systemctl", "restart", agentUnit}); err != nil {
		return agent, err
	}
	if err := pause(ctx, beforeWakeups); err != nil {
		return agent, err
	}
	pid, err := mainPID(ctx, agentUnit)
	if err != nil {
		return agent, err
	}
	before, err := readSwitches(pid)
	if err != nil {
		return agent, err
	}
	if err := pause(ctx, o.idle); err != nil {
		return agent, err
	}
	after, err := readSwitches(pid)
	if err != nil {
		return agent, fmt.Errorf("wakeups of the agent: %w", err)
	}
	agent.wakeups = float64(after-before) / o.idle.Minutes()
	agent.memory, err = readMemory(pid)
	return agent, err
}

func (r report) writeAgent(w io.Writer) {
	row(w, "the idle agent", cells{"RSS", "PSS", "anonymous", "goal", "wakeups", "goal"}, "wakeups: a minute")
	memory := r.agent.memory
	row(w, agentUnit, cells{
		mib(memory.rss), mib(memory.pss), mib(memory.anonymous), "< " + mib(agentAnonymousGoal),
		fmt.Sprintf("%.1f", r.agent.wakeups), strconv.Itoa(wakeupsGoal),
	})
	fmt.Fprintln(w)
}
