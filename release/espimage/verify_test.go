package espimage

import (
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

const sectorAt = 0x1000 // of the small vectors

// fixed recomputes the CRC of the block at offset.
func fixed(file []byte, offset int) []byte {
	file = slices.Clone(file)
	b := file[offset : offset+blockSize]
	le.PutUint32(b[crcOffset:], crc32.ChecksumIEEE(b[:crcOffset]))
	return file
}

func TestVerifyRefuses(t *testing.T) {
	rsa, p256, p384 := vector(t, "sbv2/esp32s3-rsa-a.bin"), vector(t, "sbv2/esp32c6-p256-a.bin"), vector(t, "sbv2/esp32c5-p384-a.bin")
	both := vector(t, "sbv2/esp32s3-rsa-ab.bin")
	at := func(file []byte, offset int) []byte { return fixed(changed(file, sectorAt+offset, 1), sectorAt) }
	blankSector := slices.Clone(rsa)
	copy(blankSector[sectorAt:], fill(nil, sectorSize))
	second := slices.Clone(both) // block 0 blank, block 1 good
	copy(second[sectorAt:], fill(nil, blockSize))
	for _, c := range []struct {
		name string
		file []byte
		key  string
		want string
	}{
		{"magic", changed(rsa, sectorAt, 1), "rsa3072-a", "block 0: magic 0xe6, want 0xe7"},
		{"CRC", changed(rsa, sectorAt+crcOffset, 1), "rsa3072-a", "block 0: CRC"},
		{"scheme", at(rsa, 1), "rsa3072-a", "key: curve id"},
		{"kind of hash", at(p384, 2), "p384-a", "block 0"},
		{"fourth byte", at(rsa, 3), "rsa3072-a", "unknown scheme 02 00 01"},
		{"digest", at(rsa, 4), "rsa3072-a", "digest is not that of the image"},
		{"even modulus", at(rsa, 36), "rsa3072-a", "key: modulus is even"},
		{"short modulus", fixed(changed(rsa, sectorAt+419, 0x80), sectorAt), "rsa3072-a", "key: modulus"},
		{"exponent", at(rsa, 420), "rsa3072-a", "key: exponent, R or M'"},
		{"R", at(rsa, 424), "rsa3072-a", "key: exponent, R or M'"},
		{"M'", at(rsa, 808), "rsa3072-a", "key: exponent, R or M'"},
		{"RSA signature", at(rsa, 812), "rsa3072-a", "signature is wrong"},
		{"curve of P-192", fixed(changed(p256, sectorAt+36, 3), sectorAt), "p256-a", "key: curve id 1, want 2"},
		{"point off the curve", at(p256, 40), "p256-a", "key: "},
		{"ECDSA signature", at(p256, 101), "p256-a", "signature is wrong"},
		{"zeros of P-256", at(p256, 165), "p256-a", "unused bytes are not zero"},
		{"zeros of P-384", at(p384, 1195), "p384-a", "unused bytes are not zero"},
		{"zeros behind the CRC", changed(rsa, sectorAt+1215, 1), "rsa3072-a", "unused bytes are not zero"},
		{"behind the last block", changed(rsa, sectorAt+maxBlocks*blockSize, 1), "rsa3072-a", "more than 3 blocks"},
		{"blank sector", blankSector, "rsa3072-a", "all its blocks are blank"},
		{"only block 1", second, "rsa3072-b", "block 1: boards that check in software look at block 0 alone"},
		{"another key", rsa, "rsa3072-b", "is not trusted"},
		{"image changed", changed(rsa, 0x140, 1), "rsa3072-a", "checksum"},
		{"unsigned", vector(t, "images/esp32s3.bin"), "rsa3072-a", "file of 992 bytes: this image has its signature sector at offset 0x1000, which makes 8192"},
		{"second sector", append(slices.Clone(rsa), rsa[sectorAt:]...), "rsa3072-a", "file of 12288 bytes"},
		{"signed by V1", vector(t, "sbv1/esp32-v1-a.bin"), "rsa3072-a", "file of 1060 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Verify(c.file, Trust{Keys: []fleet.Digest{digestOf(t, c.key)}})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// A damaged block takes nothing away from a good one.
func TestVerifyBesideDamage(t *testing.T) {
	file := changed(vector(t, "sbv2/esp32s3-rsa-ab.bin"), sectorAt+912, 1)
	r, err := Verify(file, Trust{Keys: []fleet.Digest{digestOf(t, "rsa3072-b")}, AllBlocks: true})
	if err != nil {
		t.Fatal(err)
	}
	if r.Blocks[0].Err == nil || r.Blocks[1].Err != nil {
		t.Errorf("blocks: got %+v, want the first alone damaged", r.Blocks)
	}
}
