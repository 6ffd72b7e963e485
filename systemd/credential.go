package systemd

import (
	"context"
	"fmt"
	"path/filepath"
)

// Credentials returns the names of the credentials that the files of a service give it
// by value or by path (systemd.exec(5), SetCredential= and LoadCredential=ID:PATH).
// Those that systemd searches by name are not among them.
func (m *Manager) Credentials(ctx context.Context, name string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	conn, err := m.connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("get the credentials of %s: %w", name, err)
	}
	properties, err := conn.GetUnitTypePropertiesContext(ctx, name, "Service")
	if err != nil {
		return nil, fmt.Errorf("get the credentials of %s: %w", name, translate(err))
	}
	return givenCredentials(properties), nil
}

// givenCredentials reads the properties of a service: SetCredential is an array of
// names and bytes, LoadCredential one of names and paths.
func givenCredentials(properties map[string]any) []string {
	var names []string
	for _, key := range []string{"SetCredential", "SetCredentialEncrypted", "LoadCredential", "LoadCredentialEncrypted"} {
		list, _ := properties[key].([][]any)
		for _, credential := range list {
			if len(credential) < 2 {
				continue
			}
			name, _ := credential[0].(string)
			if path, isPath := credential[1].(string); !isPath || filepath.IsAbs(path) {
				names = append(names, name)
			}
		}
	}
	return names
}
