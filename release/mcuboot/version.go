package mcuboot

import (
	"fmt"
	"regexp"
	"strconv"
)

// A Version is an image's. It prints as 1.2.3+4, without the build where that is
// zero.
type Version struct {
	Major, Minor uint8
	Revision     uint16
	Build        uint32
}

const versionSize = 8

var versionText = regexp.MustCompile(`^(0|[1-9]\d*)(?:\.(0|[1-9]\d*)(?:\.(0|[1-9]\d*)(?:\+(0|[1-9]\d*))?)?)?$`)

// ParseVersion reads major.minor.revision+build, of which the end may be missing:
// 1.2 is 1.2.0+0. It takes no leading zeros, and nothing else around.
func ParseVersion(s string) (Version, error) {
	parts := versionText.FindStringSubmatch(s)
	if parts == nil {
		return Version{}, fmt.Errorf("version %q: want MAJOR.MINOR.REVISION+BUILD, of which the end may be missing", s)
	}
	var n [4]uint64
	for i, bits := range []int{8, 8, 16, 32} {
		if parts[i+1] == "" {
			break
		}
		var err error
		if n[i], err = strconv.ParseUint(parts[i+1], 10, bits); err != nil {
			return Version{}, fmt.Errorf("version %q: %s does not fit %d bits", s, parts[i+1], bits)
		}
	}
	return Version{uint8(n[0]), uint8(n[1]), uint16(n[2]), uint32(n[3])}, nil
}

func (v Version) String() string {
	if v.Build == 0 {
		return v.short()
	}
	return fmt.Sprintf("%s+%d", v.short(), v.Build)
}

// short is v without its build.
func (v Version) short() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Revision) }

// MarshalText makes JSON show a version as people write it.
func (v Version) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// Counter is the security counter that other tools derive from a version. The
// build has no part in it.
func (v Version) Counter() uint32 {
	return uint32(v.Major)<<24 | uint32(v.Minor)<<16 | uint32(v.Revision)
}

func (v Version) append(b []byte) []byte {
	b = append(b, v.Major, v.Minor)
	b = le.AppendUint16(b, v.Revision)
	return le.AppendUint32(b, v.Build)
}

// parseVersion reads the first eight bytes of b.
func parseVersion(b []byte) Version {
	return Version{b[0], b[1], le.Uint16(b[2:]), le.Uint32(b[4:])}
}

// A Dependency says that an image needs another one, of Min or a later version.
type Dependency struct {
	Image uint8   `json:"image"` // its number
	Min   Version `json:"min"`
}

func (d Dependency) value() []byte { return d.Min.append([]byte{d.Image, 0, 0, 0}) }

func parseDependency(b []byte) Dependency { return Dependency{b[0], parseVersion(b[4:])} }
