/*
 * Deterministic CBOR (RFC 8949 section 4.2.1), read strictly: definite lengths,
 * shortest integers, nothing else.
 *
 * Each function takes one item off the front of what a cursor walks over. A cursor
 * that meets anything else is lost, and stays so: nothing is left of it, and all that
 * it is asked for is zero, empty or NULL. So a reader asks for everything in turn, and
 * looks once whether it was there, before it believes any of it.
 */
#ifndef TCPBOOT_CBOR_H
#define TCPBOOT_CBOR_H

#include "tcpboot.h"

/* A cursor walks over bytes that nobody has judged yet. */
struct cursor {
	const uint8_t *at; /* NULL: it is lost */
	const uint8_t *end;
};

struct cursor cursor_over(struct tb_bytes b);
size_t cursor_left(const struct cursor *c);

/* Whether all that was asked for was there, and nothing is behind it. */
bool cursor_done(const struct cursor *c);

/* The kinds of items. */
enum { CBOR_UINT, CBOR_NEGATIVE, CBOR_BYTES, CBOR_TEXT, CBOR_ARRAY, CBOR_MAP, CBOR_TAG };

uint64_t cbor_uint(struct cursor *c);
uint32_t cbor_uint_to(struct cursor *c, uint32_t highest); /* lost above it */
int64_t cbor_int(struct cursor *c);
uint32_t cbor_int_to(struct cursor *c, uint32_t highest); /* any integer; 0 unless from 1 to highest */
struct tb_bytes cbor_bytes(struct cursor *c);
struct tb_bytes cbor_text(struct cursor *c);
const uint8_t *cbor_fixed(struct cursor *c, size_t size); /* bytes, exactly so many */
struct tb_counter cbor_counter(struct cursor *c); /* [generation, count] */
void cbor_tag(struct cursor *c, uint64_t tag);

/* The head of an array or map, and how many items or pairs it claims: never more than bytes are left. */
size_t cbor_array(struct cursor *c);
size_t cbor_map(struct cursor *c);

/* Walks over so many items, and returns the bytes that they are. */
struct tb_bytes cbor_items(struct cursor *c, size_t count, void (*item)(struct cursor *c));

/* Heads whose number is below 24 are one byte. */
bool cbor_next_is(const struct cursor *c, unsigned head);
struct cursor *cbor_take(struct cursor *c, unsigned head);

static inline void cbor_array_of(struct cursor *c, unsigned size) {
	cbor_take(c, CBOR_ARRAY << 5 | size);
}

static inline void cbor_map_of(struct cursor *c, unsigned size) {
	cbor_take(c, CBOR_MAP << 5 | size);
}

/* Takes the key of a pair, and returns c, of which the value is next. */
static inline struct cursor *cbor_at(struct cursor *c, unsigned key) {
	return cbor_take(c, key);
}

/* Compares texts in the order that they have as keys: by length, then by the bytes. */
int cbor_compare(struct tb_bytes a, struct tb_bytes b);

/* Writes the head of an item, with a number up to 65535, and returns its length. */
size_t cbor_put_head(uint8_t to[3], unsigned major, size_t n);

#endif
