package attachment

import (
	"encoding/json"
	"io"
)

// Answer writes the answer of attach, with what attach tells on the way.
func Answer(out io.Writer, attach func(tell func(Message)) (Attachment, error)) error {
	encoder := json.NewEncoder(out)
	made, err := attach(func(m Message) { _ = encoder.Encode(m) })
	if err != nil {
		return encoder.Encode(Message{Refusal: err.Error()})
	}
	return encoder.Encode(Message{Attachment: &made})
}
