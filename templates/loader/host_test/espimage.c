#include "espimage.h"

#include <string.h>

enum { HEAD = 24, SEGMENT_HEAD = 8, SEGMENTS_MOST = 16, CHECKSUM_SEED = 0xef };

static uint32_t little_endian(const uint8_t *at) {
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* Xors a segment's bytes into the checksum; they must lie within the slot. */
static bool add_segment(const struct tb_flash *slot, uint32_t at, uint32_t size, uint8_t *checksum) {
	uint8_t part[256];

	if (size > slot->size || at > slot->size - size)
		return false;
	for (uint32_t end = at + size; at < end; at += sizeof part) {
		uint32_t n = end - at < sizeof part ? end - at : sizeof part;

		if (!slot->read(slot->context, at, part, n))
			return false;
		for (uint32_t i = 0; i < n; i++)
			*checksum ^= part[i];
	}
	return true;
}

/* Walks over the segments; *end is behind the last. */
static bool walk(const struct tb_flash *slot, unsigned segments, uint32_t *end, uint8_t *checksum) {
	uint8_t head[SEGMENT_HEAD];

	*end = HEAD;
	for (; segments > 0; segments--) {
		uint32_t size;

		if (*end > slot->size - SEGMENT_HEAD || !slot->read(slot->context, *end, head, sizeof head))
			return false;
		size = little_endian(head + 4);
		*end += SEGMENT_HEAD;
		if (!add_segment(slot, *end, size, checksum))
			return false;
		*end += size; /* within the slot, so it does not wrap */
	}
	return true;
}

static bool hash_is(const struct tb_flash *slot, const struct tb_crypto *crypto, uint32_t size, const uint8_t want[TB_DIGEST]) {
	uint8_t part[256], got[TB_DIGEST];

	crypto->sha256_start(crypto->context);
	for (uint32_t at = 0; at < size; at += sizeof part) {
		uint32_t n = size - at < sizeof part ? size - at : sizeof part;

		(void)slot->read(slot->context, at, part, n);
		crypto->sha256_add(crypto->context, part, n);
	}
	crypto->sha256_finish(crypto->context, got);
	return memcmp(got, want, TB_DIGEST) == 0;
}

bool espimage_is_whole(const struct tb_flash *slot, const struct tb_crypto *crypto, uint16_t chip) {
	uint8_t head[HEAD], tail[1 + TB_DIGEST], checksum = CHECKSUM_SEED;
	uint32_t end;

	if (!slot->read(slot->context, 0, head, sizeof head) || head[0] != 0xe9 || head[1] < 1 || head[1] > SEGMENTS_MOST ||
	    (head[12] | head[13] << 8) != chip || head[23] != 1 || !walk(slot, head[1], &end, &checksum))
		return false;
	end |= 15; /* the checksum ends a block of 16 bytes, and the hash stands behind it */
	if (end > slot->size - sizeof tail || !slot->read(slot->context, end, tail, sizeof tail))
		return false;
	return tail[0] == checksum && hash_is(slot, crypto, end + 1, tail + 1);
}
