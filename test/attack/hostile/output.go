package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"time"
)

// chunk is a text of about a MiB that is made of a line.
func chunk(line string) []byte { return bytes.Repeat([]byte(line), 1<<20/len(line)) }

// outputAttacks are what a container may print, as a text that is repeated. The first byte of each run is that of the text.
func outputAttacks() map[string][]byte {
	return map[string][]byte{
		"no-newline":   chunk("x"),
		"short-lines":  chunk("x\n"),
		"empty-lines":  chunk("\n"),
		"nul":          chunk("\x00\n"),
		"carriage":     chunk("a\rb\r\n"),
		"not-utf8":     chunk("\xff\xfe\xc0\x80\n"),
		"escapes":      chunk(ugly + "\n"),
		"priorities":   chunk("<0>fire\n<-1>x\n<99999999999>y\n<>z\n"),
		"json":         chunk(`{"log":"x","stream":"stderr","time":"0001-01-01T00:00:00Z"}` + "\n"),
		"journal":      chunk("MESSAGE=forged\n_SYSTEMD_UNIT=dockhost.service\nPRIORITY\n\x01\x00\x00\x00\x00\x00\x00\x000\n"),
		"nearly-frame": chunk("\x01\x00\x00\x00\x7f\xff\xff\xff"),
		"long-lines":   append(chunk(strings.Repeat("y", 64)), '\n'),
	}
}

// output writes a text for a time, or for as long as it runs, as fast as its reader takes it.
func output(ctx context.Context, args []string) error {
	text, err := pick(outputAttacks(), args)
	if err != nil {
		return err
	}
	lasts := 24 * time.Hour
	if len(args) > 1 {
		if lasts, err = time.ParseDuration(args[1]); err != nil {
			return err
		}
	}
	for end := time.Now().Add(lasts); time.Now().Before(end) && ctx.Err() == nil; {
		if _, err := os.Stdout.Write(text); err != nil {
			return err
		}
	}
	return nil
}
