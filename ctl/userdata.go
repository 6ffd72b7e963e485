package ctl

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/docker/go-units"

	"github.com/dockhost/dockhost/agent/api"
)

// fetchTimeout bounds the answer of an agent that asks for the user data anew.
const fetchTimeout = time.Minute

// UserDataOptions say what is asked and how it is shown.
type UserDataOptions struct {
	// Socket is the agent's.
	Socket string
	// Fetch has the user data asked for anew.
	Fetch bool
	// Raw prints the user data itself.
	Raw bool
	// JSON asks for JSON instead of text.
	JSON bool
	Out  io.Writer
}

// UserData prints what user data was found, and what was made of it. It
// returns the exit status: 0 when it is well, 3 when something is wrong with it
// or it is still waited for, 1 when it is refused to be shown, 4 when the agent
// cannot be reached.
func UserData(ctx context.Context, o UserDataOptions) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	u, err := askUserData(ctx, o)
	if err != nil {
		return exitStatus(err), err
	}
	if o.Raw {
		return printRaw(ctx, o)
	}
	if err := printUserData(o, u, time.Now()); err != nil {
		return exitFailed, fmt.Errorf("print the user data: %w", err)
	}
	if len(u.Source.Problems) > 0 || u.Source.Waiting != "" {
		return exitNotWell, nil
	}
	return exitWell, nil
}

func askUserData(ctx context.Context, o UserDataOptions) (u api.UserData, err error) {
	method, path := http.MethodGet, "/v1/userdata"
	if o.Fetch {
		method, path = http.MethodPost, "/v1/userdata/fetch"
	}
	_, err = newClient(o.Socket).change(ctx, method, path, nil, &u)
	return u, err
}

func printRaw(ctx context.Context, o UserDataOptions) (int, error) {
	raw, err := newClient(o.Socket).ask(ctx, http.MethodGet, "/v1/userdata/raw", nil)
	if err != nil {
		return exitStatus(err), err
	}
	defer raw.Close()
	if _, err := io.Copy(o.Out, raw); err != nil {
		return exitFailed, fmt.Errorf("print the user data: %w", err)
	}
	return exitWell, nil
}

func printUserData(o UserDataOptions, u api.UserData, now time.Time) error {
	if o.JSON {
		encoder := json.NewEncoder(o.Out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(u)
	}
	var b strings.Builder
	printFound(&b, u, now)
	if len(u.Parts) > 0 {
		b.WriteString("\n")
		table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "PART\tTYPE\tSIZE\tUSED")
		for _, part := range u.Parts {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", part.Name, orDash(part.Type), units.HumanSize(float64(part.Size)), part.Used)
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	for _, warning := range u.Warnings {
		fmt.Fprintf(&b, "warning:      %s\n", warning)
	}
	for _, problem := range u.Source.Problems {
		fmt.Fprintf(&b, "problem:      %s\n", problem)
	}
	_, err := io.WriteString(o.Out, b.String())
	return err
}

// printFound says where the user data is, and what came of it.
func printFound(b *strings.Builder, u api.UserData, now time.Time) {
	line := func(key, value string) {
		if value != "" {
			fmt.Fprintf(b, "%-13s %s\n", key+":", value)
		}
	}
	line("datasource", orDash(u.Source.Datasource))
	line("found by", u.How)
	line("path", u.Source.Path)
	line("instance-id", u.Source.InstanceID)
	if u.FetchedAt != nil {
		line("asked", units.HumanDuration(now.Sub(*u.FetchedAt))+" ago")
	}
	line("waiting", u.Source.Waiting)
	line("note", u.Source.Note)
	if u.Source.Datasource != "" {
		line("size", units.HumanSize(float64(u.Size)))
	}
	if len(u.Containers) > 0 {
		line("containers", strings.Join(u.Containers, ", "))
	}
	if u.Source.AcceptedAt != nil {
		line("accepted", units.HumanDuration(now.Sub(*u.Source.AcceptedAt))+" ago")
	}
}
