/*
 * NOR flash that can lose its power: erasing sets sectors to 0xff, writing clears
 * bits, a page of 256 bytes at a time. Each sector erased and each page written is
 * one operation; at the one that was chosen power fails, and what it leaves there
 * is anything between before and after.
 */
#ifndef NOR_H
#define NOR_H

#include <setjmp.h>

#include "tcpboot.h"

enum { NOR_STORE = TB_STORE_SIZE, NOR_OTADATA = 2 * TB_SECTOR, NOR_SLOT = 16 * TB_SECTOR };

enum tear { TEAR_NONE, TEAR_PART, TEAR_WHOLE, TEARS };

struct nor {
	uint8_t store[NOR_STORE], otadata[NOR_OTADATA], slot[NOR_SLOT], factory[NOR_SLOT];
	long operations;      /* done so far */
	long cut;             /* the operation at which power fails; -1: none */
	enum tear tear;       /* how much of it is done */
	uint32_t seed;
	long slot_operations; /* of them, on the slot */
	long factory_operations;
	long stuck;           /* writes to slot and factory are lost while above 0; -1: for ever */
	jmp_buf power;        /* where to go when it fails */
};

void nor_blank(struct nor *n);

/* Partitions of n. */
struct tb_flash nor_store(struct nor *n);
struct tb_flash nor_otadata(struct nor *n);
struct tb_flash nor_slot(struct nor *n);
struct tb_flash nor_factory(struct nor *n);

#endif
