// Package seal encrypts the deliveries of many boards into one file, for a
// factory that flashes them: no secret touches a disk in the clear, and whoever
// finds the file on its way learns nothing.
//
// A sealed delivery is a tar archive inside an age file (age-encryption.org/v1),
// which is encrypted to one recipient or more and signed by nobody: it keeps
// secrets, and does not prove who wrote them. That a delivery is of the
// credential in force, the registry knows. The archive begins with a list of what
// is in it; then comes the folder of each board, named and filled as package
// delivery has it:
//
//	deliveries.csv                         mac,serial of each board's certificate
//	02/246f28aa1002/
//	02/246f28aa1002/main/wpa2_ca.pem
//	02/246f28aa1002/main/wpa2_client.crt
//	02/246f28aa1002/main/wpa2_client.key
//	02/246f28aa1002/sdkconfig.defaults
//
// The factory opens it with `age --decrypt --identity KEY FILE | tar x`. Losing the
// file, or the key, costs a rotation of every board in it.
package seal

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/tcpboot/tcpboot/pki/delivery"
)

// IndexFile is the first file of the archive.
const IndexFile = "deliveries.csv"

// Recipients are who can open what is sealed: each of them alone.
type Recipients struct {
	list  []age.Recipient
	names []string
}

// Names returns the recipients as they are written: age1….
func (r Recipients) Names() []string { return slices.Clone(r.names) }

// Parse reads recipients, one a line. Blank lines and lines that begin with '#'
// are skipped. Errors quote nothing: somebody may name the wrong half of a key.
func Parse(text string) (r Recipients, err error) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if strings.HasPrefix(line, "AGE-SECRET-KEY-") {
			return r, fmt.Errorf("line %d: a secret key; want its public half, age1…", n)
		}
		one, err := age.ParseRecipients(strings.NewReader(line))
		if err != nil {
			return r, fmt.Errorf("line %d: no age recipient; want age1…", n)
		}
		r.list, r.names = append(r.list, one...), append(r.names, line)
	}
	return r, nil
}

// Add adds the recipients of other to r.
func (r *Recipients) Add(other Recipients) {
	r.list, r.names = append(r.list, other.list...), append(r.names, other.names...)
}

// Check says why nothing can be sealed to r.
func (r Recipients) Check() error {
	if len(r.list) == 0 {
		return errors.New("no recipient to seal to")
	}
	_, err := age.Encrypt(io.Discard, r.list...) // a classic and a post-quantum one do not mix
	return err
}

// Write writes the deliveries to w, sealed. It does not close w.
func Write(w io.Writer, to Recipients, batch []delivery.Handout) error {
	sealed, err := age.Encrypt(w, to.list...)
	if err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	archive := tar.NewWriter(sealed)
	if err := addFile(archive, IndexFile, index(batch)); err != nil {
		return err
	}
	for _, h := range batch {
		if err := addBoard(archive, h); err != nil {
			return err
		}
	}
	return errors.Join(archive.Close(), sealed.Close())
}

func index(batch []delivery.Handout) []byte {
	var b strings.Builder
	b.WriteString("mac,serial\n")
	for _, h := range batch {
		b.WriteString(h.MAC.String() + "," + h.Serial.String() + "\n")
	}
	return []byte(b.String())
}

func addBoard(archive *tar.Writer, h delivery.Handout) error {
	folder := delivery.Path(h.MAC) + "/"
	err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: folder, Mode: 0o700, Format: tar.FormatUSTAR})
	if err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(h.Files)) {
		if err := addFile(archive, folder+name, h.Files[name]); err != nil {
			return err
		}
	}
	return nil
}

func addFile(archive *tar.Writer, name string, data []byte) error {
	err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: int64(len(data)), Format: tar.FormatUSTAR})
	if err == nil {
		_, err = archive.Write(data)
	}
	if err != nil {
		return fmt.Errorf("seal: %s: %w", name, err)
	}
	return nil
}
