package agent

import (
	"fmt"
	"strings"
	"sync"
)

// waits has the containers that wait for the stop of others.
type waits struct {
	mu sync.Mutex
	// begun has the last wait of each, by container.
	begun map[string]*wait
}

// wait is what a container waits for, in words.
type wait struct{ holders string }

// begin says that a container waits for the stop of others until end is called.
func (w *waits) begin(name string, holders []holder) *wait {
	stops := make([]string, len(holders))
	for i, h := range holders {
		stops[i] = fmt.Sprintf("%s (%s)", h.name, strings.Join(h.contended, "; "))
	}
	begun := &wait{strings.Join(stops, ", ")}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.begun == nil {
		w.begun = map[string]*wait{}
	}
	w.begun[name] = begun
	return begun
}

// end ends a wait, unless another one has begun for the container since then.
func (w *waits) end(name string, ended *wait) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.begun[name] == ended {
		delete(w.begun, name)
	}
}

// of returns which stops a container waits for, and why; "" if it waits for none.
func (w *waits) of(name string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if begun := w.begun[name]; begun != nil {
		return begun.holders
	}
	return ""
}
