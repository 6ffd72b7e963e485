package engine

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
)

// ListByLabel returns the containers, running or not, that bear label=value,
// with what a list tells: id, name, image, labels and status.
func (c *Client) ListByLabel(ctx context.Context, label, value string) ([]Container, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := c.api.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", label+"="+value))})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", translate(err))
	}
	out := make([]Container, 0, len(found))
	for _, f := range found {
		made := Container{ID: f.ID, Image: f.Image, ImageID: f.ImageID, Labels: f.Labels, Status: f.State, Running: f.State == container.StateRunning}
		if len(f.Names) > 0 {
			made.Name = trimName(f.Names[0])
		}
		out = append(out, made)
	}
	return out, nil
}

// StoredContainer is a container, running or not, as a list tells it.
type StoredContainer struct {
	ID, Name, ImageID string
	Labels            map[string]string
	// Ended says that it ran and runs no more, EndedFor for how long at least.
	Ended    bool
	EndedFor time.Duration
}

// Containers lists all containers.
func (c *Client) Containers(ctx context.Context) ([]StoredContainer, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := c.api.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", translate(err))
	}
	containers := make([]StoredContainer, 0, len(found))
	for _, f := range found {
		made := StoredContainer{ID: f.ID, ImageID: f.ImageID, Labels: f.Labels}
		if len(f.Names) > 0 {
			made.Name = trimName(f.Names[0])
		}
		if f.State == container.StateExited || f.State == container.StateDead {
			made.Ended, made.EndedFor = true, endedFor(f.Status)
		}
		containers = append(containers, made)
	}
	return containers, nil
}

// ended is a list's sentence about a container that has: "Exited (0) 3 hours
// ago". A list has no other word on when that was, and the sentence has been
// made by go-units since 2015.
var ended = regexp.MustCompile(`\) (About an?|\d+) (second|minute|hour|day|week|month|year)s? ago$`)

// endedFor is how long ago that was at least, 0 where it is not told. go-units
// rounds hours, and cuts off all else.
func endedFor(status string) time.Duration {
	match := ended.FindStringSubmatch(status)
	if match == nil {
		return 0
	}
	n, err := strconv.Atoi(match[1])
	if err != nil {
		n = 1 // "About an hour", which is one at least
	}
	const day = 24 * time.Hour
	unit := map[string]time.Duration{
		"second": time.Second, "minute": time.Minute, "hour": time.Hour, "day": day, "week": 7 * day, "month": 30 * day, "year": 365 * day,
	}[match[2]]
	age := unit * time.Duration(n)
	if match[2] == "hour" {
		age = max(age-30*time.Minute, time.Hour)
	}
	return age
}

// RemoveEnded removes a container that does not run, and its anonymous volumes.
// The error is [ErrConflict] where it does.
func (c *Client) RemoveEnded(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := translate(c.api.ContainerRemove(ctx, id, container.RemoveOptions{RemoveVolumes: true}))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("remove container %s: %w", id, err)
	}
	return nil
}
