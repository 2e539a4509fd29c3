/*
 * ESP-IDF's NVS in a few lines, with one partition "cred" of two namespaces. What was
 * set or erased and not committed is lost when power fails, or is not, one by one.
 */
#ifndef NVSIM_H
#define NVSIM_H

#include "nor.h"

enum { NVSIM_ENTRIES = 32, NVSIM_PENDING = 32, NVSIM_VALUE = 1024 };

struct nvsim_entry {
	uint32_t slot;
	char key[16];        /* "": none */
	size_t size;
	uint8_t value[NVSIM_VALUE];
};

struct nvsim {
	struct nvsim_entry disk[NVSIM_ENTRIES], live[NVSIM_ENTRIES];
	struct nvsim_entry pending[NVSIM_PENDING]; /* of size 0: erased */
	size_t waiting;
};

/* The partition, and the power that its operations need. */
extern struct nvsim nvsim;
extern struct nor *nvsim_power;

/* The 32 bytes of both keys that it opens by; NULL: it is in the clear. */
extern const char *nvsim_keys;

void nvsim_put(uint32_t slot, const char *key, const void *value, size_t size);

#endif
