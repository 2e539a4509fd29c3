#include "manifest.h"

#include <string.h>

#include "words.h"

enum { MAX_CHANNELS = 8, MAX_OTHERS = 4 };

struct place {
	struct tb_bytes channel;
	uint64_t sequence;
};

/* What is read of a manifest and only judged. */
struct parts {
	size_t channels;
	struct tb_bytes others;    /* still encoded */
	size_t other_count;
	uint64_t audit_sequence;
	const uint8_t *audit_head; /* NULL: it was not audited */
};

/* A size that no component may have is read as 0. */
static void read_component(struct cursor *c, struct tb_component *p) {
	cbor_map_of(c, 5);
	p->name = cbor_text(cbor_at(c, 1));
	p->size = cbor_int_to(cbor_at(c, 2), TB_MAX_IMAGE);
	p->digest = cbor_fixed(cbor_at(c, 3), TB_DIGEST);
	p->chunk = cbor_int_to(cbor_at(c, 4), TB_MAX_CHUNK);
	p->chunks = cbor_fixed(cbor_at(c, 5), TB_DIGEST);
}

static void skip_component(struct cursor *c) {
	struct tb_component skipped;

	read_component(c, &skipped);
}

static bool read_place(struct cursor *c, struct place *p) {
	p->channel = cbor_text(c);
	p->sequence = cbor_uint(c);
	return c->at != NULL;
}

static void skip_place(struct cursor *c) {
	struct place skipped;

	(void)read_place(c, &skipped);
}

static void read_loader(struct cursor *c, uint16_t loader[3]) {
	cbor_array_of(c, 3);
	for (int i = 0; i < 3; i++)
		loader[i] = (uint16_t)cbor_uint_to(c, UINT16_MAX);
}

static void read_audit(struct cursor *c, struct parts *p) {
	cbor_array_of(c, 2);
	p->audit_sequence = cbor_uint(c);
	p->audit_head = cbor_fixed(c, TB_DIGEST);
}

/* The channels rise. */
static bool places_rise(const struct manifest *m) {
	struct cursor c = cursor_over(m->sequences);
	struct tb_bytes last = {0};
	struct place p;

	for (bool first = true; cursor_left(&c) > 0 && read_place(&c, &p); first = false, last = p.channel)
		if (!first && cbor_compare(last, p.channel) >= 0)
			return false;
	return true;
}

/* An empty list of others would be a second way to say that there are none. */
static bool read_payload(struct cursor *c, struct manifest *m, struct parts *p) {
	size_t pairs = cbor_map(c), there = 8;

	m->site = cbor_text(cbor_at(c, 1));
	m->kind = read_kind(cbor_at(c, 2));
	m->version = cbor_text(cbor_at(c, 3));
	m->hardware = cbor_text(cbor_at(c, 4));
	m->chip = cbor_uint_to(cbor_at(c, 5), UINT16_MAX);
	p->channels = cbor_map(cbor_at(c, 6));
	m->sequences = cbor_items(c, p->channels, skip_place);
	m->counter = cbor_counter(cbor_at(c, 7));
	if (cbor_next_is(c, 8)) {
		there++;
		read_loader(cbor_at(c, 8), m->loader);
	}
	read_component(cbor_at(c, 9), &m->image);
	if (cbor_next_is(c, 10)) {
		there++;
		p->other_count = cbor_array(cbor_at(c, 10));
		p->others = cbor_items(c, p->other_count, skip_component);
	}
	if (cbor_next_is(c, 11)) {
		there++;
		read_audit(cbor_at(c, 11), p);
	}
	return cursor_done(c) && pairs == there && places_rise(m) && (p->others.at == NULL || p->other_count > 0);
}

static bool component_is_valid(const struct tb_component *p) {
	return p->size > 0 && p->chunk > 0 && p->chunk % TB_SECTOR == 0 &&
	       !digest_is_zero(p->digest) && !digest_is_zero(p->chunks) && word_is_name(p->name);
}

/* Others rise by name, and none is called like the image. */
static bool others_are_valid(const struct parts *p) {
	struct cursor c = cursor_over(p->others);
	struct tb_bytes last = {0};
	struct tb_component other;

	if (p->other_count > MAX_OTHERS)
		return false;
	for (size_t i = 0; i < p->other_count; i++, last = other.name) {
		read_component(&c, &other);
		if (!component_is_valid(&other) || bytes_are(other.name, "app"))
			return false;
		if (i > 0 && bytes_compare(last, other.name) >= 0)
			return false;
	}
	return true;
}

