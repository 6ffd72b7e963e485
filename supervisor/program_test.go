package supervisor

import (
	"context"
	"strings"

	"github.com/docker/docker/api/types/container"

	"github.com/dockhost/dockhost/engine/enginetest"
)

// untilSIGTERM is a program that ends with this code at SIGTERM.
func untilSIGTERM(code int) func(context.Context, *enginetest.Process) int {
	return func(ctx context.Context, p *enginetest.Process) int {
		select {
		case <-p.Signals:
		case <-ctx.Done():
		}
		return code
	}
}

// saying is a program that prints a word and runs until SIGTERM.
func saying(word string) func(context.Context, *enginetest.Process) int {
	return func(ctx context.Context, p *enginetest.Process) int {
		_, _ = p.Stdout.Write([]byte(word))
		return untilSIGTERM(0)(ctx, p)
	}
}

// controlled is a program that reports each health and writes each of lines. It
// ends with 0 at a signal, and with 7 after "".
func controlled(health <-chan container.HealthStatus, lines <-chan string) func(context.Context, *enginetest.Process) int {
	return func(ctx context.Context, p *enginetest.Process) int {
		for {
			select {
			case status := <-health:
				p.Health(status, "")
			case line := <-lines:
				if line == "" {
					return 7
				}
				_, _ = p.Stdout.Write([]byte(line + "\n"))
			case <-p.Signals:
				return 0
			case <-ctx.Done():
				return 0
			}
		}
	}
}

// writes is a program that writes each of texts, those that begin with "!" to
// stderr. It ends with 7 after "".
func writes(texts <-chan string) func(context.Context, *enginetest.Process) int {
	return func(ctx context.Context, p *enginetest.Process) int {
		for {
			select {
			case text := <-texts:
				to := p.Stdout
				if strings.HasPrefix(text, "!") {
					to = p.Stderr
				}
				if text == "" {
					return 7
				}
				_, _ = to.Write([]byte(text))
			case <-p.Signals:
				return 0
			case <-ctx.Done():
				return 0
			}
		}
	}
}
