package release

import (
	"crypto"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/mcuboot"
	"github.com/tcpboot/tcpboot/release/sign"
)

// What lies behind a board and runs MCUboot gets its image as a component of the
// release. Boards carry it and look no further than its digest; it is the bootloader
// behind them that asks for its hash and signature.

// CheckOthers says what is wrong with the images for chips behind the board. With an
// MCUKey those that are signed must be signed by it, and the others such that it can.
func (q *Request) CheckOthers() error {
	if n := len(q.Others); n > MaxOthers {
		return fmt.Errorf("%d images for chips behind the board, want at most %d", n, MaxOthers)
	}
	for _, name := range slices.Sorted(maps.Keys(q.Others)) {
		err := fleet.CheckName("component", name)
		if err == nil && name == AppComponent {
			err = errors.New("is the name of the board's own image")
		}
		if err == nil {
			err = q.checkOther(q.Others[name])
		}
		if err != nil {
			return fmt.Errorf("component %.63q: %w", name, err)
		}
	}
	return nil
}

func (q *Request) checkOther(image []byte) error {
	if q.MCUKey == nil {
		_, err := judgeOther(image, nil)
		return err
	}
	im, err := mcuboot.Parse(image)
	if err != nil {
		return err
	}
	if !im.Signed() {
		return mcuboot.CanSign(image, q.MCUKey)
	}
	_, err = judgeOther(image, []crypto.PublicKey{q.MCUKey})
	return err
}

// signOthers returns the images for chips behind the board as they shall be sent:
// with a signature where they have none and MCU has a key, and else as they are.
func (q *Request) signOthers() (map[string][]byte, error) {
	signed := map[string][]byte{}
	var failed []error
	for _, name := range slices.Sorted(maps.Keys(q.Others)) {
		image, err := signOther(q.Others[name], q.MCU[name])
		if err != nil {
			failed = append(failed, fmt.Errorf("component %.63q: %w: %w", name, err, BadImage))
		}
		signed[name] = image
	}
	return signed, errors.Join(failed...)
}

func signOther(image []byte, key sign.MCU) ([]byte, error) {
	if key.Signer == nil || !mcuboot.Begins(image) {
		return image, nil
	}
	im, err := mcuboot.Parse(image)
	if err != nil || im.Signed() {
		return image, err
	}
	return mcuboot.SignWhole(image, key)
}

// judgeOther proves what can be proved of an image for a chip behind the board. One
// that is encrypted is not refused for it: its key belongs nowhere but on the chip.
func judgeOther(image []byte, keys []crypto.PublicKey) (*mcuboot.Report, error) {
	report, err := mcuboot.Verify(image, mcuboot.Trust{Keys: keys})
	if errors.Is(err, mcuboot.ErrEncrypted) {
		err = nil
	}
	return report, err
}

// other reports on an image for a chip behind the board. What stays open of it is
// Beside: no board asks for it.
func (r *Report) other(name string, image []byte, keys []crypto.PublicKey) error {
	if !mcuboot.Begins(image) {
		r.Findings = append(r.Findings, Finding{Subject: name + ": structure", Detail: "no image of MCUboot: nothing is known of it but its digest", Beside: true})
		return nil
	}
	report, err := judgeOther(image, keys)
	if err != nil {
		return fmt.Errorf("component %s: %w: %w", name, err, BadImage)
	}
	for _, f := range report.Findings {
		r.Findings = append(r.Findings, Finding{Subject: name + ": " + f.Subject, Proved: f.Proved, Detail: f.Detail, Beside: true})
	}
	return nil
}
