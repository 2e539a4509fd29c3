/* Makes the documents that tests need: keys, signatures, site documents, manifests, images. */
#ifndef MAKER_H
#define MAKER_H

#include "tcpboot.h"

enum { MAKER_ROOM = 4096 + 512 };

/* Bytes with room of their own. */
struct made {
	uint8_t bytes[MAKER_ROOM];
	size_t size;
};

struct tb_bytes made_bytes(const struct made *m);

/* Writes the head of an item of CBOR, with any number, and returns its length. */
size_t make_head(uint8_t to[9], unsigned major, uint64_t n);

/* Key number n, from 1; the same at every run. */
const uint8_t *maker_key(unsigned n);

/* What a site document says; what is not here is always the same. */
struct site_plan {
	uint64_t epoch;
	uint32_t generation;
	unsigned release_key;     /* number of the key that signs firmware for "door" */
	unsigned root, signer[2]; /* the root that it names; who signs, 0: nobody */
	const char *endpoint, *update;
	uint32_t floor;           /* of "door", in generation */
	unsigned loader_key;      /* that signs loaders for "door"; 0: none does */
};

extern const struct site_plan first_site;

struct made make_site(const struct site_plan *p);

/* What a manifest says of an image. */
struct release_plan {
	const char *site, *version, *hardware, *channel;
	unsigned kind, chip;
	uint64_t sequence;
	struct tb_counter counter;
	uint16_t loader[3]; /* 0.0.0: none */
	unsigned signer;
	uint32_t chunk;
};

extern const struct release_plan first_release;

struct made make_manifest(const struct release_plan *p, struct tb_bytes image);

/*
 * Fills size bytes with an image that starts: a magic byte, its version, its size
 * behind them, and at its end the SHA-256 of all before.
 */
enum { IMAGE_HEAD = 8 };
void make_image(uint8_t *to, size_t size, uint8_t version);

/* The digests of the chunks of image; returns their size. */
size_t make_list(struct tb_bytes image, uint32_t chunk, uint8_t *to);

#endif
