/*
 * HTTP/1.1 over the board's one stream: strict, bounded, and no more of it than
 * version 2 of the boot protocol uses (Go package release/wire).
 */
#ifndef TCPBOOT_HTTP_H
#define TCPBOOT_HTTP_H

#include "tcpboot.h"

/* The head of an answer. */
struct http_head {
	uint32_t status;
	uint32_t length;      /* of the body */
	bool has_length;
	bool close;           /* the server closes behind it */
	bool renew;           /* the server wants a request for a new certificate */
	bool ranged;          /* the body is a part: */
	uint32_t first, total;
	uint32_t later;       /* seconds, of Retry-After; 0: it does not say */
};

/* Reads a head with the empty line that ends it: TB_OK or TB_PROTOCOL. */
enum tb_result http_parse(struct tb_bytes head, struct http_head *h);

/* Returns the size of the head that b begins with, its empty line included; 0: it goes on. */
size_t http_head_size(struct tb_bytes b);

/* A writer puts text into a buffer, and remembers when it did not fit. */
struct writer {
	uint8_t *at;
	size_t size, room;
	bool full;
};

void write_bytes(struct writer *w, struct tb_bytes b);
void write_text(struct writer *w, const char *text);

/* Writes format with what follows it in the place of each %s (a text) and %u (an unsigned). */
__attribute__((format(printf, 2, 3))) void write_format(struct writer *w, const char *format, ...);

void write_number(struct writer *w, uint64_t n);
void write_hex(struct writer *w, const uint8_t *bytes, size_t size);

struct http_request {
	const char *method;
	struct tb_bytes target; /* path and query */
	uint32_t from;          /* the body from this byte on; 0: all of it */
	struct tb_bytes body;
	const char *type;       /* of it, behind "application/" */
};

/*
 * Asks the image server and reads the head of the answer; the body is to be read next. It connects
 * where no connection is open, once more where the server has closed the one that
 * was kept, and asks again where the server wants that, a few times. It fails with
 * TB_NETWORK, TB_PROTOCOL, TB_REFUSED, TB_LATER or TB_GONE.
 */
enum tb_result http_ask(struct tb_board *board, const struct http_request *q, struct http_head *h);

/* Reads exactly size bytes of the body, which must have them, within limit. */
enum tb_result http_read(struct tb_board *board, void *to, size_t size, uint32_t limit);

/* Ends the connection, if there is one. */
void http_close(struct tb_board *board);

#endif
