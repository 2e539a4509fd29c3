#include "nor.h"

#include <assert.h>
#include <string.h>

enum { PAGE = 256 };

void nor_blank(struct nor *n) {
	memset(n->store, 0xff, sizeof n->store);
	memset(n->otadata, 0xff, sizeof n->otadata);
	memset(n->slot, 0xff, sizeof n->slot);
	memset(n->factory, 0xff, sizeof n->factory);
	n->operations = n->slot_operations = n->factory_operations = n->stuck = 0;
	n->cut = -1;
}

static uint32_t next_random(struct nor *n) {
	n->seed = n->seed * 1664525 + 1013904223;
	return n->seed >> 8;
}

/* Turns size bytes at `at` into those at `to`, or dies on the way. */
static void operate(struct nor *n, uint8_t *at, const uint8_t *to, size_t size) {
	bool dies = n->operations++ == n->cut;
	size_t whole = size;

	if (dies && n->tear != TEAR_WHOLE)
		whole = n->tear == TEAR_NONE ? 0 : next_random(n) % size;
	memcpy(at, to, whole);
	if (!dies)
		return;
	for (size_t i = whole; n->tear == TEAR_PART && i < size; i++) {
		uint8_t mask = (uint8_t)(next_random(n) & next_random(n)); /* some bits have changed, most not */

		at[i] = (uint8_t)((at[i] & ~mask) | (to[i] & mask));
	}
	longjmp(n->power, 1);
}

static uint8_t *locate(struct nor *n, uint8_t *area, size_t room, uint32_t offset, size_t size) {
	assert(offset <= room && size <= room - offset); /* beyond it lies what is not its own */
	n->slot_operations += area == n->slot;
	n->factory_operations += area == n->factory;
	return area + offset;
}

static bool write_area(struct nor *n, uint8_t *area, size_t room, uint32_t offset, const uint8_t *from, size_t size) {
	uint8_t *at = locate(n, area, room, offset, size);

	if ((area == n->slot || area == n->factory) && n->stuck != 0) {
		n->stuck -= n->stuck > 0;
		return true;
	}
	while (size > 0) {
		size_t part = PAGE - (size_t)(at - area) % PAGE;
		uint8_t page[PAGE];

		part = part < size ? part : size;
		for (size_t i = 0; i < part; i++)
			page[i] = at[i] & from[i];
		operate(n, at, page, part);
		at += part;
		from += part;
		size -= part;
	}
	return true;
}

static bool erase_area(struct nor *n, uint8_t *area, size_t room, uint32_t offset, size_t size) {
	uint8_t *at = locate(n, area, room, offset, size), blank[TB_SECTOR];

	assert(offset % TB_SECTOR == 0 && size % TB_SECTOR == 0);
	memset(blank, 0xff, sizeof blank);
	for (size_t i = 0; i < size; i += TB_SECTOR)
		operate(n, at + i, blank, TB_SECTOR);
	return true;
}

#define PARTITION(name)                                                                       \
	static bool read_##name(void *n, uint32_t offset, void *to, size_t size) {                \
		struct nor *nor = n;                                                                  \
                                                                                              \
		assert(offset <= sizeof nor->name && size <= sizeof nor->name - offset);              \
		memcpy(to, nor->name + offset, size);                                                 \
		return true;                                                                          \
	}                                                                                         \
	static bool write_##name(void *n, uint32_t offset, const void *from, size_t size) {       \
		struct nor *nor = n;                                                                  \
                                                                                              \
		return write_area(nor, nor->name, sizeof nor->name, offset, from, size);              \
	}                                                                                         \
	static bool erase_##name(void *n, uint32_t offset, size_t size) {                         \
		struct nor *nor = n;                                                                  \
                                                                                              \
		return erase_area(nor, nor->name, sizeof nor->name, offset, size);                    \
	}                                                                                         \
	struct tb_flash nor_##name(struct nor *n) {                                               \
		return (struct tb_flash){n, sizeof n->name, read_##name, write_##name, erase_##name}; \
	}

PARTITION(store)
PARTITION(otadata)
PARTITION(slot)
PARTITION(factory)
