package compose

// project has what a Compose file, or the section of user data, has besides its
// services.
type project struct {
	// inFile is true for a Compose file, false for user data.
	inFile bool
}
