//go:build !linux

package bundle

import "os"

func ahead(*os.File) {}
