package housekeeping

import "slices"

// layers count the images of each layer, without those that are removed. A layer is
// known by its number.
type layers struct {
	// keys are the keys and sizes of [Input.Layers].
	keys    map[string]int64
	numbers map[string]int
	sizes   []int64
	holders []int
}

func newLayers(keys map[string]int64) layers {
	return layers{keys: keys, numbers: make(map[string]int, len(keys))}
}

// add counts an image, and returns the numbers of its layers.
func (l *layers) add(keys []string) []int {
	numbers := make([]int, 0, len(keys))
	for _, key := range keys {
		n, known := l.numbers[key]
		if !known {
			n = len(l.sizes)
			l.numbers[key] = n
			l.sizes, l.holders = append(l.sizes, l.keys[key]), append(l.holders, 0)
		}
		if !slices.Contains(numbers, n) {
			l.holders[n]++
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// remove removes an image, and returns how many bytes that frees.
func (l *layers) remove(numbers []int) (frees int64) {
	for _, n := range numbers {
		if l.holders[n]--; l.holders[n] == 0 {
			frees += l.sizes[n]
		}
	}
	return frees
}

// restore takes back a removal.
func (l *layers) restore(numbers []int) {
	for _, n := range numbers {
		l.holders[n]++
	}
}

// freedAny reports whether a removed image freed anything: one of its layers is in no
// image any more.
func (l *layers) freedAny(numbers []int) bool {
	return slices.ContainsFunc(numbers, func(n int) bool { return l.holders[n] == 0 && l.sizes[n] > 0 })
}
