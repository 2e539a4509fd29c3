/*
 * Power fails at every single flash operation of an update of the loader, which an
 * application makes before it ever said that it works. After each, the chip starts
 * that application, or a loader that is whole: the old one or the new one. And
 * what could cost the board its loader for nothing is tried.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "crypto.h"
#include "nor.h"
#include "otadata.h"
#include "update.h"

enum { SIZE = 40000, STARTS_MOST = 3 };

static struct nor nor;
static struct tb_flash otadata, factory;
static uint8_t old_loader[SIZE], new_loader[SIZE];
static bool source_fails, chip_refuses;

static enum tb_result confirm(void *context) {
	(void)context;
	otadata_confirm(&otadata);
	return TB_OK;
}

static bool holds(const uint8_t *image) {
	return memcmp(nor.slot, image, SIZE) == 0;
}

static enum tb_result check(void *context) {
	(void)context;
	return holds(new_loader) && !chip_refuses ? TB_OK : TB_BAD_IMAGE;
}

static enum tb_result forget(void *context) {
	(void)context;
	otadata_erase(&otadata);
	return TB_OK;
}

static bool give(void *context, uint32_t offset, void *to, size_t size) {
	memcpy(to, (const uint8_t *)context + offset, size);
	return !source_fails || offset + size < SIZE;
}

static enum tb_result update(const uint8_t *from) {
	const struct update u = {factory, desk_crypto(), NULL, confirm, check, forget};
	struct tcpboot_image image = {(void *)(uintptr_t)from, give, SIZE, {0}};

	u.crypto.sha256_start(u.crypto.context);
	u.crypto.sha256_add(u.crypto.context, new_loader, SIZE);
	u.crypto.sha256_finish(u.crypto.context, image.digest);
	return update_loader(&u, &image);
}

/* A board whose application runs for the first time. */
static void begin(void) {
	nor_blank(&nor);
	nor.cut = -1;
	otadata = nor_otadata(&nor);
	factory = nor_slot(&nor);
	memcpy(nor.slot, old_loader, SIZE);
	otadata_activate(&otadata);
	assert(otadata_chooses(&otadata));
	nor.operations = 0;
}

/* Starts until the loader is what starts; that one is whole, at every such start. */
static void live_on(void) {
	for (int starts = 0; starts < STARTS_MOST; starts++) {
		if (!otadata_chooses(&otadata)) {
			assert(holds(old_loader) || holds(new_loader));
			return;
		}
		assert(update(new_loader) == TB_OK);
	}
	assert(!"the update does not come to its end");
}

static void cut_at(long cut, enum tear tear) {
	begin();
	nor.cut = cut;
	nor.tear = tear;
	nor.seed = (uint32_t)cut * 7919 + 1;
	if (setjmp(nor.power) == 0) {
		(void)update(new_loader);
		assert(!"power did not fail");
	}
	nor.cut = -1;
	live_on();
}

static void test_power(void) {
	long total, cuts = 0;

	begin();
	assert(update(new_loader) == TB_OK && holds(new_loader) && !otadata_chooses(&otadata));
	total = nor.operations;
	for (long cut = 0; cut < total; cut++)
		for (int tear = TEAR_NONE; tear < TEARS; tear++, cuts++)
			cut_at(cut, (enum tear)tear);
	printf("update: a loader in %ld operations, %ld cuts, 0 bricks\n", total, cuts);
}

/* Another image, or one that cannot be read to its end, costs nothing. */
static void test_source(void) {
	begin();
	assert(update(old_loader) == TB_MISMATCH && nor.operations == 0);
	source_fails = true;
	assert(update(new_loader) == TB_MISMATCH && nor.operations == 0);
	source_fails = false;
}

/* What flash does not hold, or the chip does not take, is not chosen. */
static void test_refused(void) {
	begin();
	nor.stuck = 1;
	assert(update(new_loader) == TB_FLASH && otadata_chooses(&otadata));
	chip_refuses = true;
	assert(update(new_loader) == TB_BAD_IMAGE && otadata_chooses(&otadata));
	chip_refuses = false;
	assert(update(new_loader) == TB_OK && !otadata_chooses(&otadata) && holds(new_loader));
}

int main(void) {
	memset(old_loader, 0xa5, SIZE);
	memset(new_loader, 0x5a, SIZE);
	test_source();
	test_refused();
	test_power();
	return 0;
}
