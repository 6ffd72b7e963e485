package supervisor

import (
	"testing"
	"time"

	"github.com/dockhost/dockhost/engine"
)

func TestProgress(t *testing.T) {
	const MB = 1_000_000
	p := progress{image: "app"}
	began := time.Now()
	tests := []struct {
		after time.Duration
		at    engine.Progress
		want  string
	}{
		{0, engine.Progress{}, "pulling app"},
		{0, engine.Progress{Layers: 3}, "pulling app: 0 of 3 layers"},
		{0, engine.Progress{Layers: 7, LayersDone: 3, Bytes: 350 * MB, BytesDone: 60 * MB}, "pulling app: 3 of 7 layers, 60MB of 350MB"},
		{500 * time.Millisecond, engine.Progress{Layers: 7, LayersDone: 3, Bytes: 350 * MB, BytesDone: 66 * MB}, "pulling app: 3 of 7 layers, 66MB of 350MB"},
		{5 * time.Second, engine.Progress{Layers: 7, LayersDone: 3, Bytes: 350 * MB, BytesDone: 120 * MB}, "pulling app: 3 of 7 layers, 120MB of 350MB at 12MB/s"},
		{15 * time.Second, engine.Progress{Layers: 7, LayersDone: 3, Bytes: 350 * MB, BytesDone: 140 * MB}, "pulling app: 3 of 7 layers, 140MB of 350MB at 2MB/s"},
		{16 * time.Second, engine.Progress{Layers: 7, LayersDone: 3, Bytes: 350 * MB, BytesDone: 100 * MB}, "pulling app: 3 of 7 layers, 100MB of 350MB"},
		{30 * time.Second, engine.Progress{Layers: 7, LayersDone: 5, Bytes: 350 * MB, BytesDone: 350 * MB, Downloaded: true}, "pulling app: 5 of 7 layers, 350MB of 350MB, unpacking"},
		{40 * time.Second, engine.Progress{Layers: 7, LayersDone: 7, Bytes: 350 * MB, BytesDone: 350 * MB, Downloaded: true}, "pulling app: 7 of 7 layers"},
	}
	for _, test := range tests {
		if got := p.status(began.Add(test.after), test.at); got != test.want {
			t.Errorf("after %s: %q, want %q", test.after, got, test.want)
		}
	}
}
