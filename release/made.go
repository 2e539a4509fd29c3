package release

import "github.com/tcpboot/tcpboot/release/espimage"

// What Cut makes is hashed while it is made. Who proves or stores it next, in the same
// process, need not read the same megabytes again to find the same digests.

// A made is a component as Cut made it.
type made struct {
	stated      Component
	image, list []byte
	program     *espimage.Image // what the app's image is; nil for others
}

// Made reports whether Cut made what r has of c, image and chunk list, and made them
// what c states: the digests of both are known. It looks at where the bytes lie, not at
// the bytes: those of a release must not be changed in place, and another file in their
// place was not made by Cut. What was read from anywhere never was.
func (r *Release) Made(c Component) bool {
	m, found := r.made[c.Name]
	return found && m.stated == c && sameMemory(m.image, r.Images[c.Name]) && sameMemory(m.list, r.Chunks[c.Name])
}

// program is what Cut found the app's image to be; nil where Cut did not make it.
func (r *Release) program() *espimage.Image {
	if c := r.Manifest.Image; r.Made(c) {
		return r.made[c.Name].program
	}
	return nil
}

// sameMemory reports whether a and b are the same bytes in the same place.
func sameMemory(a, b []byte) bool {
	return len(a) > 0 && len(a) == len(b) && &a[0] == &b[0]
}
