package engine

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestAllocated(t *testing.T) {
	for text, want := range map[string]uint16{
		"driver failed programming external connectivity on endpoint app (8d28): Bind for 0.0.0.0:8080 failed: port is already allocated": 8080,
		"Bind for :::443 failed: port is already allocated": 443,
		"listen tcp4 0.0.0.0:8080: bind: address in use":    0,
	} {
		var port AllocatedError
		if errors.As(allocated(errors.New(text)), &port); port.Number != want {
			t.Errorf("allocated(%q) = port %d, want %d", text, port.Number, want)
		}
	}
	if err := allocated(fmt.Errorf("error during connect: %w", io.EOF)); !errors.Is(err, ErrUnreachable) {
		t.Errorf("allocated(EOF) = %v, want ErrUnreachable", err)
	}
}
