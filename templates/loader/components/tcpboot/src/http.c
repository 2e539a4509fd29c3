#include "http.h"

#include <stdarg.h>
#include <string.h>

#include "peers.h"
#include "sites.h"
#include "words.h"

/* Limits, in milliseconds. */
enum { ASK_LIMIT = 30000, ANSWER_LIMIT = 30000 };

/* How often a server may ask to come again later, and how far off that may be, in seconds. */
enum { LATER_TIMES = 5, LATER_MOST = 60 };

/* ---- heads ---- */

size_t http_head_size(struct tb_bytes b) {
	for (size_t i = 4; i <= b.size; i++)
		if (memcmp(b.at + i - 4, "\r\n\r\n", 4) == 0)
			return i;
	return 0;
}

/* Takes a line off the front of b, without its end. A bare CR or NUL is refused: what ends a line is not to be guessed. */
static bool take_line(struct tb_bytes *b, struct tb_bytes *line) {
	if (!bytes_until(b, '\n', line) || line->size == 0 || line->at[--line->size] != '\r')
		return false;
	for (size_t i = 0; i < line->size; i++)
		if (line->at[i] < ' ' && line->at[i] != '\t')
			return false;
	return true;
}

/* "HTTP/1.1 200 OK", where the text may be empty. */
static bool parse_status(struct tb_bytes line, struct http_head *h) {
	struct tb_bytes digits;

	if (!bytes_skip(&line, "HTTP/1.1 "))
		return false;
	if (!bytes_until(&line, ' ', &digits))
		digits = line;
	return parse_decimal(digits, 599, &h->status) && h->status >= 200;
}

static bool same_word(struct tb_bytes b, const char *lower) {
	if (b.size != strlen(lower))
		return false;
	for (size_t i = 0; i < b.size; i++) {
		uint8_t c = b.at[i];

		if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != (uint8_t)lower[i])
			return false;
	}
	return true;
}

static struct tb_bytes trimmed(struct tb_bytes b) {
	while (b.size > 0 && (b.at[0] == ' ' || b.at[0] == '\t'))
		b = (struct tb_bytes){b.at + 1, b.size - 1};
	while (b.size > 0 && (b.at[b.size - 1] == ' ' || b.at[b.size - 1] == '\t'))
		b.size--;
	return b;
}

static bool take_offset(struct tb_bytes *b, char end, uint32_t *offset) {
	struct tb_bytes digits;

	return bytes_until(b, end, &digits) && parse_decimal(digits, TB_MAX_IMAGE, offset);
}

/* "bytes 4096-8191/10000", of which the end must be that of the whole. */
static bool parse_range(struct tb_bytes b, struct http_head *h) {
	uint32_t end;

	if (h->ranged || !bytes_skip(&b, "bytes ") || !take_offset(&b, '-', &h->first) || !take_offset(&b, '/', &end))
		return false;
	h->ranged = true;
	return parse_decimal(b, TB_MAX_IMAGE, &h->total) && h->first <= end && end + 1 == h->total;
}

/* The fields that are looked at. */
enum field { LENGTH, RANGE, CONNECTION, RENEW, LATER, TRANSFER_CODING, CONTENT_CODING, FIELDS };

static enum field field_of(struct tb_bytes name) {
	static const char names[FIELDS][sizeof "transfer-encoding"] = {
		"content-length", "content-range", "connection", "tcpboot-renew", "retry-after", "transfer-encoding", "content-encoding",
	};
	unsigned i = 0;

	while (i < FIELDS && !same_word(name, names[i]))
		i++;
	return (enum field)i;
}

/* A second length would let two readers see two answers; a transfer coding likewise. */
static bool parse_field(struct tb_bytes line, struct http_head *h) {
	struct tb_bytes name, value;

	if (!bytes_until(&line, ':', &name) || !word_is_name(name))
		return false; /* a name without a value, or a line that goes on with the one before */
	value = trimmed(line);
	switch (field_of(name)) {
	case LENGTH:
		if (h->has_length)
			return false;
		h->has_length = true;
		return parse_decimal(value, UINT32_MAX, &h->length);
	case RANGE:
		return parse_range(value, h);
	case CONNECTION:
		h->close = h->close || same_word(value, "close");
		return true;
	case RENEW:
		h->renew = true;
		return true;
	case LATER:
		if (!parse_decimal(value, UINT32_MAX, &h->later))
			h->later = 0; /* a date, of which a board knows nothing */
		return true;
	case FIELDS:
		return true;
	default:
		return false;
	}
}

