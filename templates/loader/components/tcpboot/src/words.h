/* Names, hosts and runs of bytes: what several documents are made of. */
#ifndef TCPBOOT_WORDS_H
#define TCPBOOT_WORDS_H

#include "tcpboot.h"

/* 1 to 63 letters, digits and ". _ -", a letter or digit first. */
bool word_is_name(struct tb_bytes b);

/* A DNS name of 1 to 128 characters whose labels are names that end in no '-'. */
bool word_is_host(struct tb_bytes b);

/* "host:port" or "[IPv6 address]:port", with a port from 1 to 65535. */
bool word_is_endpoint(struct tb_bytes b);

/* The characters of a C string. */
struct tb_bytes text_of(const char *s);

bool bytes_equal(struct tb_bytes a, struct tb_bytes b);
bool bytes_are(struct tb_bytes b, const char *text);

/* Takes the text off the front of b, if it is there. */
bool bytes_skip(struct tb_bytes *b, const char *text);

/* Takes what stands before the first `end` off the front of b, and that character. */
bool bytes_until(struct tb_bytes *b, char end, struct tb_bytes *part);

/* Makes a C string of b, or of as much of it as there is room for. */
void bytes_to_text(struct tb_bytes b, char *to, size_t room);

/* Compares by the bytes, then by length: below 0, 0, above 0. */
int bytes_compare(struct tb_bytes a, struct tb_bytes b);

void digest_copy(uint8_t to[TB_DIGEST], const uint8_t from[TB_DIGEST]);
bool digests_equal(const uint8_t a[TB_DIGEST], const uint8_t b[TB_DIGEST]);
bool digest_is_zero(const uint8_t digest[TB_DIGEST]);

/* Reads a decimal number up to highest, which is 9 at least, without leading zeros, and nothing else. */
bool parse_decimal(struct tb_bytes b, uint32_t highest, uint32_t *value);

/* Returns what stands behind "esp32" in the esptool name of the chip with that id; NULL: there is none. */
const char *chip_suffix(uint32_t id);

/* Reads "2.0.1": three decimal numbers of 16 bits. */
bool parse_loader(struct tb_bytes b, uint16_t version[3]);

/* Skips the "loader-" with which the names of loader releases and their channels begin. */
bool skip_loader(struct tb_bytes *b);

int counter_compare(struct tb_counter a, struct tb_counter b);

#endif
