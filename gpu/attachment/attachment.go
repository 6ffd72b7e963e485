// Package attachment has the questions that a supervisor asks `dockhost gpu attach`
// and `dockhost gpu check`, and the answers. A supervisor starts these commands for
// a container with GPUs. They run in processes of their own, so that the CDI
// libraries never stay resident.
package attachment

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/dockhost/dockhost/spec"
)

// Question asks for the devices that a container needs.
type Question struct {
	// Unit is the container's systemd unit, "" without one.
	Unit string `json:"unit"`
	// Container is the name of an assigned container, "" for any other.
	Container string         `json:"container"`
	GPU       *spec.GPUNeeds `json:"gpu"`
}

// Attachment has the changes that give a container its devices.
type Attachment struct {
	// Devices are the qualified names of the CDI devices.
	Devices []string `json:"devices"`
	// GPUs are the UUIDs of the GPUs and MIG instances among them that are
	// known.
	GPUs []string `json:"gpus"`
	// Buses are their addresses on the PCI bus ("0000:01:00.0").
	Buses []string `json:"buses"`
	// Edits is merged into the container's OCI configuration, like the field of
	// [github.com/dockhost/dockhost/supervisor/placement.Placement].
	Edits json.RawMessage `json:"edits"`
}

// Message is one part of the answer. Exactly one field is set.
type Message struct {
	// Status says what is being done.
	Status string `json:"status,omitempty"`
	// Warning is a problem that an administrator should solve, but that does not
	// stop the container.
	Warning string `json:"warning,omitempty"`
	// Attachment is the last message of a success.
	Attachment *Attachment `json:"attachment,omitempty"`
	// Refusal is the last message of a failure, with its reason.
	Refusal string `json:"refusal,omitempty"`
}

// Refusal is the error of an answer without an attachment: why the container
// cannot have the devices. It may be temporary.
type Refusal string

func (r Refusal) Error() string { return string(r) }

// Read returns the attachment or a [Refusal]. tell receives the messages before it.
func Read(answer io.Reader, tell func(Message)) (Attachment, error) {
	decoder := json.NewDecoder(answer)
	for {
		var m Message
		if err := decoder.Decode(&m); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return Attachment{}, fmt.Errorf("read the answer: %w", err)
		}
		switch {
		case m.Attachment != nil:
			return *m.Attachment, nil
		case m.Refusal != "":
			return Attachment{}, Refusal(m.Refusal)
		}
		tell(m)
	}
}