enum tb_result http_parse(struct tb_bytes head, struct http_head *h) {
	struct tb_bytes line;

	memset(h, 0, sizeof *h);
	if (!take_line(&head, &line) || !parse_status(line, h))
		return TB_PROTOCOL;
	for (;;) {
		if (!take_line(&head, &line))
			return TB_PROTOCOL;
		if (line.size == 0)
			break;
		if (!parse_field(line, h))
			return TB_PROTOCOL;
	}
	if (head.size > 0 || (h->status == 206) != h->ranged)
		return TB_PROTOCOL;
	if (h->status == 204)
		return h->has_length && h->length > 0 ? TB_PROTOCOL : TB_OK;
	return h->has_length ? TB_OK : TB_PROTOCOL;
}

/* ---- requests ---- */

void write_bytes(struct writer *w, struct tb_bytes b) {
	if (b.size > w->room - w->size) {
		w->full = true;
		return;
	}
	if (b.size > 0)
		memcpy(w->at + w->size, b.at, b.size);
	w->size += b.size;
}

void write_text(struct writer *w, const char *text) {
	write_bytes(w, text_of(text));
}

void write_number(struct writer *w, uint64_t n) {
	uint8_t digits[20];
	size_t first = sizeof digits;

	do {
		uint64_t rest = n / 10; /* the one division: of 64 bits, a chip has none */

		digits[--first] = (uint8_t)('0' + (n - rest * 10));
		n = rest;
	} while (n > 0);
	write_bytes(w, (struct tb_bytes){digits + first, sizeof digits - first});
}

void write_hex(struct writer *w, const uint8_t *bytes, size_t size) {
	static const uint8_t digits[] = "0123456789abcdef";

	for (size_t i = 0; i < 2 * size; i++) {
		unsigned half = i % 2 == 0 ? bytes[i / 2] >> 4 : bytes[i / 2] & 15;

		write_bytes(w, (struct tb_bytes){&digits[half], 1});
	}
}

void write_format(struct writer *w, const char *format, ...) {
	va_list list;

	va_start(list, format);
	for (const char *at = format; *at != 0; at++) {
		if (*at != '%')
			write_bytes(w, (struct tb_bytes){(const uint8_t *)at, 1});
		else if (*++at == 's')
			write_text(w, va_arg(list, const char *));
		else
			write_number(w, va_arg(list, unsigned));
	}
	va_end(list);
}

static void write_request(struct tb_board *board, const struct http_request *q, struct writer *w) {
	write_text(w, q->method);
	write_text(w, " ");
	write_bytes(w, q->target);
	write_text(w, " HTTP/1.1\r\nHost: ");
	write_bytes(w, site_held(board)->update);
	if (q->from > 0)
		write_format(w, "\r\nRange: bytes=%u-", (unsigned)q->from);
	if (board->build.record > 0)
		write_format(w, "\r\nTcpboot-Record: %u", (unsigned)board->build.record);
	if (q->body.size > 0)
		write_format(w, "\r\nContent-Type: application/%s\r\nContent-Length: %u", q->type, (unsigned)q->body.size);
	write_text(w, "\r\n\r\n");
	write_bytes(w, q->body);
}

/* ---- the stream ---- */

/* What is left of limit since start; the clock may wrap in between. */
static uint32_t left(struct tb_board *board, uint32_t start, uint32_t limit) {
	uint32_t gone = board->clock.now(board->clock.context) - start;

	return gone < limit ? limit - gone : 0;
}

void http_close(struct tb_board *board) {
	board->network.close(board->network.context);
	memset(&board->stream, 0, sizeof board->stream);
}

static enum tb_result send_all(struct tb_board *board, const uint8_t *from, size_t size) {
	uint32_t start = board->clock.now(board->clock.context);

	while (size > 0) {
		uint32_t limit = left(board, start, ASK_LIMIT);
		int n = limit == 0 ? -1 : board->network.write(board->network.context, from, size, limit);

		if (n <= 0 || (size_t)n > size)
			return TB_NETWORK;
		from += n;
		size -= (size_t)n;
	}
	return TB_OK;
}

/* Reads some bytes, at most size. */
static enum tb_result receive(struct tb_board *board, uint8_t *to, size_t size, uint32_t limit, size_t *got) {
	int n = limit == 0 ? -1 : board->network.read(board->network.context, to, size, limit);

