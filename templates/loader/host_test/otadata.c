#include "otadata.h"

#include <assert.h>
#include <string.h>

enum { NEW = 0, PENDING = 1, VALID = 2, BAD = 3, ABORTED = 4 };
static const uint32_t NONE = 0xffffffff;

struct record {
	uint32_t sequence;
	uint8_t label[20];
	uint32_t state;
	uint32_t crc;
};

/* The ROM's CRC-32, which starts where the usual one does not. */
static uint32_t rom_crc(uint32_t value) {
	uint32_t crc = 0;

	for (int i = 0; i < 4; i++, value >>= 8) {
		crc ^= value & 0xff;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

static struct record read_record(const struct tb_flash *otadata, unsigned which) {
	struct record r;

	assert(sizeof r == 32 && otadata->read(otadata->context, which * TB_SECTOR, &r, sizeof r));
	return r;
}

static bool usable(const struct record *r) {
	return r->sequence != NONE && r->crc == rom_crc(r->sequence) && r->state != BAD && r->state != ABORTED;
}

static void write_record(const struct tb_flash *otadata, unsigned which, uint32_t sequence, uint32_t state) {
	struct record r = {sequence, {0}, state, rom_crc(sequence)};

	memset(r.label, 0xff, sizeof r.label);
	otadata->erase(otadata->context, which * TB_SECTOR, TB_SECTOR);
	otadata->write(otadata->context, which * TB_SECTOR, &r, sizeof r);
}

/* Returns the record that decides, or -1. */
static int active(const struct tb_flash *otadata) {
	struct record a = read_record(otadata, 0), b = read_record(otadata, 1);

	if (usable(&b) && (!usable(&a) || b.sequence > a.sequence))
		return 1;
	return usable(&a) ? 0 : -1;
}

bool otadata_chooses(const struct tb_flash *otadata) {
	int which;

	for (unsigned i = 0; i < 2; i++) {
		struct record r = read_record(otadata, i);

		if (r.state == PENDING && r.sequence != NONE)
			write_record(otadata, i, r.sequence, ABORTED);
	}
	which = active(otadata);
	if (which < 0)
		return false;
	if (read_record(otadata, (unsigned)which).state == NEW)
		write_record(otadata, (unsigned)which, read_record(otadata, (unsigned)which).sequence, PENDING);
	return true;
}

void otadata_activate(const struct tb_flash *otadata) {
	int which = active(otadata);
	uint32_t sequence = which < 0 ? 0 : read_record(otadata, (unsigned)which).sequence;

	write_record(otadata, which == 0, sequence + 1, NEW);
}

void otadata_confirm(const struct tb_flash *otadata) {
	int which = active(otadata);

	if (which >= 0 && read_record(otadata, (unsigned)which).state != VALID)
		write_record(otadata, (unsigned)which, read_record(otadata, (unsigned)which).sequence, VALID);
}

/* Blank already is not erased again. */
void otadata_erase(const struct tb_flash *otadata) {
	for (unsigned i = 0; i < 2; i++)
		if (read_record(otadata, i).sequence != NONE || read_record(otadata, i).state != NONE)
			otadata->erase(otadata->context, i * TB_SECTOR, TB_SECTOR);
}
