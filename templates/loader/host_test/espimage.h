/* The check that an ESP32's bootloader makes of an application image. */
#ifndef ESPIMAGE_H
#define ESPIMAGE_H

#include "tcpboot.h"

/* Where an application says its version: 32 characters, the rest of them NUL. */
enum { IMAGE_VERSION = 48 };

/*
 * Whether the slot holds an image for that chip whose segments, checksum and SHA-256
 * are right. It does not look at Secure Boot signatures, as a chip would do: what
 * they prove is shown elsewhere, by the vendor's tools.
 */
bool espimage_is_whole(const struct tb_flash *slot, const struct tb_crypto *crypto, uint16_t chip);

#endif
