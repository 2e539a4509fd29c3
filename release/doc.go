// Package release states, signs, checks and chooses firmware releases. It reads
// no file and opens no connection.
//
// A release is one version for one hardware: an image that the boards' loader or
// ROM checks, and a manifest that says which image it is, signed by a release key
// that the site document names. Cut makes one, Verify proves what can be proved
// of one, Restate offers the same bytes anew. A Catalog knows all releases of a
// site and picks the one that a board gets.
//
// # What a board is promised
//
// A board takes a manifest only if it is signed by a release key that its site
// document trusts with this hardware and kind, if site, hardware and chip are its
// own, if it names the board's channel with a higher sequence than the one that
// the board installed from it, and if its counter is not below any that the board
// knows of. Then, and before anything is erased, the chunk list is fetched and
// its digest compared; then each chunk is compared with its digest before it is
// written; then the image is checked as the chip itself would do.
//
// Sequences are compared within one generation of counters: a manifest of a higher
// generation than what is installed may have any. Only a site document begins a
// generation, and a manifest of one that it does not know is refused. So a thief of
// a release key can state the highest sequence and the highest count, but boards
// that installed such a release are free again with the next generation.
//
// So an older release comes back only by a new statement: Restate gives the old
// bytes a higher sequence. The counter belongs to the bytes and stays; where it
// was raised on purpose, older bytes never come back.
//
// # Loaders
//
// A release of kind loader updates the loader itself, which cannot overwrite what runs:
// an application asks for it, and is its board meanwhile. It is called "loader-" and the
// loader's version, and is offered on the channel "loader-" and the channel that boards
// follow. Boards compare the version, which must be above that of the loader that ran
// last; sequence and counter only have to be what the site allows. It has no variants:
// whose images it will take says the app key that signed it, and from when on, the
// board's report.
//
// # Variants
//
// Loaders that check images in software trust one app key each. While those of
// several generations are in use, a release is stated once for each: see variant.go.
// Pick gives a board the one that its loader takes.
//
// # Manifest encoding
//
// A manifest is a COSE_Sign1 of package cose with the typ
// "application/vnd.tcpboot.manifest.v1", 1024 bytes at most, signature included.
// Its payload is
//
//	manifest = {
//	   1: site,                            name
//	   2: kind,                            1 firmware, 2 loader
//	   3: version,                         name; of kind 2: "loader-2.1.0", numbers of 16 bits
//	   4: hardware,                        name
//	   5: chip,                            uint, the id in the image's header
//	   6: {1*8 channel: sequence},         name: uint, from 1
//	   7: [generation, count],             uint, 32 bits each
//	 ? 8: [major, minor, patch],           lowest loader that may install this; uint, 16 bits each
//	   9: component,                       the image, named "app"
//	 ?10: [1*4 component],                 for chips behind the board, in rising order of name
//	 ?11: [sequence, head]                 of the audit trail; uint from 1, digest
//	}
//	component = {
//	   1: name,                            name
//	   2: size,                            uint, bytes, 1 … 16 MiB
//	   3: digest,                          of all bytes
//	   4: chunk size,                      uint: 4096, 8192, 12288 or 16384
//	   5: digest                           of the chunk list
//	}
//	name   = tstr, 1 to 63 letters, digits and ". _ -", a letter or digit first
//	digest = bstr of 32 bytes, a SHA-256; never all zero
//
// in deterministic CBOR; a reader refuses keys that it does not know. "?" marks
// what may be absent and means: any loader, no other component, no audit trail.
//
// The chunk list is a file of its own: the SHA-256 of each chunk, 32 bytes one
// after the other, where every chunk but the last has chunk size bytes.
//
// # Example
//
// Version 1.2.0 for the hardware "door", a C3, on the channel "stable"
// (testdata/example.txt has all of it, signed):
//
//	a8                                      map of 8
//	  01 64 73697465                        site: "site"
//	  02 01                                 kind: firmware
//	  03 65 312e322e30                      version: "1.2.0"
//	  04 64 646f6f72                        hardware: "door"
//	  05 05                                 chip: ESP32-C3
//	  06 a1 66 737461626c65 07              sequence 7 on "stable"
//	  07 82 00 03                           counter: generation 0, count 3
//	  09 a5                                 image
//	    01 63 617070                        name: "app"
//	    02 19 0208                          size: 520
//	    03 58 20 …                          digest
//	    04 19 2000                          chunks of 8192 bytes
//	    05 58 20 …                          digest of the chunk list
package release