static bool places_are_valid(const struct manifest *m, size_t count) {
	struct cursor c = cursor_over(m->sequences);
	struct place p;

	if (count < 1 || count > MAX_CHANNELS)
		return false;
	while (cursor_left(&c) > 0)
		if (!read_place(&c, &p) || !word_is_name(p.channel) || p.sequence == 0)
			return false;
	return true;
}

/* A release of a loader is called "loader-" and the version of the loader. */
static bool read_version(const struct manifest *m, uint16_t version[3]) {
	struct tb_bytes rest = m->version;

	return skip_loader(&rest) && parse_loader(rest, version);
}

static bool is_valid(const struct manifest *m, const struct parts *p) {
	uint16_t version[3];

	return word_is_name(m->site) && word_is_name(m->version) && word_is_name(m->hardware) &&
	       (m->kind == KIND_FIRMWARE || (m->kind == KIND_LOADER && read_version(m, version))) && chip_suffix(m->chip) != NULL &&
	       places_are_valid(m, p->channels) &&
	       bytes_are(m->image.name, "app") && component_is_valid(&m->image) && others_are_valid(p) &&
	       (p->audit_head == NULL || (p->audit_sequence != 0 && !digest_is_zero(p->audit_head)));
}

static enum tb_result decode(struct tb_bytes payload, struct manifest *m) {
	struct cursor c = cursor_over(payload);
	struct parts p = {0};

	memset(m, 0, sizeof *m);
	if (!read_payload(&c, m, &p))
		return TB_ENCODING;
	return is_valid(m, &p) ? TB_OK : TB_INVALID;
}

enum tb_result manifest_read(struct tb_bytes signed_, struct cose_message *m, struct manifest *manifest) {
	enum tb_result r;

	if (signed_.size > TB_MAX_MANIFEST)
		return TB_TOO_LONG;
	r = cose_read_all(signed_, MANIFEST_TYPE, m);
	if (r != TB_OK)
		return r;
	return m->single ? decode(m->payload, manifest) : TB_ENCODING;
}

enum tb_result manifest_verify(const struct cose_message *m, const struct manifest *manifest,
                               const struct tb_crypto *crypto, const struct tb_site *site) {
	const uint8_t *key;
	enum tb_result r;

	r = site_release_key(site, crypto, m->signature[0].key, manifest->kind, manifest->hardware, &key);
	if (r != TB_OK)
		return r;
	if ((r = cose_verify(m, crypto, &key, 1, 1)) != TB_OK)
		return r;
	if (!bytes_equal(manifest->site, site->name))
		return TB_OTHER_SITE;
	if (manifest->counter.generation > site->generation ||
	    counter_compare(manifest->counter, site_floor(site, manifest->hardware)) < 0)
		return TB_COUNTER;
	return TB_OK;
}

uint64_t manifest_sequence(const struct manifest *manifest, struct tb_bytes channel) {
	struct cursor c = cursor_over(manifest->sequences);
	struct place p;

	while (cursor_left(&c) > 0 && read_place(&c, &p))
		if ((manifest->kind != KIND_LOADER || skip_loader(&p.channel)) && bytes_equal(p.channel, channel))
			return p.sequence;
	return 0;
}

static int compare_loaders(const uint16_t a[3], const uint16_t b[3]) {
	for (int i = 0; i < 3; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return 0;
}

/* A loader only gives way to a newer one: of them the sequence says nothing. */
static bool is_newer(const struct manifest *manifest, const uint16_t loader[3]) {
	uint16_t version[3];

	return read_version(manifest, version) && compare_loaders(loader, version) < 0;
}

enum tb_result manifest_judge(const struct manifest *manifest, const struct judge *board) {
	uint64_t sequence = manifest_sequence(manifest, board->channel);

	if (!bytes_equal(manifest->site, board->site))
		return TB_OTHER_SITE;
	if (manifest->kind != board->kind || !bytes_equal(manifest->hardware, board->hardware) ||
	    manifest->chip != board->chip || sequence == 0)
		return TB_OTHER_BOARD;
	if (manifest->kind == KIND_LOADER && !is_newer(manifest, board->loader))
		return TB_STALE;
	if (sequence <= board->sequence && manifest->counter.generation <= board->counter.generation)
		return TB_STALE;
	if (counter_compare(manifest->counter, board->counter) < 0)
		return TB_STALE;
	return compare_loaders(board->loader, manifest->loader) < 0 ? TB_OTHER_BOARD : TB_OK;
}
