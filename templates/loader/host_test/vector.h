/*
 * Test vectors: lines `key: value`, then documents in hex, each behind an empty
 * line. They are the files that the Go packages read.
 */
#ifndef VECTOR_H
#define VECTOR_H

#include "tcpboot.h"

enum { VECTOR_KEYS = 3, VECTOR_DOCUMENTS = 4, VECTOR_ROOM = 8192 };

struct vector {
	char text[64 * 1024];
	char *head;                             /* the lines, each ended by 0 */
	uint8_t key[VECTOR_KEYS][TB_KEY];       /* of `key` and `root` lines */
	const uint8_t *keys[VECTOR_KEYS];
	size_t key_count;
	uint8_t bytes[VECTOR_DOCUMENTS][VECTOR_ROOM];
	struct tb_bytes document[VECTOR_DOCUMENTS];
	size_t documents;
};

/* Reads a file, or ends the program. */
void vector_read(struct vector *v, const char *file);

/* Returns the value of a line; "" if there is none. */
const char *vector_value(const struct vector *v, const char *key);

#endif
