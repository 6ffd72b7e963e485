package main

import (
	"context"

	"github.com/NVIDIA/nvidia-container-toolkit/cmd/nvidia-cdi-hook/commands"
	"github.com/sirupsen/logrus"
	"github.com/urfave/cli/v3"
)

// hook runs one of NVIDIA's hooks: update-ldcache, create-symlinks, chmod and others.
// Like NVIDIA's program, it warns of an unknown hook and ignores it, so that
// containers start with the spec of a later toolkit.
func hook(ctx context.Context, args []string) error {
	logger := logrus.New()
	command := commands.ConfigureCDIHookCommand(logger, &cli.Command{Name: hookName})
	return command.Run(ctx, append([]string{hookName}, args...))
}
