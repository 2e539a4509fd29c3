/*
 * What loader and application both ask of ESP-IDF: partitions, the chip's bootloader,
 * cryptography. Types and subtypes of partitions are numbers as esp_partition.h has.
 */
#ifndef TCPBOOT_CHIP_H
#define TCPBOOT_CHIP_H

#include "tcpboot.h"

/* The partition of that type, subtype and label; NULL is any. Of size 0: there is none. */
struct tb_flash chip_flash(int type, int subtype, const char *label);

/*
 * Whether the chip would start the image in the app partition of that subtype, its
 * signature included: TB_OK or TB_BAD_IMAGE.
 */
enum tb_result chip_check(int subtype);

/* Makes the loader the next that starts; does nothing when that is so already. */
enum tb_result chip_forget(void);

/* Starts PSA; false when the chip gives it no random numbers. May be called twice. */
bool psa_start(void);

/* Returns functions over one hash of their own. */
struct tb_crypto psa_functions(void);

#endif
