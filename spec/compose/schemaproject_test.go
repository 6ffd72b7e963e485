package compose

import "github.com/dockhost/dockhost/internal/document"

// withDriver is the schema of a network or volume, which has only one driver.
func (m *schemaMaker) withDriver(name, driver string, keys document.Keys) object {
	schema := m.restrict(m.theirs[name], keys).(object)
	schema["properties"].(object)["driver"] = object{"enum": []string{driver}}
	return schema
}