	if (n <= 0 || (size_t)n > size)
		return TB_NETWORK;
	*got = (size_t)n;
	return TB_OK;
}

/* The request is put together where the answer will lie: no byte of it is there yet. */
static enum tb_result send_request(struct tb_board *board, const struct http_request *q) {
	struct writer w = {board->stream.bytes, 0, sizeof board->stream.bytes, false};

	write_request(board, q, &w);
	return w.full ? TB_PROTOCOL : send_all(board, w.at, w.size);
}

static enum tb_result receive_head(struct tb_board *board, struct http_head *h) {
	uint32_t start = board->clock.now(board->clock.context);
	struct tb_stream *s = &board->stream;
	enum tb_result r;
	size_t got, end;

	s->from = s->to = 0;
	while ((end = http_head_size((struct tb_bytes){s->bytes, s->to})) == 0) {
		if (s->to == sizeof s->bytes)
			return TB_PROTOCOL;
		r = receive(board, s->bytes + s->to, sizeof s->bytes - s->to, left(board, start, ANSWER_LIMIT), &got);
		if (r != TB_OK)
			return r;
		s->to += got;
	}
	s->from = end;
	r = http_parse((struct tb_bytes){s->bytes, end}, h);
	if (r != TB_OK)
		return r;
	s->body = h->length;
	s->last = h->close;
	return s->to - s->from > s->body ? TB_PROTOCOL : TB_OK; /* nothing was asked that more could answer */
}

enum tb_result http_read(struct tb_board *board, void *to, size_t size, uint32_t limit) {
	uint32_t start = board->clock.now(board->clock.context);
	struct tb_stream *s = &board->stream;
	uint8_t *at = to;

	if (size > s->body)
		return TB_PROTOCOL;
	while (size > 0) {
		size_t got = s->to - s->from < size ? s->to - s->from : size;

		if (got > 0) {
			memcpy(at, s->bytes + s->from, got);
			s->from += got;
		} else if (receive(board, at, size, left(board, start, limit), &got) != TB_OK) {
			return TB_NETWORK;
		}
		at += got;
		size -= got;
		s->body -= (uint32_t)got; /* got is at most what was left of size, and that of the body */
	}
	return TB_OK;
}

/* ---- asking ---- */

/* Makes sure that a connection is open on which nothing is still to come. */
static enum tb_result connected(struct tb_board *board, bool *kept) {
	struct tb_stream *s = &board->stream;
	enum tb_result r;

	*kept = s->open && !s->last && s->body == 0;
	if (*kept)
		return TB_OK;
	http_close(board);
	r = peers_connect(board);
	s->open = r == TB_OK;
	return r;
}

static enum tb_result exchange(struct tb_board *board, const struct http_request *q, struct http_head *h, bool *kept) {
	enum tb_result r = connected(board, kept);

	if (r == TB_OK)
		r = send_request(board, q);
	if (r == TB_OK)
		r = receive_head(board, h);
	if (r != TB_OK)
		http_close(board);
	return r;
}

static enum tb_result judge_status(uint32_t status) {
	switch (status) {
	case 200:
	case 202:
	case 204:
	case 206:
		return TB_OK;
	case 403:
		return TB_REFUSED;
	case 404:
	case 410:
		return TB_GONE;
	case 429:
	case 503:
		return TB_LATER;
	}
	return TB_PROTOCOL;
}

static void sleep_until_later(struct tb_board *board, uint32_t seconds) {
	uint32_t wait = seconds < 1 ? 1 : seconds > LATER_MOST ? LATER_MOST : seconds;

	http_close(board); /* a connection that waits is one that the server cannot use */
	board->clock.sleep(board->clock.context, wait * 1000 + board->clock.random(board->clock.context) % 1000);
}

enum tb_result http_ask(struct tb_board *board, const struct http_request *q, struct http_head *h) {
	enum tb_result r;
	bool kept;

	for (int times = 0;; times++) {
		r = exchange(board, q, h, &kept);
		if (r == TB_NETWORK && kept)
			r = exchange(board, q, h, &kept); /* every request may be repeated */
		if (r != TB_OK)
			return r;
		r = judge_status(h->status);
		if (r != TB_LATER || times == LATER_TIMES)
			return r;
		sleep_until_later(board, h->later);
	}
}
