/* The manifest of a release, as the Go package release specifies it. */
#ifndef TCPBOOT_MANIFEST_H
#define TCPBOOT_MANIFEST_H

#include "sitedoc.h"

#define MANIFEST_TYPE "application/vnd.tcpboot.manifest.v1"

/* A manifest that was read. It points into the bytes it was read from. */
struct manifest {
	struct tb_bytes site;
	uint32_t kind;
	struct tb_bytes version;
	struct tb_bytes hardware;
	uint32_t chip;
	struct tb_bytes sequences; /* by channel, still encoded */
	struct tb_counter counter;
	uint16_t loader[3];        /* lowest that may install it; 0.0.0: any */
	struct tb_component image;
};

/* What a board knows of itself when it judges a manifest. */
struct judge {
	uint32_t kind;             /* what it asks for */
	struct tb_bytes site;
	struct tb_bytes hardware;
	uint16_t chip;
	struct tb_bytes channel;
	uint64_t sequence;         /* of what it installed from the channel, in the generation of counter; 0: nothing */
	struct tb_counter counter; /* the highest that it knows of */
	uint16_t loader[3];
};

/* Reads a signed manifest, which proves nothing yet. */
enum tb_result manifest_read(struct tb_bytes signed_, struct cose_message *m, struct manifest *manifest);

/* Proves that a key which the site trusts with it signed m, within the site's bounds. */
enum tb_result manifest_verify(const struct cose_message *m, const struct manifest *manifest,
                               const struct tb_crypto *crypto, const struct tb_site *site);

/* Says why the board refuses the manifest, whoever signed it. */
enum tb_result manifest_judge(const struct manifest *manifest, const struct judge *board);

/* The place of the manifest in the channel, among releases of its kind; 0: it is not for it. */
uint64_t manifest_sequence(const struct manifest *manifest, struct tb_bytes channel);

#endif
