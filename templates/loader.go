package templates

import "embed"

// Loader holds what is laid down of the loader's ESP-IDF project, under "loader/":
// the options it is built with.
//
//go:embed loader/main/Kconfig.projbuild
var Loader embed.FS
