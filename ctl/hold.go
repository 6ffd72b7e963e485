package ctl

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/client"
)

func (h Host) holdCommand() *cobra.Command {
	var all bool
	var until string
	cmd := &cobra.Command{
		Use:   "hold {NAME... | --all}",
		Short: "leave containers as they are",
		Long: `Leaves containers as they are until dockhostctl unhold: a newer image or a changed
assignment waits. A hold is kept over reboots. An update that has begun to replace a
container is completed. Another hold of the same container replaces the first.

TIME is 30m, 2h, 3d or 2w from now; 08:00, the next time that the clock shows it;
"tomorrow 08:00"; "2026-12-24 18:00"; or a time of RFC 3339. Without a time zone, it
is in that of this host.

Exit status: 0 when all are held, 1 when one does not exist or TIME is wrong, 4 when
the agent cannot be reached.`,
		ValidArgsFunction: h.completeContainers(-1),
		RunE: func(cmd *cobra.Command, names []string) error {
			var request api.HoldRequest
			if until != "" {
				end, err := parseUntil(until, time.Now())
				if err != nil {
					return fmt.Errorf("--until: %w", err)
				}
				end = end.Truncate(time.Second)
				request.Until = &end
			}
			return h.hold(cmd.Context(), names, all, request)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "hold all containers that this host runs now")
	cmd.Flags().StringVar(&until, "until", "", "end the hold at this `TIME`")
	if err := cmd.RegisterFlagCompletionFunc("until", cobra.NoFileCompletions); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

func (h Host) hold(ctx context.Context, names []string, all bool, request api.HoldRequest) error {
	change := func(ctx context.Context, c client.Client, name string) error { return c.Hold(ctx, name, request) }
	return h.changeHolds(ctx, change, names, all, func(name string) {
		if request.Until == nil {
			fmt.Fprintf(h.Out, "%s: held (to end it: dockhostctl unhold %s)\n", name, name)
			return
		}
		fmt.Fprintf(h.Out, "%s: held until %s\n", name, moment(*request.Until, time.Local))
	})
}

func (h Host) unholdCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "unhold {NAME... | --all}",
		Short: "end the hold of containers and the pause of updates",
		Long: `Ends the hold of containers, and the pause after updates that failed. What has
waited for that is done now, or in the next window. A container that is not held is
no error.

Exit status: 0 on success, 1 when a container does not exist, 4 when the agent
cannot be reached.`,
		ValidArgsFunction: h.completeContainers(-1),
		RunE: func(cmd *cobra.Command, names []string) error {
			change := func(ctx context.Context, c client.Client, name string) error { return c.Unhold(ctx, name) }
			return h.changeHolds(cmd.Context(), change, names, all, func(string) {})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "end the hold of all containers")
	return cmd
}

// changeHolds changes the hold of each container, and calls report for each that the
// agent has carried out.
func (h Host) changeHolds(ctx context.Context, change func(context.Context, client.Client, string) error, names []string, all bool, report func(name string)) error {
	if all == (len(names) > 0) {
		return errors.New("name containers, or use --all")
	}
	c := client.New(h.Socket)
	names, err := orAll(ctx, c, names)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		err := changeHold(ctx, c, name, change)
		if err == nil {
			report(name)
		}
		errs = append(errs, err)
	}
	return worst(errs)
}

func changeHold(ctx context.Context, c client.Client, name string, change func(context.Context, client.Client, string) error) error {
	ctx, cancel := context.WithTimeout(ctx, acceptTimeout)
	defer cancel()
	return change(ctx, c, name)
}
