#include "store.h"

#include <string.h>

#include "words.h"

enum { HEAD = 16, STATE_SIZE = 208, MANIFEST_AT = 2 * TB_SECTOR, SITE_AT = 4 * TB_SECTOR, SITE_AREA = 2 * TB_SECTOR };

/* Of the three kinds of records. */
static const uint32_t STATE_MAGIC = 0x31736274, MANIFEST_MAGIC = 0x316d6274, SITE_MAGIC = 0x31646274;

/* CRC-32 as in zlib; slow, and small. */
static uint32_t crc32(const uint8_t *bytes, size_t size) {
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < size; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
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

/* Records are little-endian, as the chips are, and the desks that these are tried on. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "records are copied as they lie in memory");

struct head {
	uint32_t magic, size, crc, zero;
};

/* Reads the record at offset into a buffer; its size, or 0 if none is whole there. */
static size_t read_record(const struct tb_flash *store, uint32_t offset, uint32_t magic, uint8_t *to, size_t room) {
	struct head head;

	if (store->size < TB_STORE_SIZE || !store->read(store->context, offset, &head, HEAD) || head.magic != magic)
		return 0;
	if (head.size > room || !store->read(store->context, offset + HEAD, to, head.size))
		return 0;
	return crc32(to, head.size) == head.crc ? head.size : 0;
}

static enum tb_result write_record(const struct tb_flash *store, uint32_t offset, uint32_t area, uint32_t magic,
                                   const uint8_t *from, size_t size) {
	struct head head = {magic, (uint32_t)size, crc32(from, size), 0};
	enum tb_result r;

	if (store->size < TB_STORE_SIZE)
		return TB_NOTHING;
	if (!store->erase(store->context, offset, area))
		return TB_FLASH;
	r = flash_write(store, offset + HEAD, from, size);
	return r == TB_OK ? flash_write(store, offset, (const uint8_t *)&head, HEAD) : r;
}

/* ---- state ---- */

#define FIELD(name) {offsetof(struct tb_state, name), sizeof ((struct tb_state *)NULL)->name}

/* What a record is made of, in this order and without gaps; a field that is added stands last. */
static const struct {
	uint8_t at, size;
} fields[] = {
	FIELD(serial), FIELD(proven), FIELD(counter.generation), FIELD(counter.count), FIELD(sequence),
	FIELD(channel), FIELD(manifest), FIELD(tried), FIELD(about),
	FIELD(phase), FIELD(starts), FIELD(failures), FIELD(owed), FIELD(outcome), FIELD(cause),
	FIELD(of_loader), FIELD(loader),
};

enum { FIELDS = sizeof fields / sizeof *fields };

_Static_assert(sizeof(struct tb_state) <= STATE_SIZE, "all fields fit into the record");

static void encode(const struct tb_state *s, uint8_t to[STATE_SIZE]) {
	memset(to, 0, STATE_SIZE);
	for (size_t i = 0; i < FIELDS; to += fields[i++].size)
		memcpy(to, (const uint8_t *)s + fields[i].at, fields[i].size);
}

static void decode(const uint8_t from[STATE_SIZE], struct tb_state *s) {
	for (size_t i = 0; i < FIELDS; from += fields[i++].size)
		memcpy((uint8_t *)s + fields[i].at, from, fields[i].size);
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

	memset(state, 0, sizeof *state);
	if (store->size < TB_STORE_SIZE)
		return TB_NOTHING;
	for (unsigned i = 0; i < 2; i++)
		if (load_copy(store, i, &copy) && copy.serial > state->serial)
			*state = copy;
	if (state->serial > 0)
		return TB_OK;
	return is_blank(store) ? TB_NOTHING : TB_FLASH;
}

/*
 * Records take turns by their serial, so that the one that counts stays as it is.
 * After a failure the serial is as before: the next one goes to the same place.
 */
enum tb_result store_save(const struct tb_flash *store, struct tb_state *state) {
	uint8_t record[STATE_SIZE];
	enum tb_result r;

	if (store->size < TB_STORE_SIZE)
		return TB_OK;
	state->serial++;
	encode(state, record);
	r = write_record(store, (state->serial & 1) * TB_SECTOR, TB_SECTOR, STATE_MAGIC, record, STATE_SIZE);
	if (r != TB_OK)
		state->serial--;
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
	digest_copy(s.about, s.manifest);
	s.outcome = TB_SAYS_CONFIRMED;
	s.cause = TB_CAUSE_NONE;
	s.of_loader = false;
	s.owed = true;
	return store_save(store, &s);
}
