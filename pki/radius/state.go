package radius

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// stateName begins the name of the entry, behind all boards, that lets nobody in
// but bears the digest of the file before it. Whether a server has read a file
// as a whole is thereby something it can be asked.
const stateName = "tcpboot-state-"

// The entry, in the forms of the two servers. In that of hostapd PEAP leads to an
// identity inside, which must be that of a board with a password: to know the
// name of the entry is worth nothing.
const (
	stateBoard = "%s%s\n"
	stateUser  = "\"%s%s\"\tPEAP\n"
)

// withState writes what fill writes, then the entry in the given form.
func withState(w io.Writer, form string, fill func(io.Writer) error) error {
	sum := sha256.New()
	if err := fill(io.MultiWriter(w, sum)); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, form, stateName, hex.EncodeToString(sum.Sum(nil)))
	return err
}

var errNoState = errors.New("list of boards: cut short, or not made by this program")

// State returns the digest that stands in the last line of a list of boards
// (authorize, eap_user), which is that of all lines before. Any other list is
// refused.
func State(list io.Reader) (state fleet.Digest, err error) {
	in := bufio.NewReaderSize(list, 1<<16)
	sum := sha256.New()
	var last []byte
	for {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			break
		}
		if errors.Is(err, io.EOF) || errors.Is(err, bufio.ErrBufferFull) {
			return fleet.Digest{}, errNoState
		}
		if err != nil {
			return fleet.Digest{}, fmt.Errorf("list of boards: %w", err)
		}
		sum.Write(last)
		last = append(last[:0], line...)
	}
	sum.Sum(state[:0])
	for _, line := range []string{stateBoard, stateUser} {
		if string(last) == fmt.Sprintf(line, stateName, state.Hex()) {
			return state, nil
		}
	}
	return fleet.Digest{}, errNoState
}
