/*
 * What a board must not forget, in a partition of TB_STORE_SIZE bytes:
 *
 *	sector 0, 1   the state, twice: the record with the higher serial counts, and
 *	              a new one takes the place of the other
 *	sector 2, 3   a manifest each: the one that the state names, of what is in the
 *	              slot or on its way there, and the one before
 *	sector 4, 6   a site document each, in two sectors
 *
 * Each begins with a head of 16 bytes: a magic number that says which of these it
 * is, the number of bytes behind the head, their CRC-32, and zero, little-endian.
 * A document is written before its head, so that what has a head is whole. What is
 * stored was judged before, and its signatures are not looked at again: whoever can
 * write here owns the board anyway, below hardware Secure Boot.
 *
 * A board without the partition keeps its state in memory, and begins anew at
 * every start.
 */
#ifndef TCPBOOT_STORE_H
#define TCPBOOT_STORE_H

#include "tcpboot.h"

enum { STORE_MANIFESTS = 2, STORE_SITES = 2 };

/* Whether the state was found: TB_OK, TB_NOTHING (never written), or TB_FLASH (lost). */
enum tb_result store_load(const struct tb_flash *store, struct tb_state *state);

/* Writes the state with the next serial, which it gets. */
enum tb_result store_save(const struct tb_flash *store, struct tb_state *state);

/* Reads signed manifest 0 or 1 into a buffer of TB_MAX_MANIFEST bytes; 0: there is none. */
size_t store_manifest(const struct tb_flash *store, unsigned which, uint8_t *to);
enum tb_result store_put_manifest(const struct tb_flash *store, unsigned which, struct tb_bytes signed_);

/* Reads site document 0 or 1 into a buffer of TB_MAX_DOCUMENT bytes; 0: there is none. */
size_t store_site(const struct tb_flash *store, unsigned which, uint8_t *to);
enum tb_result store_put_site(const struct tb_flash *store, unsigned which, struct tb_bytes signed_);

/* Writes and reads back; offset lies in sectors that were erased. */
enum tb_result flash_write(const struct tb_flash *flash, uint32_t offset, const uint8_t *from, size_t size);

/* Whether flash holds these bytes there. */
bool flash_holds(const struct tb_flash *flash, uint32_t offset, const uint8_t *bytes, size_t size);

#endif
