// Package bundle keeps releases at rest, as an OCI image layout in a folder
// (image-spec 1.1): what is stored here can be listed, copied and pushed by
// oras, skopeo, crane or any other tool that speaks OCI, and is found again by
// the digest of its signed manifest.
//
// # The folder
//
//	oci-layout                 {"imageLayoutVersion":"1.0.0"}; written last by Create
//	index.json                 what there is: one entry per signed manifest
//	blobs/sha256/<64 hex>      every file under its digest, mode 0444, never written in place
//	.lock                      locked by whoever writes; empty, never removed
//	.tmp-*                     unfinished files, here and among the blobs; the next Store removes them
//
// A release is one OCI image manifest, for one version and one hardware:
//
//	{
//	  "schemaVersion": 2,
//	  "mediaType": "application/vnd.oci.image.manifest.v1+json",
//	  "artifactType": "application/vnd.tcpboot.release.v1",
//	  "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": "sha256:44136fa3…", "size": 2, "data": "e30="},
//	  "layers": [
//	    {"mediaType": "application/vnd.tcpboot.manifest.v1", "digest": "sha256:…", "size": 273,
//	     "annotations": {"org.opencontainers.image.title": "manifest.cose"}},
//	    {"mediaType": "application/vnd.tcpboot.image.v1", "digest": "sha256:…", "size": 8204,
//	     "annotations": {"org.opencontainers.image.title": "app.bin"}},
//	    {"mediaType": "application/vnd.tcpboot.chunks.v1", "digest": "sha256:…", "size": 96,
//	     "annotations": {"org.opencontainers.image.title": "app.chunks"}}
//	  ],
//	  "annotations": {
//	    "dev.tcpboot.chip": "esp32",
//	    "dev.tcpboot.hardware": "esp32",
//	    "dev.tcpboot.kind": "firmware",
//	    "org.opencontainers.image.version": "1.4.0"
//	  }
//	}
//
// Its first layer is the signed manifest (release.Release.Signed), and all the
// others follow from that: the app image as the board receives it, its chunk
// list, then each further component (application/vnd.tcpboot.component.v1) and
// its chunk list. Annotations and titles repeat what is signed,
// for people and registries; where they differ from it the release is refused.
// Nothing else goes in, no date either (a release states none), and the JSON is
// compact with sorted annotations: the same release is the same bytes and the
// same digest, wherever it is stored. (testdata/1.4.0 has this one whole.)
//
// A version is an image index over what there is of it: a manifest for each
// hardware, and one more for each time that a release was stated again. Its
// entries are in the order of hardware, place in the audit trail and digest, so
// that the same releases are the same index:
//
//	{
//	  "schemaVersion": 2,
//	  "mediaType": "application/vnd.oci.image.index.v1+json",
//	  "artifactType": "application/vnd.tcpboot.release-index.v1",
//	  "manifests": [
//	    {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "sha256:…", "size": 1070,
//	     "annotations": {"dev.tcpboot.chip": "esp32", "dev.tcpboot.hardware": "esp32", "dev.tcpboot.kind": "firmware"},
//	     "artifactType": "application/vnd.tcpboot.release.v1"}
//	  ],
//	  "annotations": {"org.opencontainers.image.version": "1.4.0"}
//	}
//
// # What goes with it
//
// What is said of a release beside its manifest is attached to it: image manifests
// whose subject is that of the release, which travel with it (the kinds in
// attach.go). A cut attaches these files (their forms: package attest), in the same
// moment in which the release begins to exist:
//
//	app.bin.sigstore.json         bundle of the image      for `cosign verify-blob`
//	manifest.cose.sigstore.json   bundle of the signed manifest, likewise
//	release.sigstore.json         bundle of a statement    for `cosign verify`
//	provenance.sigstore.json      bundle of a statement    `cosign verify-attestation --type slsaprovenance1`
//	sbom.sigstore.json            bundle of a statement    `cosign verify-attestation --type cyclonedx`
//	sbom.cdx.json                 the SBOM itself, for whoever looks for one
//
// The last two where there is an SBOM: its bundle has it byte for byte, and the
// provenance its digest, so that it cannot be swapped. One of them lies so:
//
//	{
//	  "schemaVersion": 2,
//	  "mediaType": "application/vnd.oci.image.manifest.v1+json",
//	  "artifactType": "application/vnd.dev.sigstore.bundle.v0.3+json",
//	  "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": "sha256:44136fa3…", "size": 2, "data": "e30="},
//	  "layers": [
//	    {"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "digest": "sha256:…", "size": 2102,
//	     "annotations": {"org.opencontainers.image.title": "provenance.sigstore.json"}}
//	  ],
//	  "subject": {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "sha256:…", "size": 1070},
//	  "annotations": {
//	    "dev.sigstore.bundle.content": "dsse-envelope",
//	    "dev.sigstore.bundle.predicateType": "https://slsa.dev/provenance/v1",
//	    "org.opencontainers.image.created": "2026-11-28T12:00:00Z",
//	    "org.opencontainers.image.revision": "8f2c41d0…"
//	  }
//	}
//
// These annotations too repeat what is signed. Date and revision stand here and not
// at the release: its manifest states neither. What Judge makes of all this counts
// for people; boards go by the signed manifest alone.
//
// # The index
//
// index.json has an entry for each release, attachment and version:
//
//	{
//	  "mediaType": "application/vnd.oci.image.manifest.v1+json",
//	  "digest": "sha256:…",
//	  "size": 1070,
//	  "annotations": {"org.opencontainers.image.ref.name": "1.4.0-esp32"},
//	  "artifactType": "application/vnd.tcpboot.release.v1"
//	}
//
// A version's name is its own. A release's is <version>-<hardware>, a valid OCI tag. Where a release is restated
// (the same images, signed again with new sequences) the new entry takes the
// name and the older one stays without: offers that name its digest still hold.
//
// A release that boards with loaders of several generations are to have is stored as
// several, one for each app key that a loader may trust: its variants. The annotation
// "dev.tcpboot.app-key" says by whose key the image is; nobody signed that, so who
// goes by it proves it by the image. The first has the name, the others have none.
// Two pairs that would share a name ("1-a" for "b", "1" for "a-b") cannot both
// be stored; where version "1-a" would share one with "1" for "a", the release has
// it, and the version is listed by nothing but its releases. A layout from before
// versions had an index gets one at the next Store. Entries of other artifact types
// are kept and passed over.
//
// # What survives
//
// Store writes blobs under temporary names and renames them, writes the new index
// beside the old, syncs all of that and the blobs' folder, and only then renames the
// index: that is the moment from which the release exists. Killed before, it leaves files that no
// one looks at; a reader sees the old index or the new one, never a part.
// Writers take turns by flock on .lock and read the index only when they hold
// it, so none overwrites another's entry; the kernel drops the lock of a dead
// process. (The store of oras-go writes its index in place, unsynced and
// unlocked: read this folder with other tools, but do not let them write to it
// while tcpboot may, and do not let them collect garbage, which would drop the
// entries without names.)
//
// # From elsewhere, and as a cache
//
// Pull brings releases from a Source, which package remote has for OCI registries.
// It stages blobs in a folder .pull-*, each compared with its digest before it has
// a name there; only when all releases are whole and were held against the site's
// keys are they moved among the blobs and listed, in one rename of the index. A
// layout may also be a Source's cache: Learn lists releases without their images,
// Fill brings images when they are wanted, and removes others; FillAttached brings
// what goes with a release.
//
// # What is trusted
//
// Nothing in the folder, nor in a Source. File sizes are bounded before reading, a digest is the
// only way to name a blob, links and pipes are refused, and every blob's digest
// is compared before a byte of it is used or served. That finds damage, not
// forgery: whoever can write to the folder can list a release of their own.
// What makes it a release is its signature, which those who use it check.
package bundle
