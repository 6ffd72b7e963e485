// Package attachment is what a supervisor asks of `dockhost gpu attach`, which
// it starts for a container that asks for GPUs, and what it is answered. The
// libraries that the answer takes are so in no process that stays.
package attachment

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/dockhost/dockhost/spec"
)

// Question is what a container asks for.
type Question struct {
	// Unit is the container's systemd unit; "" where it runs in none.
	Unit string `json:"unit"`
	// Container is the name of an assigned container, "" for another one.
	Container string    `json:"container"`
	GPU       *spec.GPU `json:"gpu"`
}

// Attachment is what makes devices the container's.
type Attachment struct {
	// Devices are the qualified names of the CDI devices.
	Devices []string `json:"devices"`
	// GPUs are the UUIDs of the GPUs and MIG instances among them, as far as
	// they are known.
	GPUs []string `json:"gpus"`
	// Buses are where they are on the PCI bus ("0000:01:00.0").
	Buses []string `json:"buses"`
	// Edits is what is merged into the container's OCI configuration, as
	// [github.com/dockhost/dockhost/supervisor/placement.Placement] has it.
	Edits json.RawMessage `json:"edits"`
}

// Message is one part of the answer. One of the fields is set.
type Message struct {
	// Status is what is being done.
	Status string `json:"status,omitempty"`
	// Warning is what somebody should see to, and no reason to refuse.
	Warning string `json:"warning,omitempty"`
	// Attachment is the answer, the last message.
	Attachment *Attachment `json:"attachment,omitempty"`
	// Refusal is why there is none, the last message too.
	Refusal string `json:"refusal,omitempty"`
}

// Refusal is an error that the answer gives as the reason why the devices
// cannot be had. It may pass.
type Refusal string

func (r Refusal) Error() string { return string(r) }

// Read returns the answer. tell gets each message before it.
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
