/*
 * Deterministic CBOR (RFC 8949 section 4.2.1), read strictly: definite lengths,
 * shortest integers, nothing else. Each function takes one item, or refuses and
 * leaves the cursor anywhere.
 */
#ifndef TCPBOOT_CBOR_H
#define TCPBOOT_CBOR_H

#include "tcpboot.h"

/* A cursor walks over bytes that nobody has judged yet. */
struct cursor {
	const uint8_t *at;
	const uint8_t *end;
};

struct cursor cursor_over(struct tb_bytes b);
size_t cursor_left(const struct cursor *c);

bool cbor_uint(struct cursor *c, uint64_t highest, uint64_t *value);
bool cbor_int(struct cursor *c, int64_t *value);
bool cbor_bytes(struct cursor *c, struct tb_bytes *b);
bool cbor_text(struct cursor *c, struct tb_bytes *b);
bool cbor_digest(struct cursor *c, const uint8_t **digest);
bool cbor_key(struct cursor *c, const uint8_t **key);
bool cbor_counter(struct cursor *c, struct tb_counter *counter); /* [generation, count] */
bool cbor_tag(struct cursor *c, uint64_t tag);

/* An array or map of any size, and of exactly so many. */
bool cbor_array(struct cursor *c, uint64_t *size);
bool cbor_map(struct cursor *c, uint64_t *size);
bool cbor_array_of(struct cursor *c, unsigned size);
bool cbor_map_of(struct cursor *c, unsigned size);

/* The key of a map whose keys are small numbers. */
bool cbor_is(struct cursor *c, unsigned number);

/* Writes the head of an item and returns its length, at most 9. */
size_t cbor_put_head(uint8_t to[9], uint8_t major, uint64_t value);

/* The kinds of items. */
enum { CBOR_UINT, CBOR_NEGATIVE, CBOR_BYTES, CBOR_TEXT, CBOR_ARRAY, CBOR_MAP, CBOR_TAG };

#endif
