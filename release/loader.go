package release

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// A loader is the version of a loader: major, minor, patch. Boards compare it as
// numbers, so it is not a name.
type loader [3]uint16

// parseLoader reads "2.0.1", without leading zeros.
func parseLoader(s string) (loader, error) {
	var l loader
	parts := strings.Split(s, ".")
	if len(parts) != len(l) {
		return l, fmt.Errorf("loader version %.20q: want three numbers, as in 2.0.1", s)
	}
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || strconv.FormatUint(n, 10) != p {
			return l, fmt.Errorf("loader version %.20q: want three numbers up to %d", s, maxLoaderPart)
		}
		l[i] = uint16(n)
	}
	return l, nil
}

func (l loader) String() string { return fmt.Sprintf("%d.%d.%d", l[0], l[1], l[2]) }

func (l loader) compare(o loader) int {
	return cmp.Or(cmp.Compare(l[0], o[0]), cmp.Compare(l[1], o[1]), cmp.Compare(l[2], o[2]))
}
