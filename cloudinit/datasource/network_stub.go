package datasource

// networkKinds are the metadata services.
func networkKinds() []kind { return nil }
