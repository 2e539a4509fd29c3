/*
 * What loader and application both ask of ESP-IDF: partitions, the chip's bootloader,
 * cryptography, TLS, time. Types and subtypes of partitions are numbers as esp_partition.h has.
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

/* Who the board is to image servers, and what these must come from. */
struct chip_identity {
	struct tb_bytes certificate, key; /* DER, or PEM with the NUL behind it counted */
	struct tb_bytes servers_root;     /* PEM with its NUL */
	uint32_t silence;                 /* milliseconds, then a server is given up; 0: as the core says */
};

/* Streams by what *own says when they are opened, one at a time. join is the caller's. */
struct tb_network chip_network(struct chip_identity *own);

/* The largest TLS record that fits this build's input buffer, in bytes. */
uint32_t chip_record(void);

struct tb_clock clock_functions(void);

/* What the core says, on the console: in words alone, so no secret can be in it. */
struct tb_log log_functions(void);

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
