package agent

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/spec"
)

// failingImages is an Engine that fails to inspect any image.
type failingImages struct {
	*fakeEngine
	err error
}

func (f failingImages) ImageOf(context.Context, string, string) (engine.Image, error) {
	return engine.Image{}, f.err
}

// An image that Docker does not have, or cannot read, must not keep a container from being
// replaced. A Docker that does not answer says nothing about the image.
func TestImageOfContainer(t *testing.T) {
	broken := errors.New("layer does not exist")
	for _, test := range []struct{ err, want error }{
		{fmt.Errorf("inspect: %w", engine.ErrNotFound), nil},
		{broken, nil},
		{fmt.Errorf("inspect: %w", engine.ErrUnreachable), engine.ErrUnreachable},
		{fmt.Errorf("inspect: %w", context.DeadlineExceeded), context.DeadlineExceeded},
	} {
		h := newTestHost(t)
		parts := h.agent().updates.parts
		preparer := *parts.preparer
		preparer.engine = failingImages{h.engine, test.err}
		parts.preparer = &preparer
		image, err := newUpdateHost("web", parts).Image(t.Context(), &spec.Container{Name: "web", Image: "nginx:1"})
		if !errors.Is(err, test.want) || image.ID != "" {
			t.Errorf("Image() after %v = %+v, %v, want error %v", test.err, image, err, test.want)
		}
	}
}
