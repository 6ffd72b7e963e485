package attachment

import (
	"encoding/json"
	"io"
)

// Answer calls attach and writes its messages and its result to out.
func Answer(out io.Writer, attach func(tell func(Message)) (Attachment, error)) error {
	encoder := json.NewEncoder(out)
	result, err := attach(func(m Message) { _ = encoder.Encode(m) })
	if err != nil {
		return encoder.Encode(Message{Refusal: err.Error()})
	}
	return encoder.Encode(Message{Attachment: &result})
}
