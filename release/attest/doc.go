// Package attest reads and writes what is said of a release beside its manifest,
// in the forms that other people's tools check: sigstore bundles, in-toto
// statements, SLSA provenance, CycloneDX. It takes and returns bytes and values.
//
// # Bundle
//
// A bundle is one signature by a release key (P-256, SHA-256, DER), in sigstore's
// JSON of version 0.3, media type application/vnd.dev.sigstore.bundle.v0.3+json.
// The hint names the key as cosign does: it is the base64 of its cose.KeyID. There
// is no certificate, no log entry and no time stamp. A bundle is of a file, by its
// digest
//
//	{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json",
//	 "verificationMaterial":{"publicKey":{"hint":"…"}},
//	 "messageSignature":{"messageDigest":{"algorithm":"SHA2_256","digest":"…"},"signature":"…"}}
//
// or has what is signed within it, in a DSSE envelope:
//
//	{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json",
//	 "verificationMaterial":{"publicKey":{"hint":"…"}},
//	 "dsseEnvelope":{"payload":"…","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"…"}]}}
//
// The JSON is compact and in this order (the lines here are broken for the eye);
// but for spaces, which cosign puts there, it is read in no other form.
//
// A key that signs files as they are must not be led to sign what means something
// else. A release key signs four kinds of messages, which differ in their first
// bytes: 84 6a the Sig_structure of a manifest (COSE), "DSSEv1 " an envelope, d2 a
// signed manifest as a file, e9 an ESP32 image as a file. Other files get no
// signature of their own; statements name them by digest.
//
// # Statement
//
// The payload of an envelope is an in-toto statement of version 1 (0.1, which
// `cosign attest` writes, is read as well). Its subjects are the image manifest that
// packs the release, first, because cosign prints that; then, for a predicate that
// says something of them, the release's files. The predicate is
//
//	https://sigstore.dev/cosign/sign/v1   {}: "I signed this", for `cosign verify`
//	https://slsa.dev/provenance/v1        how the release came to be
//	https://cyclonedx.org/bom             the SBOM, byte for byte as it was given
//
// # Provenance
//
// The build that is told of is the cut: a program that ESP-IDF has built is checked,
// signed and stated. (Example, broken for the eye.)
//
//	{"buildDefinition":{
//	   "buildType":"https://github.com/tcpboot/tcpboot/release/attest/cut/v1",
//	   "externalParameters":{"version":"1.4.0","hardware":"esp32",
//	     "source":"https://git.example.org/door.git","revision":"8f2c…"},
//	   "resolvedDependencies":[
//	     {"name":"app.bin","digest":{"sha256":"…"},
//	      "annotations":{"idf":"v5.3.1","project":"door","version":"1.4.0"}},
//	     {"name":"app.elf","digest":{"sha256":"…"}}]},
//	 "runDetails":{
//	   "builder":{"id":"tcpboot:site:lab","version":{"tcpboot":"1.2.0"}},
//	   "metadata":{"finishedOn":"2026-11-28T12:00:00Z"}}}
//
// External parameters are what the person who cut the release said: source and
// revision are their word, which nobody here has checked, and stand there only if
// they said them. Resolved dependencies are what the cut has seen: the unsigned
// image by its digest, and as annotations what it says of itself; the ELF file that
// the image names; images for chips behind the board; the SBOM.
package attest
