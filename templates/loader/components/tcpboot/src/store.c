#include "store.h"

#include <string.h>

enum { HEAD = 16, STATE_SIZE = 208, MANIFEST_AT = 2 * TB_SECTOR, SITE_AT = 4 * TB_SECTOR, SITE_AREA = 2 * TB_SECTOR };

/* Of the three kinds of records. */
static const uint32_t STATE_MAGIC = 0x31736274, MANIFEST_MAGIC = 0x316d6274, SITE_MAGIC = 0x31646274;

/* CRC-32 as in zlib; slow, and small. */
static uint32_t crc32(uint32_t crc, const uint8_t *bytes, size_t size) {
	crc = ~crc;
	for (size_t i = 0; i < size; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

static void put(uint8_t **at, uint64_t value, size_t size) {
	for (size_t i = 0; i < size; i++, value >>= 8)
		*(*at)++ = (uint8_t)value;
}

static uint64_t get(const uint8_t **at, size_t size) {
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++)
		value |= (uint64_t)*(*at)++ << 8 * i;
	return value;
}

/* ---- flash ---- */

bool flash_holds(const struct tb_flash *flash, uint32_t offset, const uint8_t *bytes, size_t size) {
	uint8_t part[256];

	for (size_t done = 0; done < size;) {
		size_t n = size - done < sizeof part ? size - done : sizeof part;

		if (!flash->read(flash->context, offset + (uint32_t)done, part, n) || memcmp(part, bytes + done, n) != 0)
			return false;
		done += n;
	}
	return true;
}

enum tb_result flash_write(const struct tb_flash *flash, uint32_t offset, const uint8_t *from, size_t size) {
	if (!flash->write(flash->context, offset, from, size) || !flash_holds(flash, offset, from, size))
		return TB_FLASH;
	return TB_OK;
}

/* ---- records ---- */

/* Reads the record at offset into a buffer; its size, or 0 if none is whole there. */
static size_t read_record(const struct tb_flash *store, uint32_t offset, uint32_t magic, uint8_t *to, size_t room) {
	uint8_t head[HEAD];
	const uint8_t *at = head;
	size_t size;

	if (store->size < TB_STORE_SIZE || !store->read(store->context, offset, head, HEAD) || get(&at, 4) != magic)
		return 0;
	size = get(&at, 4);
	if (size > room || !store->read(store->context, offset + HEAD, to, size))
		return 0;
	return crc32(0, to, size) == get(&at, 4) ? size : 0;
}

static enum tb_result write_record(const struct tb_flash *store, uint32_t offset, uint32_t area, uint32_t magic,
                                   const uint8_t *from, size_t size) {
	uint8_t head[HEAD] = {0}, *at = head;
	enum tb_result r;

	if (store->size < TB_STORE_SIZE)
		return TB_NOTHING;
	if (!store->erase(store->context, offset, area))
		return TB_FLASH;
	put(&at, magic, 4);
	put(&at, size, 4);
	put(&at, crc32(0, from, size), 4);
	r = flash_write(store, offset + HEAD, from, size);
	return r == TB_OK ? flash_write(store, offset, head, HEAD) : r;
}

/* ---- state ---- */

static void put_bytes(uint8_t **at, const uint8_t *bytes, size_t size) {
	memcpy(*at, bytes, size);
	*at += size;
}

static void get_bytes(const uint8_t **at, uint8_t *bytes, size_t size) {
	memcpy(bytes, *at, size);
	*at += size;
}

static void encode(const struct tb_state *s, uint8_t to[STATE_SIZE]) {
	uint8_t *at = to;

	memset(to, 0, STATE_SIZE);
	put(&at, s->serial, 4);
	put(&at, s->proven, 8);
	put(&at, s->counter.generation, 4);
	put(&at, s->counter.count, 4);
	put(&at, s->sequence, 8);
	put_bytes(&at, s->channel, sizeof s->channel);
	put_bytes(&at, s->manifest, TB_DIGEST);
	put_bytes(&at, s->tried, TB_DIGEST);
	put_bytes(&at, s->about, TB_DIGEST);
	put(&at, s->phase, 1);
	put(&at, s->starts, 1);
	put(&at, s->failures, 1);
	put(&at, s->owed, 1);
	put(&at, s->outcome, 1);
	put(&at, s->cause, 1);
	put(&at, s->of_loader, 1);
	for (int i = 0; i < 3; i++)
		put(&at, s->loader[i], 2);
}

static void decode(const uint8_t from[STATE_SIZE], struct tb_state *s) {
	const uint8_t *at = from;

	s->serial = (uint32_t)get(&at, 4);
	s->proven = get(&at, 8);
	s->counter.generation = (uint32_t)get(&at, 4);
	s->counter.count = (uint32_t)get(&at, 4);
	s->sequence = get(&at, 8);
	get_bytes(&at, s->channel, sizeof s->channel);
	get_bytes(&at, s->manifest, TB_DIGEST);
	get_bytes(&at, s->tried, TB_DIGEST);
	get_bytes(&at, s->about, TB_DIGEST);
	s->phase = (uint8_t)get(&at, 1);
	s->starts = (uint8_t)get(&at, 1);
	s->failures = (uint8_t)get(&at, 1);
	s->owed = get(&at, 1) != 0;
	s->outcome = (uint8_t)get(&at, 1);
	s->cause = (uint8_t)get(&at, 1);
	s->of_loader = get(&at, 1) != 0;
	for (int i = 0; i < 3; i++)
		s->loader[i] = (uint16_t)get(&at, 2);
}

/* A record that says what no state says is none, for all its CRC. */
static bool is_state(const struct tb_state *s) {
	return s->serial > 0 && s->channel[TB_MAX_NAME] == 0 && s->phase <= TB_CONFIRMED &&
	       s->outcome <= TB_SAYS_FAILED && s->cause <= TB_CAUSE_COMPONENT;
}

static bool load_copy(const struct tb_flash *store, unsigned which, struct tb_state *s) {
	uint8_t record[STATE_SIZE];

	if (read_record(store, which * TB_SECTOR, STATE_MAGIC, record, STATE_SIZE) != STATE_SIZE)
		return false;
	decode(record, s);
	return is_state(s);
}

/* Whether nothing was written to the store since it was erased. */
static bool is_blank(const struct tb_flash *store) {
	static const uint32_t heads[] = {0, TB_SECTOR, MANIFEST_AT, MANIFEST_AT + TB_SECTOR, SITE_AT, SITE_AT + SITE_AREA};
	uint8_t blank[HEAD];

	memset(blank, 0xff, HEAD);
	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
		if (!flash_holds(store, heads[i], blank, HEAD))
			return false;
	return true;
}

enum tb_result store_load(const struct tb_flash *store, struct tb_state *state) {
	struct tb_state copy;
	bool found = false;

	memset(state, 0, sizeof *state);
	if (store->size < TB_STORE_SIZE)
		return TB_NOTHING;
	for (unsigned i = 0; i < 2; i++) {
		if (load_copy(store, i, &copy) && copy.serial > state->serial) {
			*state = copy;
			found = true;
		}
	}
	if (found)
		return TB_OK;
	return is_blank(store) ? TB_NOTHING : TB_FLASH;
}

/*
 * Records take turns by their serial, so that the one that counts stays as it is.
 * After a failure the serial is as before: the next one goes to the same place.
 */
enum tb_result store_save(const struct tb_flash *store, struct tb_state *state) {
	struct tb_state next = *state;
	uint8_t record[STATE_SIZE];
	enum tb_result r;

	if (store->size < TB_STORE_SIZE)
		return TB_OK;
	next.serial++;
	encode(&next, record);
	r = write_record(store, (next.serial & 1) * TB_SECTOR, TB_SECTOR, STATE_MAGIC, record, STATE_SIZE);
	if (r == TB_OK)
		state->serial = next.serial;
	return r;
}

/* ---- documents ---- */

size_t store_manifest(const struct tb_flash *store, unsigned which, uint8_t *to) {
	return read_record(store, MANIFEST_AT + which * TB_SECTOR, MANIFEST_MAGIC, to, TB_MAX_MANIFEST);
}

enum tb_result store_put_manifest(const struct tb_flash *store, unsigned which, struct tb_bytes signed_) {
	return write_record(store, MANIFEST_AT + which * TB_SECTOR, TB_SECTOR, MANIFEST_MAGIC, signed_.at, signed_.size);
}

size_t store_site(const struct tb_flash *store, unsigned which, uint8_t *to) {
	return read_record(store, SITE_AT + which * SITE_AREA, SITE_MAGIC, to, TB_MAX_DOCUMENT);
}

enum tb_result store_put_site(const struct tb_flash *store, unsigned which, struct tb_bytes signed_) {
	return write_record(store, SITE_AT + which * SITE_AREA, SITE_AREA, SITE_MAGIC, signed_.at, signed_.size);
}

/* ---- the application's part ---- */

enum tb_result tb_confirm(const struct tb_flash *store) {
	struct tb_state s;

	if (store_load(store, &s) != TB_OK || s.phase == TB_EMPTY)
		return TB_NOTHING;
	if (s.phase == TB_CONFIRMED)
		return TB_OK;
	s.phase = TB_CONFIRMED;
	s.starts = 0;
	memcpy(s.about, s.manifest, TB_DIGEST);
	s.outcome = TB_SAYS_CONFIRMED;
	s.cause = TB_CAUSE_NONE;
	s.of_loader = false;
	s.owed = true;
	return store_save(store, &s);
}
