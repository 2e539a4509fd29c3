// Package remote keeps releases in an OCI registry: any that speaks the
// distribution specification, with the referrers API or without it.
//
// # What lies there
//
// A version is an image index (bundle.IndexType) under the tag of its name. It
// lists one image manifest for each hardware, and one more for each time that a
// release was stated again; package bundle says what those hold. Signatures and
// SBOMs are manifests whose subject is a release, or the index, when somebody has
// signed what it lists: the registry lists them as referrers or, where it cannot,
// the client does, in an index under the tag sha256-<subject's digest>, as the
// specification has it.
//
//	1.4.0                                        the index of version 1.4.0
//	stable                                       the same, when somebody pushed to that tag
//	sha256-<64 hex>                              what is attached to that manifest
//	tcpboot.<16 hex>.<64 hex>                    a manifest of its own
//
// # Two pushers
//
// A registry replaces a tag without asking what was there, so two who add to one
// index may each lose what the other has written. Therefore every manifest first
// gets a tag of its own, tcpboot.<group>.<digest>, which nobody ever moves; the
// group is a hash of the version, or of the subject's digest. Whoever wrote an
// index then reads it and the tags again, and writes once more as long as a tag
// is missing from it. The last of them finds all tags; so nothing is lost,
// whatever the order. Those tags also keep the manifests where a registry removes
// what has none.
//
// That takes two things. A registry must show a tag to all who ask after it has
// taken it: one that answers from a copy which is behind may hide what another
// pusher wrote. And the last one must live to read what it wrote: killed in
// between, it may leave an index without what another had listed by then. Nothing
// is gone even so, and whoever adds to that version next, or calls Finish, lists
// it again; a cut of the version does so. Readers go by the index alone, never by
// the tags: those are also left by who came too late with other images.
//
// The index is written last. Killed before, a push leaves blobs and manifests that
// no version lists, and the same push goes on from there.
//
// # What is trusted
//
// Nobody. The registry is asked for digests, what it sends is compared with them
// by package bundle, and a release is one by its signature. It is believed when it
// says that a blob is there. Credentials go to the registry, and to the token
// service that the registry names, by TLS; neither a redirect nor an upload
// location takes them elsewhere.
package remote
