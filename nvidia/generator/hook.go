package main

import (
	"context"

	"github.com/NVIDIA/nvidia-container-toolkit/cmd/nvidia-cdi-hook/commands"
	"github.com/sirupsen/logrus"
	"github.com/urfave/cli/v3"
)

// hook runs NVIDIA's own: update-ldcache, create-symlinks, chmod and others. One
// that it does not know is warned of and passed over, as NVIDIA's program does:
// a description of a later toolkit keeps no container from starting.
func hook(ctx context.Context, args []string) error {
	logger := logrus.New()
	command := commands.ConfigureCDIHookCommand(logger, &cli.Command{Name: hookName})
	return command.Run(ctx, append([]string{hookName}, args...))
}
