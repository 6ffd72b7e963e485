package compose

import (
	"strings"
	"testing"
)

// TestProblemsHideValues puts a secret into every kind of bad value that a message
// must not quote.
func TestProblemsHideValues(t *testing.T) {
	tests := []string{
		"containers: {web: {image: nginx, environment: {A: [" + canary + "]}}}",
		"containers: {web: {image: nginx, environment: {A: {b: " + canary + "}}}}",
		"containers: {web: {image: nginx, environment: {A: $" + canary + "}}}",
		"containers: {web: {image: nginx, environment: {A: '${" + canary + "}'}}}",
		"containers: {web: {image: nginx, environment: {A: 'x${" + canary + "'}}}",
		"containers: {web: {image: nginx, environment: ['=" + canary + "']}}",
		"containers: {web: {image: nginx, environment: [{A: " + canary + "}]}}",
		"containers: {web: {image: nginx, environment: " + canary + "}}",
		"containers: {web: {image: nginx, environment: {A: !!int " + canary + "}}}",
		"containers: {web: {image: nginx, environment: {A: !x " + canary + "}}}",
		"containers: {web: {image: nginx, command: {A: " + canary + "}}}",
		"containers: {web: {image: nginx, command: [[" + canary + "]]}}",
		"containers: {web: {image: nginx, command: \"echo '" + canary + "\"}}",
		"containers: {web: {image: nginx, healthcheck: {test: [CMD, [" + canary + "]]}}}",
		"containers: {web: {image: nginx, healthcheck: {test: [" + canary + "]}}}",
		"containers: {web: {image: nginx, logging: {options: {a: [" + canary + "]}}}}",
		"containers: {web: {image: nginx, labels: {a: [" + canary + "]}}}",
		"containers: {web: {image: nginx, x-dockhost: {unit: {Service: {Environment: \"A=" + canary + "\\n\"}}}}}",
		"containers: {web: {image: nginx, x-dockhost: {notify: 'http://user:" + canary + "@:80/'}}}",
		"containers: {web: {image: nginx, x-dockhost: {reload: {exec: [a, [" + canary + "]]}}}}",
		"registries: {localhost: {username: [" + canary + "], password: {" + "a: " + canary + "}}}",
		"registries: {localhost: " + canary + "}",
		"registries: " + canary,
		"registries: ['" + canary + "']",
		"registries: {https://user:" + canary + "@localhost: {username: a, password: b}}",
		"registries: {localhost: {username: a, password: b, token: " + canary + "}}",
		"registries: {localhost: {username: a, password: !x " + canary + "}}",
		canary,
	}
	for _, text := range tests {
		assignment, err := parse(t, "dockhost: "+wrap(text))
		if err == nil {
			t.Errorf("Parse(%s) = %+v, want an error", text, assignment)
		} else if strings.Contains(err.Error(), canary) {
			t.Errorf("Parse(%s) error contains the secret: %v", text, err)
		}
	}
}

func wrap(text string) string {
	if text == canary {
		return text
	}
	return "{" + text + "}"
}
