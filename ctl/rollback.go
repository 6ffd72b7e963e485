package ctl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/client"
)

// fullDigest is the length of a digest of sha256.
const fullDigest = len("sha256:") + 64

func (h Host) rollbackCommand() *cobra.Command {
	var flags updateFlags
	var to string
	cmd := &cobra.Command{
		Use:   "rollback NAME",
		Short: "run the revision of a container before",
		Long: `Runs the revision before again: its image and its configuration. It does not wait
for a window or a hold. The present revision is quarantined. The command waits until
the container has stayed well for its soak time.

Exit status: 0 when it is confirmed, 1 when the agent refuses the request or the
revision before fails, 4 when the agent cannot be reached, 5 when it is not well
either, so that the present one runs again, 6 when the container has no revision
before or it cannot run on this host, 7 when --timeout ends before the rollback does.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: h.completeContainers(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if flags.timeout < 0 {
				return errors.New("--timeout: a time cannot be negative")
			}
			return h.rollback(cmd.Context(), args[0], to, flags)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "run the revision with this `DIGEST`, or with the only one in the history that begins so")
	flags.addWait(cmd)
	complete := func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		return h.completeDigests(cmd.Context(), args), cobra.ShellCompDirectiveNoFileComp
	}
	if err := cmd.RegisterFlagCompletionFunc("to", complete); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

func (h Host) rollback(ctx context.Context, name, to string, flags updateFlags) error {
	ctx, cancel := withTimeout(ctx, flags.timeout)
	defer cancel()
	c := client.New(h.Socket)
	to, err := findDigest(ctx, c, name, to)
	if err != nil {
		return err
	}
	r := rollout{name: name, back: true, request: api.UpdateRequest{To: to}}
	return r.run(ctx, c, h.transcript(h.Out), flags.noBlock)
}

// findDigest returns the digest that a person means by its beginning, with or without
// "sha256:". It asks the history of the container only if the digest is not complete.
func findDigest(ctx context.Context, c client.Client, name, prefix string) (string, error) {
	if prefix == "" || len(prefix) == fullDigest {
		return prefix, nil
	}
	entries, err := askHistory(ctx, c, name)
	if err != nil {
		return "", err
	}
	hex := strings.TrimPrefix(prefix, "sha256:")
	matches := slices.DeleteFunc(digests(entries), func(digest string) bool {
		return !strings.HasPrefix(strings.TrimPrefix(digest, "sha256:"), hex)
	})
	switch len(matches) {
	case 0:
		return "", fmt.Errorf("--to: no digest in the history of %q begins with %q (see: dockhostctl history %s)", name, prefix, name)
	case 1:
		return matches[0], nil
	}
	return "", fmt.Errorf("--to: %d digests in the history of %q begin with %q (write more of it)", len(matches), name, prefix)
}

// digests returns all digests of a history, each once.
func digests(entries []api.HistoryEntry) []string {
	var all []string
	for _, entry := range entries {
		if entry.From != nil {
			all = append(all, entry.From.Digest)
		}
		all = append(all, entry.To.Digest)
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(digest string) bool { return digest == "" })
}

// completeDigests returns the digests to which a container can be rolled back.
func (h Host) completeDigests(ctx context.Context, args []string) []string {
	if len(args) != 1 {
		return nil
	}
	entries, err := askHistory(ctx, client.New(h.Socket), args[0])
	if err != nil {
		return nil
	}
	return digests(entries)
}
