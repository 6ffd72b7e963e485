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
	// helperTimeout is how long a credential helper may take. It asks a cloud,
	// which takes a second; docker/cli would wait for ever.
	helperTimeout = 30 * time.Second
	// maxAnswer bounds what is read of a helper, and of a metadata server.
	maxAnswer = 1 << 20
	// tokenUser is the username by which a helper says that the secret is an
	// identity token.
	tokenUser = "<token>"
)

// askHelper asks docker-credential-NAME for the login for a registry, as the
// docker command does. A helper that has none is no error.
func askHelper(ctx context.Context, name, server string, environment map[string]string) (configtypes.AuthConfig, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, helperTimeout, fmt.Errorf("no answer within %s", helperTimeout))
	defer cancel()
	found, err := client.Get(func(args ...string) client.Program {
		return newHelper(ctx, "docker-credential-"+name, args, environment)
	}, server)
	switch {
	case credentials.IsErrCredentialsNotFound(err):
		return configtypes.AuthConfig{}, nil
	case err != nil:
		return configtypes.AuthConfig{}, fmt.Errorf("ask docker-credential-%s: %w", name, causeOr(ctx, err))
	case found.Username == tokenUser:
		return configtypes.AuthConfig{IdentityToken: found.Secret, ServerAddress: server}, nil
	}
	return configtypes.AuthConfig{Username: found.Username, Password: found.Secret, ServerAddress: server}, nil
}

// helper is one call of a credential helper: it and what it starts are killed
// when its time is over.
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

// Input is what the helper reads.
func (h *helper) Input(in io.Reader) { h.Stdin = in }

// Output is what the helper says. A helper that fails says why there: what may
// be a secret all the same is kept out of the error.
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

// bounded keeps what is written, and has an end put to what would write without
// end. It is no bytes.Buffer itself, whose ReadFrom knows no bound.
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
