package espimage

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A Trust is what a board holds against a Secure Boot V2 image. The zero Trust
// accepts none.
type Trust struct {
	Keys []fleet.Digest // as KeyDigest returns them

	// AllBlocks says that any of the three blocks may be the one, as for a
	// chip with hardware Secure Boot. A board that checks in software looks
	// at block 0 alone.
	AllBlocks bool
}

// A Report is what Inspect found in a signed file.
type Report struct {
	Image  *Image
	Blocks []Block // those that are not blank, by position
}

// Verify inspects file and says why a board with that trust refuses it. The
// report is nil only where Inspect failed.
func Verify(file []byte, trust Trust) (*Report, error) {
	r, err := Inspect(file)
	if err != nil {
		return nil, err
	}
	return r, r.Accepts(trust)
}

// Accepts says why a board with that trust refuses what Inspect found.
func (r *Report) Accepts(trust Trust) error {
	if len(r.Blocks) == 0 {
		return errors.New("signature sector: all its blocks are blank")
	}
	var reasons []string
	for _, b := range r.Blocks {
		err := trust.accepts(b)
		if err == nil {
			return nil
		}
		reasons = append(reasons, fmt.Sprintf("block %d: %v", b.Position, err))
	}
	return fmt.Errorf("no signature counts: %s", strings.Join(reasons, "; "))
}

func (t Trust) accepts(b Block) error {
	switch {
	case b.Err != nil:
		return b.Err
	case b.Position > 0 && !t.AllBlocks:
		return errors.New("boards that check in software look at block 0 alone")
	case !slices.Contains(t.Keys, b.Key):
		return fmt.Errorf("key %s is not trusted", b.Key)
	}
	return nil
}

// Inspect parses file, an image with a Secure Boot V2 signature sector, and
// judges each block by itself: whether it is well formed, whether its digest is
// that of the image, and whether its signature is by the key it holds. Whom to
// trust is the caller's question, or Verify's. The error is about the file as a
// whole: no image, or no signature sector exactly where a chip looks for it.
func Inspect(file []byte) (*Report, error) {
	im, err := Parse(file)
	if err != nil {
		return nil, err
	}
	return im.Inspect(file)
}

// Inspect is what the function Inspect does, for a file that Parse has read.
func (im *Image) Inspect(file []byte) (*Report, error) {
	at := align(im.Length)
	if len(file) != at+sectorSize {
		return nil, fmt.Errorf("file of %d bytes: this image has its signature sector at offset %#x, which makes %d",
			len(file), at, at+sectorSize)
	}
	content, sector := file[:at], file[at:]
	if !blank(sector[maxBlocks*blockSize:]) {
		return nil, fmt.Errorf("signature sector at offset %#x: more than %d blocks", at, maxBlocks)
	}
	r := &Report{Image: im}
	for i := range maxBlocks {
		b := sector[i*blockSize : (i+1)*blockSize]
		if blank(b) {
			continue
		}
		scheme, key, err := judge(b, func(s *suite) []byte { return im.digest(s.hash, content) })
		r.Blocks = append(r.Blocks, Block{Position: i, Scheme: scheme, Key: key, Err: err})
	}
	return r, nil
}
