package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

const (
	// pollPause is the time between two requests of the client that measures a downtime.
	pollPause = time.Millisecond
	// pollTimeout bounds each request.
	pollTimeout = time.Second
)

// replacement is a way to replace a container that publishes a port, and for how long nothing answered there.
type replacement struct {
	name string
	port string
	// start runs the container for the n-th time, stop ends the one before, and clean removes what is left of it. Without
	// stop, start replaces the container.
	start       func(n int) command
	stop, clean func(n int) command
	// end removes everything after n replacements.
	end  func(n int) command
	down samples
}

// replacements are compared with each other: both stop the old container first, and run the same image.
type replacements struct{ docker, dockhost *replacement }

func newReplacements(o options) replacements {
	docker := func(n int) string { return "dockhost-bench-" + strconv.Itoa(n) }
	options := func(port string, n int) command {
		return command{"--no-healthcheck", "--label", "run=" + strconv.Itoa(n), "-p", "127.0.0.1:" + port + ":8080", o.image}
	}
	return replacements{
		docker: &replacement{
			name: "docker stop, docker run -d", port: "18080",
			start: func(n int) command {
				return append(command{"docker", "run", "-d", "--name", docker(n)}, options("18080", n)...)
			},
			stop:  func(n int) command { return command{"docker", "stop", docker(n - 1)} },
			clean: func(n int) command { return command{"docker", "rm", docker(n - 1)} },
			end:   func(n int) command { return command{"docker", "rm", "-f", docker(n)} },
		},
		dockhost: &replacement{
			name: "an update by dockhost", port: "18081",
			start: func(n int) command {
				return append(command{"dockhostctl", "run", "--name", "bench-update"}, options("18081", n)...)
			},
			end: func(int) command { return command{"dockhostctl", "rm", "bench-update"} },
		},
	}
}

func (r replacements) list() []*replacement { return []*replacement{r.docker, r.dockhost} }

// measureDowntime replaces each container once to warm up, and then all in turns.
func measureDowntime(ctx context.Context, progress io.Writer, list []*replacement, runs int) (err error) {
	last := 0
	for _, r := range list {
		defer func() {
			_, endErr := r.end(last).output(context.WithoutCancel(ctx))
			err = errors.Join(err, endErr)
		}()
		if _, err := r.start(0).output(ctx); err != nil {
			return err
		}
		if err := r.awaitAnswer(ctx); err != nil {
			return err
		}
	}
	for n := 1; n <= runs+1; n++ {
		fmt.Fprintf(progress, "dockhost-bench: downtime, run %d of %d\n", n-1, runs)
		for _, r := range list {
			down, err := r.measure(ctx, n)
			if err != nil {
				return fmt.Errorf("downtime of %s: %w", r.name, err)
			}
			if n > 1 {
				r.down = append(r.down, down)
			}
		}
		last = n
	}
	return nil
}

// measure replaces the container for the n-th time, and returns for how long nothing answered.
func (r *replacement) measure(ctx context.Context, n int) (time.Duration, error) {
	if err := pause(ctx, settle); err != nil {
		return 0, err
	}
	replaced := make(chan error, 1)
	go func() {
		if r.stop != nil {
			if _, err := r.stop(n).output(ctx); err != nil {
				replaced <- err
				return
			}
		}
		_, err := r.start(n).output(ctx)
		replaced <- err
	}()
	down, err := r.outage(ctx, replaced)
	if err == nil && r.clean != nil {
		_, err = r.clean(n).output(ctx)
	}
	return down, err
}

// outage polls the port until the container was replaced and answers. It returns the time between the last answer before
// the outage and the first one after it.
func (r *replacement) outage(ctx context.Context, replaced <-chan error) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	var began, ended time.Time
	last := time.Now()
	answered, done := true, false
	for {
		before := answered
		answered = r.answers(ctx)
		now := time.Now()
		switch {
		case !answered && began.IsZero():
			began = last
		case answered && !before:
			ended = now
		}
		if answered {
			last = now
		}
		if done && answered {
			break
		}
		select {
		case err := <-replaced:
			if err != nil {
				return 0, err
			}
			done = true
		default:
		}
		if err := pause(ctx, pollPause); err != nil {
			return 0, err
		}
	}
	if began.IsZero() {
		return 0, errors.New("the port answered all the time, so nothing was replaced")
	}
	return ended.Sub(began), nil
}

// awaitAnswer waits until the port answers.
func (r *replacement) awaitAnswer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	for !r.answers(ctx) {
		if err := pause(ctx, settle); err != nil {
			return fmt.Errorf("wait for an answer of port %s: %w", r.port, err)
		}
	}
	return nil
}

// answers reports whether a new connection to the port gets an answer.
func (r *replacement) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:"+r.port+"/healthz", nil)
	if err != nil {
		return false
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}
