package document

import "testing"

func TestPosition(t *testing.T) {
	source := File("one")
	source.Add("two", 11)
	source.Add("three", 20)
	tests := []struct {
		line int
		file string
		want int
	}{{1, "one", 1}, {10, "one", 10}, {11, "two", 1}, {19, "two", 9}, {20, "three", 1}, {400, "three", 381}}
	for _, tt := range tests {
		if file, line := source.Position(tt.line); file != tt.file || line != tt.want {
			t.Errorf("Position(%d) = %s:%d, want %s:%d", tt.line, file, line, tt.file, tt.want)
		}
	}
}
