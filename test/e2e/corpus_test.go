//go:build e2e

package e2e

import "testing"

// TestCorpusIsCreatedAsComposeDoes creates the containers of the Compose projects in
// spec/compose/testdata by Debian's own docker compose and by the supervisor's code,
// and compares what Docker has. One image of the lab stands for those of the projects.
func TestCorpusIsCreatedAsComposeDoes(t *testing.T) {
	h := newHost(t)
	h.login()
	h.installCompose()
	const image, corpus = "corpus:1", "/srv/corpus"
	h.Cleanup(func() {
		h.try("rm -rf " + corpus + "; docker image rm -f " + image + " $(docker image ls -q --filter label=corpus)")
		if left := h.output("docker image ls -q --filter label=corpus"); left != "" {
			h.Errorf("images of the test are left: %s", left)
		}
	})
	h.copyTo("../../spec/compose/testdata/corpus", corpus)
	h.run("id=$(docker create localhost:5000/busybox) && docker export $id | docker import" +
		` --change 'VOLUME /var/lib/own' --change 'ENV OF_IMAGE=1' --change 'CMD ["sh"]' --change 'LABEL corpus=1' - ` + image + " && docker rm $id")
	h.runsTests("./supervisor", "TestRealCorpus", "TEST_CORPUS="+corpus+" TEST_IMAGE="+image)
}
