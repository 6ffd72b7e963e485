// Package packaging holds what a package installs beside the programs: units,
// tmpfiles, sysusers and presets. There is no code in it.
package packaging
