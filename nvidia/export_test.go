package nvidia

// Describe exports describe.
func Describe(g *GPU, information string) { describe(g, information) }
