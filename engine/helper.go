package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"time"

	configtypes "github.com/docker/cli/cli/config/types"
	"github.com/docker/docker-credential-helpers/client"
	"github.com/docker/docker-credential-helpers/credentials"
)

const (
	// helperTimeout bounds a credential helper. A helper queries a cloud, which takes
	// a second; docker/cli would wait forever.
	helperTimeout = 30 * time.Second
	// maxAnswer bounds the answer of a helper or a metadata server, in bytes.
	maxAnswer = 1 << 20
	// tokenUser is the username with which a helper marks the secret as an identity
	// token.
	tokenUser = "<token>"
)

// askHelper gets the login for a registry from docker-credential-NAME, as the docker
// command does. It is not an error if the helper has none.
func askHelper(ctx context.Context, name, server string, environment map[string]string) (configtypes.AuthConfig, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, helperTimeout, fmt.Errorf("no answer within %s", helperTimeout))
	defer cancel()
	login, err := client.Get(func(args ...string) client.Program {
		return newHelper(ctx, "docker-credential-"+name, args, environment)
	}, server)
	switch {
	case credentials.IsErrCredentialsNotFound(err):
		return configtypes.AuthConfig{}, nil
	case err != nil:
		return configtypes.AuthConfig{}, fmt.Errorf("run docker-credential-%s: %w", name, causeOr(ctx, err))
	case login.Username == tokenUser:
		return configtypes.AuthConfig{IdentityToken: login.Secret, ServerAddress: server}, nil
	}
	return configtypes.AuthConfig{Username: login.Username, Password: login.Secret, ServerAddress: server}, nil
}

// helper is one run of a credential helper. At the deadline, the helper and its
// children are killed.
type helper struct {
	*exec.Cmd
}

func newHelper(ctx context.Context, program string, args []string, environment map[string]string) *helper {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	if len(environment) > 0 {
		cmd.Env = cmd.Environ()
		for name, value := range environment {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	return &helper{cmd}
}

// Input sets the helper's standard input.
func (h *helper) Input(in io.Reader) { h.Stdin = in }

// Output runs the helper and returns its standard output. A helper that fails writes
// its error there, too. Output drops a text that may contain a secret, so that it
// does not become part of the error.
func (h *helper) Output() ([]byte, error) {
	out := &bounded{full: h.Cancel}
	h.Stdout = out
	err := h.Run()
	text := out.text.Bytes()
	if err != nil && (bytes.ContainsAny(text, "{\"") || len(text) > 500) {
		text = nil
	}
	return text, err
}

// bounded is a buffer of limited size. At the limit it calls full, which ends the
// writer. It does not embed bytes.Buffer, whose ReadFrom has no limit.
type bounded struct {
	text bytes.Buffer
	full func() error
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.text.Len()+len(p) > maxAnswer {
		_ = b.full()
		return 0, errors.New("the answer is too long")
	}
	return b.text.Write(p)
}
