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

/* A private P-256 key as it lies in a slot for credentials: PKCS #8, DER. */
enum { CHIP_KEY = 138 };

/* Makes a key; false when the chip could not. */
bool key_new(uint8_t key[CHIP_KEY]);

/*
 * Writes a PKCS #10 request (DER), signed by the key, for a certificate in the name of
 * a MAC of twelve digits. Returns its size; 0 on failure.
 */
size_t key_request(const uint8_t key[CHIP_KEY], const char *mac, uint8_t *to, size_t room);

/* Whether that is a certificate (DER) of the key. */
bool key_matches(const uint8_t key[CHIP_KEY], struct tb_bytes certificate);

#endif
