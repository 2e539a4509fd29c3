package sitedoc

import "fmt"

// A Kind is what a release updates, and so what a release key may be trusted
// with: a key for firmware cannot replace loaders.
type Kind string

// The kinds, in the order of their numbers in documents, which count from 1.
const (
	Firmware Kind = "firmware" // the application that a loader fetches
	Loader   Kind = "loader"   // the loader itself
)

var kinds = []Kind{Firmware, Loader}

// Number returns the number of k in documents; ok is false when k is no kind.
func (k Kind) Number() (n uint64, ok bool) {
	for i, known := range kinds {
		if k == known {
			return uint64(i) + 1, true
		}
	}
	return 0, false
}

// KindOf returns the kind with the number n.
func KindOf(n uint64) (Kind, error) {
	if n < 1 || n > uint64(len(kinds)) {
		return "", fmt.Errorf("kind %d: want 1 (firmware) or 2 (loader)", n)
	}
	return kinds[n-1], nil
}
