package nvidia

// Describe is describe.
func Describe(g *GPU, information string) { describe(g, information) }
