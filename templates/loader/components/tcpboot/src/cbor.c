#include "cbor.h"

#include <string.h>

struct cursor cursor_over(struct tb_bytes b) {
	return (struct cursor){b.at, b.size == 0 ? b.at : b.at + b.size};
}

size_t cursor_left(const struct cursor *c) {
	return (size_t)(c->end - c->at);
}

bool cursor_done(const struct cursor *c) {
	return c->at != NULL && c->at == c->end;
}

static uint32_t lose(struct cursor *c) {
	*c = (struct cursor){NULL, NULL};
	return 0;
}

/* Takes the head of an item. Information of 24 to 27 puts 1, 2, 4 or 8 bytes behind its first one. */
static uint64_t head(struct cursor *c, uint8_t major) {
	uint64_t value = 0;
	unsigned info, size;

	if (cursor_left(c) < 1 || *c->at >> 5 != major)
		return lose(c);
	info = *c->at++ & 0x1f;
	if (info < 24)
		return info;
	if (info > 27 || cursor_left(c) < (size_t)1 << (info - 24))
		return lose(c); /* reserved, of indefinite length, or cut off */
	size = 1u << (info - 24);
	for (unsigned i = 1; i <= size; i++) {
		value = value << 8 | *c->at++;
		if (i == size / 2 && value == 0)
			return lose(c); /* half as many would do */
	}
	return value < 24 ? lose(c) : value;
}

uint64_t cbor_uint(struct cursor *c) {
	return head(c, CBOR_UINT);
}

uint32_t cbor_uint_to(struct cursor *c, uint32_t highest) {
	uint64_t n = cbor_uint(c);

	return n > highest ? lose(c) : (uint32_t)n;
}

int64_t cbor_int(struct cursor *c) {
	bool negative = cursor_left(c) > 0 && *c->at >> 5 == CBOR_NEGATIVE;
	uint64_t n = head(c, negative ? CBOR_NEGATIVE : CBOR_UINT);

	if (n > INT64_MAX)
		return lose(c);
	return negative ? -1 - (int64_t)n : (int64_t)n; /* down to INT64_MIN */
}

uint32_t cbor_int_to(struct cursor *c, uint32_t highest) {
	int64_t n = cbor_int(c);

	return n < 1 || n > highest ? 0 : (uint32_t)n;
}

/* A length is a claim of the peer: it is compared with what is left, not added. */
static size_t length(struct cursor *c, uint8_t major) {
	uint64_t n = head(c, major);

	return n > cursor_left(c) ? lose(c) : (size_t)n;
}

static struct tb_bytes string(struct cursor *c, uint8_t major) {
	size_t size = length(c, major);
	struct tb_bytes b = {c->at, size};

	if (size > 0)
		c->at += size;
	return b;
}

struct tb_bytes cbor_bytes(struct cursor *c) {
	return string(c, CBOR_BYTES);
}

struct tb_bytes cbor_text(struct cursor *c) {
	return string(c, CBOR_TEXT);
}

const uint8_t *cbor_fixed(struct cursor *c, size_t size) {
	struct tb_bytes b = cbor_bytes(c);

	if (b.size == size)
		return b.at;
	lose(c);
	return NULL;
}

struct tb_counter cbor_counter(struct cursor *c) {
	struct tb_counter counter;

	cbor_array_of(c, 2);
	counter.generation = cbor_uint_to(c, UINT32_MAX);
	counter.count = cbor_uint_to(c, UINT32_MAX);
	return counter;
}

void cbor_tag(struct cursor *c, uint64_t tag) {
	if (head(c, CBOR_TAG) != tag)
		lose(c);
}

size_t cbor_array(struct cursor *c) {
	return length(c, CBOR_ARRAY);
}

size_t cbor_map(struct cursor *c) {
	return length(c, CBOR_MAP);
}

struct tb_bytes cbor_items(struct cursor *c, size_t count, void (*item)(struct cursor *c)) {
	const uint8_t *from = c->at;

	while (count-- > 0)
		item(c);
	return (struct tb_bytes){from, c->at == NULL ? 0 : (size_t)(c->at - from)};
}

bool cbor_next_is(const struct cursor *c, unsigned head) {
	return cursor_left(c) > 0 && *c->at == head;
}

struct cursor *cbor_take(struct cursor *c, unsigned head) {
	if (cbor_next_is(c, head))
		c->at++;
	else
		lose(c);
	return c;
}

int cbor_compare(struct tb_bytes a, struct tb_bytes b) {
	if (a.size != b.size)
		return a.size < b.size ? -1 : 1;
	return memcmp(a.at, b.at, a.size);
}

size_t cbor_put_head(uint8_t to[3], unsigned major, size_t n) {
	unsigned more = n < 24 ? 0 : n < 0x100 ? 1 : 2;

	to[0] = (uint8_t)(major << 5 | (more == 0 ? n : 23 + more));
	to[1] = (uint8_t)(more == 2 ? n >> 8 : n);
	to[2] = (uint8_t)n;
	return 1 + more;
}
