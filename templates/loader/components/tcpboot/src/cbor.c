#include "cbor.h"

struct cursor cursor_over(struct tb_bytes b) {
	return (struct cursor){b.at, b.at + b.size};
}

size_t cursor_left(const struct cursor *c) {
	return (size_t)(c->end - c->at);
}

static bool big_endian(struct cursor *c, size_t size, uint64_t *value) {
	if (cursor_left(c) < size)
		return false;
	*value = 0;
	for (size_t i = 0; i < size; i++)
		*value = *value << 8 | *c->at++;
	return true;
}

/* The additional information of 24 to 27 puts 1, 2, 4 or 8 bytes behind the head. */
static bool argument(struct cursor *c, uint8_t info, uint64_t *value) {
	static const uint64_t least[] = {24, 0x100, 0x10000, 0x100000000};

	if (info < 24) {
		*value = info;
		return true;
	}
	if (info > 27)
		return false; /* reserved, or of indefinite length */
	return big_endian(c, (size_t)1 << (info - 24), value) && *value >= least[info - 24];
}

static bool head(struct cursor *c, uint8_t major, uint64_t *value) {
	uint8_t first;

	if (cursor_left(c) < 1)
		return false;
	first = *c->at++;
	return first >> 5 == major && argument(c, first & 0x1f, value);
}

bool cbor_uint(struct cursor *c, uint64_t highest, uint64_t *value) {
	return head(c, CBOR_UINT, value) && *value <= highest;
}

bool cbor_int(struct cursor *c, int64_t *value) {
	bool negative = cursor_left(c) > 0 && *c->at >> 5 == CBOR_NEGATIVE;
	uint64_t n;

	if (!head(c, negative ? CBOR_NEGATIVE : CBOR_UINT, &n) || n > INT64_MAX)
		return false;
	*value = negative ? -1 - (int64_t)n : (int64_t)n; /* down to INT64_MIN */
	return true;
}

/* A length is a claim of the peer: it is compared with what is left, not added. */
static bool string(struct cursor *c, uint8_t major, struct tb_bytes *b) {
	uint64_t size;

	if (!head(c, major, &size) || size > cursor_left(c))
		return false;
	*b = (struct tb_bytes){c->at, (size_t)size};
	c->at += size;
	return true;
}

bool cbor_bytes(struct cursor *c, struct tb_bytes *b) {
	return string(c, CBOR_BYTES, b);
}

bool cbor_text(struct cursor *c, struct tb_bytes *b) {
	return string(c, CBOR_TEXT, b);
}

static bool fixed(struct cursor *c, size_t size, const uint8_t **at) {
	struct tb_bytes b;

	if (!cbor_bytes(c, &b) || b.size != size)
		return false;
	*at = b.at;
	return true;
}

bool cbor_digest(struct cursor *c, const uint8_t **digest) {
	return fixed(c, TB_DIGEST, digest);
}

bool cbor_key(struct cursor *c, const uint8_t **key) {
	return fixed(c, TB_KEY, key);
}

bool cbor_counter(struct cursor *c, struct tb_counter *counter) {
	uint64_t generation, count;

	if (!cbor_array_of(c, 2) || !cbor_uint(c, UINT32_MAX, &generation) || !cbor_uint(c, UINT32_MAX, &count))
		return false;
	*counter = (struct tb_counter){(uint32_t)generation, (uint32_t)count};
	return true;
}

bool cbor_tag(struct cursor *c, uint64_t tag) {
	uint64_t value;

	return head(c, CBOR_TAG, &value) && value == tag;
}

bool cbor_array(struct cursor *c, uint64_t *size) {
	return head(c, CBOR_ARRAY, size);
}

bool cbor_map(struct cursor *c, uint64_t *size) {
	return head(c, CBOR_MAP, size);
}

bool cbor_array_of(struct cursor *c, unsigned size) {
	uint64_t value;

	return cbor_array(c, &value) && value == size;
}

bool cbor_map_of(struct cursor *c, unsigned size) {
	uint64_t value;

	return cbor_map(c, &value) && value == size;
}

bool cbor_is(struct cursor *c, unsigned number) {
	uint64_t value;

	return cbor_uint(c, number, &value) && value == number;
}

size_t cbor_put_head(uint8_t to[9], uint8_t major, uint64_t value) {
	size_t size = value < 24 ? 0 : value < 0x100 ? 1 : value < 0x10000 ? 2 : value < 0x100000000 ? 4 : 8;
	static const uint8_t info[] = {[1] = 24, [2] = 25, [4] = 26, [8] = 27};

	to[0] = (uint8_t)((uint64_t)major << 5 | (size == 0 ? value : info[size]));
	for (size_t i = size; i > 0; i--, value >>= 8)
		to[i] = (uint8_t)value;
	return 1 + size;
}
