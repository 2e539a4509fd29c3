/*
 * The bootloader of the chip and its record, otadata: two sectors, each with a
 * sequence number, a state, and the CRC of the sequence number at its start. It
 * stands in for ESP-IDF's in tests, with one slot and with rollback. An image is
 * told by its magic, its length behind that, and the SHA-256 at its end.
 */
#ifndef OTADATA_H
#define OTADATA_H

#include "tcpboot.h"

enum { IMAGE_HEAD = 8 };

/* Whether the image in the slot is whole; as the chip's own check. */
bool image_is_whole(const struct tb_flash *slot, const struct tb_crypto *crypto);

/* What the chip starts: the application in the slot, or the loader. */
bool boots_application(const struct tb_flash *otadata, const struct tb_flash *slot, const struct tb_crypto *crypto);

void otadata_activate(const struct tb_flash *otadata);
void otadata_confirm(const struct tb_flash *otadata);
void otadata_erase(const struct tb_flash *otadata);

#endif
