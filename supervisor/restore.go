package supervisor

import (
	"os"
	"path/filepath"
	"strconv"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/supervisor/placement"
)

// restore writes the files of a running container again, where someone has removed
// or damaged them: the state, the placement, and its secrets and configs. The
// container keeps the files that it has mounted.
func (m *maker) restore() {
	m.report.save()
	id := m.report.state.ContainerID
	if m.unit.exists() {
		if _, err := placement.Read(m.dir.RuntimeDir(), id); err != nil {
			err := makeRuntimeDir(m.dir.RuntimeDir())
			if err == nil {
				err = placement.Write(m.dir.RuntimeDir(), id, m.placed)
			}
			m.restored("placement", err)
		}
	}
	for i := range m.container.Files {
		if _, err := os.Lstat(filepath.Join(m.dir.FilesDir(m.container.Name), strconv.Itoa(i))); err != nil {
			_, err := writeFiles(m.dir, m.container, m.credentials)
			m.restored("secrets", err)
			return
		}
	}
}

func (m *maker) restored(what string, err error) {
	if err != nil {
		m.log.Warn("a file that someone had removed or damaged is not restored", zap.String("file", what), zap.Error(err))
		return
	}
	m.log.Info("restored a file that someone had removed or damaged", zap.String("file", what))
}
