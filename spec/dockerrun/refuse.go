package dockerrun

import (
	"errors"

	"github.com/distribution/reference"
	"github.com/spf13/pflag"

	"github.com/dockhost/dockhost/spec"
)

// refuse returns a problem for each flag that dockhost does not support, and
// resets the flag so that docker/cli finds further problems.
func refuse(flags *pflag.FlagSet, image string) error {
	var problems []error
	note := func(text string) { problems = append(problems, errors.New(text)) }
	if text(flags, "cgroup-parent") != "" {
		note("--cgroup-parent: the container is in the cgroup of its unit (leave it out, and set Slice= in the unit)")
	}
	if text(flags, "runtime") == spec.RuntimeName {
		note("--runtime " + spec.RuntimeName + ": dockhost already runs every container (leave it out, or name the runtime that dockhost calls)")
	}
	if isSet(flags, "use-api-socket") {
		note("--use-api-socket: it copies registry logins into the container " +
			"(leave it out, and use: -v /var/run/docker.sock:/var/run/docker.sock)")
	}
	if !isSet(flags, "disable-content-trust") && !pinned(image) {
		note("--disable-content-trust=false, or DOCKER_CONTENT_TRUST: dockhost does not check signatures " +
			"(leave it out, and name the image by its digest)")
	}
	reset(flags, "cgroup-parent", "use-api-socket")
	set(flags, "disable-content-trust", "true")
	return errors.Join(problems...)
}

// pinned reports whether a reference has a digest. Such an image needs no
// signature.
func pinned(image string) bool {
	ref, err := reference.ParseAnyReference(image)
	if err != nil {
		return false
	}
	_, digested := ref.(reference.Digested)
	return digested
}
