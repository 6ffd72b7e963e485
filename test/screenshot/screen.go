package main

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxSize bounds the screen, in lines and columns.
const maxSize = 500

// style is how a terminal shows a character.
type style struct {
	// color is a number from 0 to 15 and one more; 0 is the terminal's own color.
	color     int
	bold, dim bool
}

// cell is a character on the screen.
type cell struct {
	char  rune
	style style
}

// terminal is what a command has printed, as a terminal shows it at the end: lines that
// were drawn over others have replaced them.
type terminal struct {
	lines    [][]cell
	row, col int
	style    style
}

// screen returns the lines that a terminal shows.
func screen(text string) [][]cell {
	t := &terminal{}
	for len(text) > 0 {
		if sequence, rest, ok := cutEscape(text); ok {
			t.obey(sequence)
			text = rest
			continue
		}
		char, size := utf8.DecodeRuneInString(text)
		text = text[size:]
		t.print(char)
	}
	for len(t.lines) > 0 && len(t.lines[len(t.lines)-1]) == 0 {
		t.lines = t.lines[:len(t.lines)-1]
	}
	return t.lines
}

// cutEscape cuts a control sequence, ESC [ parameters letter, or another escape.
func cutEscape(text string) (sequence, rest string, ok bool) {
	if text[0] != '\x1b' {
		return "", text, false
	}
	if len(text) < 2 || text[1] != '[' {
		size := 2
		if strings.HasPrefix(text, "\x1b(") {
			size = 3 // ESC ( B chooses a character set
		}
		return "", text[min(size, len(text)):], true
	}
	end := strings.IndexFunc(text[2:], func(r rune) bool { return r >= '@' && r <= '~' })
	if end < 0 {
		return "", "", true
	}
	return text[2 : end+3], text[end+3:], true
}

func (t *terminal) print(char rune) {
	switch char {
	case '\n':
		t.row, t.col = t.row+1, 0
	case '\r':
		t.col = 0
	case '\t':
		t.col += 8 - t.col%8
	case '\b':
		t.col = max(t.col-1, 0)
	default:
		if char < ' ' {
			return
		}
		if t.row >= maxSize || t.col >= maxSize {
			return
		}
		t.grow()
		t.lines[t.row][t.col] = cell{char, t.style}
		t.col++
	}
}

// grow makes room for the cell at the cursor.
func (t *terminal) grow() {
	for len(t.lines) <= t.row {
		t.lines = append(t.lines, nil)
	}
	for len(t.lines[t.row]) <= t.col {
		t.lines[t.row] = append(t.lines[t.row], cell{char: ' '})
	}
}

// obey carries out a control sequence: colors, erasing, and movements of the cursor.
func (t *terminal) obey(sequence string) {
	if sequence == "" {
		return
	}
	letter := sequence[len(sequence)-1]
	var numbers []int
	for part := range strings.SplitSeq(sequence[:len(sequence)-1], ";") {
		number, _ := strconv.Atoi(strings.TrimPrefix(part, "?")) // 0 without a number
		numbers = append(numbers, number)
	}
	count := min(max(numbers[0], 1), maxSize)
	switch letter {
	case 'm':
		t.setStyle(numbers)
	case 'A':
		t.row = max(t.row-count, 0)
	case 'B':
		t.row = min(t.row+count, maxSize)
	case 'C':
		t.col = min(t.col+count, maxSize)
	case 'D':
		t.col = max(t.col-count, 0)
	case 'G':
		t.col = count - 1
	case 'H':
		t.row, t.col = 0, 0
	case 'K':
		t.erase(numbers[0], t.row)
	case 'J':
		if numbers[0] == 2 {
			t.lines = nil
			return
		}
		t.erase(0, t.row)
		t.lines = t.lines[:min(t.row+1, len(t.lines))]
	}
}

// erase erases a line from the cursor on, or all of it.
func (t *terminal) erase(how, row int) {
	if row >= len(t.lines) {
		return
	}
	switch {
	case how == 2:
		t.lines[row] = nil
	case how == 0 && t.col < len(t.lines[row]):
		t.lines[row] = slices.Clip(t.lines[row][:t.col])
	}
}

func (t *terminal) setStyle(numbers []int) {
	for _, n := range numbers {
		switch {
		case n == 0:
			t.style = style{}
		case n == 1:
			t.style.bold = true
		case n == 2:
			t.style.dim = true
		case n == 22:
			t.style.bold, t.style.dim = false, false
		case n >= 30 && n <= 37:
			t.style.color = n - 30 + 1
		case n == 39:
			t.style.color = 0
		case n >= 90 && n <= 97:
			t.style.color = n - 90 + 9
		}
	}
}
