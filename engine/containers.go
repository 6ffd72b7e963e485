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

// ListByLabel returns the containers, running or not, that have label=value. It only
// sets the fields that the Engine lists: id, name, image, labels and status.
func (c *Client) ListByLabel(ctx context.Context, label, value string) ([]Container, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	summaries, err := c.api().ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", label+"="+value))})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", translate(err))
	}
	containers := make([]Container, 0, len(summaries))
	for _, s := range summaries {
		c := Container{ID: s.ID, Image: s.Image, ImageID: s.ImageID, Labels: s.Labels, Status: s.State, Running: s.State == container.StateRunning}
		if len(s.Names) > 0 {
			c.Name = trimName(s.Names[0])
		}
		containers = append(containers, c)
	}
	return containers, nil
}

// StoredContainer is a container, running or not, in a list of all.
type StoredContainer struct {
	ID, Name, ImageID string
	Labels            map[string]string
	// Ended says that it has run and ended, EndedFor how long ago at least.
	Ended    bool
	EndedFor time.Duration
}

// Containers lists all containers.
func (c *Client) Containers(ctx context.Context) ([]StoredContainer, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	summaries, err := c.api().ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", translate(err))
	}
	containers := make([]StoredContainer, 0, len(summaries))
	for _, s := range summaries {
		c := StoredContainer{ID: s.ID, ImageID: s.ImageID, Labels: s.Labels}
		if len(s.Names) > 0 {
			c.Name = trimName(s.Names[0])
		}
		if s.State == container.StateExited || s.State == container.StateDead {
			c.Ended, c.EndedFor = true, endedFor(s.Status)
		}
		containers = append(containers, c)
	}
	return containers, nil
}

// ended matches the status text of a container that has ended: "Exited (0) 3 hours
// ago". A list has no other field for that time. go-units has written the text
// since 2015.
var ended = regexp.MustCompile(`\) (About an?|\d+) (second|minute|hour|day|week|month|year)s? ago$`)

// endedFor returns how long ago a container ended at least, 0 if the text does not
// say. go-units rounds hours to the nearest one and all other units down.
func endedFor(status string) time.Duration {
	match := ended.FindStringSubmatch(status)
	if match == nil {
		return 0
	}
	n, err := strconv.Atoi(match[1])
	if err != nil {
		n = 1 // "About an hour", which is at least one
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

// Listed reports whether the Engine lists a container that it knows by its id. One that it
// could not load when it started, because its disk was full, it neither lists, stops nor
// follows, and it has removed the container's network (moby 20.10 to 29).
func (c *Client) Listed(ctx context.Context, id string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := c.api().ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("id", id))})
	if err != nil {
		return false, fmt.Errorf("list containers: %w", translate(err))
	}
	return len(found) > 0, nil
}

// RemoveEnded removes a container that does not run, and keeps its volumes. The
// error is [ErrConflict] if it runs.
func (c *Client) RemoveEnded(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := translate(c.api().ContainerRemove(ctx, id, container.RemoveOptions{}))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("remove container %s: %w", id, err)
	}
	return nil
}
