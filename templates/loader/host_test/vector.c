#include "vector.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *file, const char *why) {
	fprintf(stderr, "%s: %s\n", file, why);
	exit(1);
}

static void load(struct vector *v, const char *file) {
	FILE *f = fopen(file, "rb");
	size_t n;

	if (f == NULL)
		fail(file, "cannot be opened");
	n = fread(v->text, 1, sizeof v->text - 1, f);
	if (!feof(f))
		fail(file, "is too long");
	v->text[n] = 0;
	fclose(f);
}

static int digit(char c) {
	const char *digits = "0123456789abcdef", *at = c == 0 ? NULL : strchr(digits, c);

	return at == NULL ? -1 : (int)(at - digits);
}

/* Reads hex up to its end, over the ends of lines; the number of bytes, or -1. */
static int unhex(const char *text, uint8_t *to, size_t room) {
	size_t n = 0;

	for (; *text != 0; text += 2) {
		text += *text == '\n';
		if (*text == 0)
			break;
		if (n == room || digit(text[0]) < 0 || digit(text[1]) < 0)
			return -1;
		to[n++] = (uint8_t)(digit(text[0]) << 4 | digit(text[1]));
	}
	return (int)n;
}

/* Returns what stands behind the next empty line, and ends the part before it. */
static char *cut(char *part) {
	char *end = strstr(part, "\n\n");

	if (end == NULL)
		return NULL;
	*end = 0;
	return end + 2;
}

static void read_keys(struct vector *v, const char *file) {
	for (char *line = v->head; *line != 0; line += strlen(line) + 1) {
		const char *value = strncmp(line, "key: ", 5) == 0 ? line + 5 : strncmp(line, "root: ", 6) == 0 ? line + 6 : NULL;

		if (value == NULL)
			continue;
		if (v->key_count == VECTOR_KEYS || unhex(value, v->key[v->key_count], TB_KEY) != TB_KEY)
			fail(file, "a key that is none");
		v->keys[v->key_count] = v->key[v->key_count];
		v->key_count++;
	}
}

void vector_read(struct vector *v, const char *file) {
	char *part, *next;

	memset(v, 0, sizeof *v);
	load(v, file);
	v->head = v->text;
	for (part = cut(v->text); part != NULL; part = next) {
		int size = -1;

		next = cut(part);
		if (v->documents < VECTOR_DOCUMENTS)
			size = unhex(part, v->bytes[v->documents], VECTOR_ROOM);
		if (size < 0)
			fail(file, "a document that is no hex, or one too many");
		v->document[v->documents] = (struct tb_bytes){v->bytes[v->documents], (size_t)size};
		v->documents++;
	}
	for (char *c = v->head; *c != 0; c++)
		if (*c == '\n')
			*c = 0;
	read_keys(v, file);
}

const char *vector_value(const struct vector *v, const char *key) {
	size_t n = strlen(key);

	for (const char *line = v->head; *line != 0; line += strlen(line) + 1)
		if (strncmp(line, key, n) == 0 && line[n] == ':')
			return line + n + 2;
	return "";
}
