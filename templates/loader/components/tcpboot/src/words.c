#include "words.h"

#include <string.h>

static bool is_digit(uint8_t c) {
	return c >= '0' && c <= '9';
}

static bool is_letter_or_digit(uint8_t c) {
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c);
}

bool word_is_name(struct tb_bytes b) {
	if (b.size < 1 || b.size > TB_MAX_NAME || !is_letter_or_digit(b.at[0]))
		return false;
	for (size_t i = 1; i < b.size; i++)
		if (!is_letter_or_digit(b.at[i]) && b.at[i] != '.' && b.at[i] != '_' && b.at[i] != '-')
			return false;
	return true;
}

static bool is_label(struct tb_bytes b) {
	return word_is_name(b) && b.at[b.size - 1] != '-';
}

bool word_is_host(struct tb_bytes b) {
	struct tb_bytes label;

	if (b.size > TB_MAX_HOST)
		return false;
	while (bytes_until(&b, '.', &label))
		if (!is_label(label))
			return false;
	return is_label(b);
}

static bool is_ipv6(struct tb_bytes b) {
	if (b.size < 2 || b.size > 45)
		return false;
	for (size_t i = 0; i < b.size; i++) {
		uint8_t lower = b.at[i] | 0x20;

		if (!is_digit(b.at[i]) && !(lower >= 'a' && lower <= 'f') && b.at[i] != ':' && b.at[i] != '.')
			return false;
	}
	return memchr(b.at, ':', b.size) != NULL;
}

/* Returns the length of what stands before the last ':', or 0. */
static size_t before_port(struct tb_bytes b) {
	size_t i = b.size;

	while (i > 0 && b.at[i - 1] != ':')
		i--;
	return i > 0 ? i - 1 : 0;
}

bool word_is_endpoint(struct tb_bytes b) {
	size_t n = before_port(b);
	struct tb_bytes host = {b.at, n};
	uint32_t port;

	if (n == 0 || !parse_decimal((struct tb_bytes){b.at + n + 1, b.size - n - 1}, 65535, &port) || port == 0)
		return false;
	if (host.at[0] == '[' && host.at[n - 1] == ']')
		return n > 2 && is_ipv6((struct tb_bytes){host.at + 1, n - 2});
	return word_is_host(host);
}

struct tb_bytes text_of(const char *s) {
	return (struct tb_bytes){(const uint8_t *)s, strlen(s)};
}

bool bytes_equal(struct tb_bytes a, struct tb_bytes b) {
	return a.size == b.size && memcmp(a.at, b.at, a.size) == 0;
}

bool bytes_are(struct tb_bytes b, const char *text) {
	return bytes_equal(b, text_of(text));
}

bool bytes_skip(struct tb_bytes *b, const char *text) {
	size_t n = strlen(text);

	if (b->size < n || memcmp(b->at, text, n) != 0)
		return false;
	b->at += n;
	b->size -= n;
	return true;
}

bool bytes_until(struct tb_bytes *b, char end, struct tb_bytes *part) {
	const uint8_t *at = b->size == 0 ? NULL : memchr(b->at, end, b->size);

	if (at == NULL)
		return false;
	*part = (struct tb_bytes){b->at, (size_t)(at - b->at)};
	*b = (struct tb_bytes){at + 1, b->size - part->size - 1};
	return true;
}

void bytes_to_text(struct tb_bytes b, char *to, size_t room) {
	size_t n = b.size < room ? b.size : room - 1;

	memcpy(to, b.at, n);
	to[n] = 0;
}

int bytes_compare(struct tb_bytes a, struct tb_bytes b) {
	int order = memcmp(a.at, b.at, a.size < b.size ? a.size : b.size);

	return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

void digest_copy(uint8_t to[TB_DIGEST], const uint8_t from[TB_DIGEST]) {
	memmove(to, from, TB_DIGEST); /* often to where it is */
}

bool digests_equal(const uint8_t a[TB_DIGEST], const uint8_t b[TB_DIGEST]) {
	return memcmp(a, b, TB_DIGEST) == 0;
}

bool digest_is_zero(const uint8_t digest[TB_DIGEST]) {
	uint8_t bits = 0;

	for (size_t i = 0; i < TB_DIGEST; i++)
		bits |= digest[i];
	return bits == 0;
}

bool parse_decimal(struct tb_bytes b, uint32_t highest, uint32_t *value) {
	uint32_t n = 0;

	if (b.size < 1 || (b.at[0] == '0' && b.size > 1))
		return false;
	for (size_t i = 0; i < b.size; i++) {
		uint32_t digit = (uint32_t)b.at[i] - '0';

		if (digit > 9 || n > (highest - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*value = n;
	return true;
}

bool parse_loader(struct tb_bytes b, uint16_t version[3]) {
	for (int i = 0; i < 3; i++) {
		struct tb_bytes digits = b;
		uint32_t part;

		if ((i < 2 && !bytes_until(&b, '.', &digits)) || !parse_decimal(digits, UINT16_MAX, &part))
			return false;
		version[i] = (uint16_t)part;
	}
	return true;
}

bool tb_loader_version(const char *text, uint16_t version[3]) {
	return parse_loader(text_of(text), version);
}

bool skip_loader(struct tb_bytes *b) {
	return bytes_skip(b, "loader-");
}

const char *chip_suffix(uint32_t id) {
	static const struct {
		uint8_t id;
		char suffix[4];
	} chips[] = {
		{0x00, ""},   {0x02, "s2"}, {0x05, "c3"},  {0x09, "s3"}, {0x0c, "c2"},  {0x0d, "c6"}, {0x10, "h2"},
		{0x12, "p4"}, {0x14, "c61"}, {0x17, "c5"}, {0x19, "h21"}, {0x1c, "h4"}, {0x20, "s31"},
	};

	for (size_t i = 0; i < sizeof chips / sizeof *chips; i++)
		if (chips[i].id == id)
			return chips[i].suffix;
	return NULL;
}

int counter_compare(struct tb_counter a, struct tb_counter b) {
	if (a.generation != b.generation)
		return a.generation < b.generation ? -1 : 1;
	return (a.count > b.count) - (a.count < b.count);
}
