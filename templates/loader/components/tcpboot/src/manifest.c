#include "manifest.h"

#include <string.h>

#include "words.h"

enum { MAX_CHANNELS = 8, MAX_OTHERS = 4 };

/* A component as it is encoded; its numbers are judged afterwards. */
struct component {
	struct tb_bytes name;
	int64_t size, chunk;
	const uint8_t *digest, *chunks;
};

struct place {
	struct tb_bytes encoded; /* the channel as it is encoded, by which places are in order */
	struct tb_bytes channel;
	uint64_t sequence;
};

/* What is read of a manifest and only judged. */
struct parts {
	uint64_t channels;
	struct component image;
	struct cursor others;
	uint64_t other_count;
	bool audited;
	uint64_t audit_sequence;
	const uint8_t *audit_head;
};

static bool read_component(struct cursor *c, struct component *p) {
	return cbor_map_of(c, 5) &&
	       cbor_is(c, 1) && cbor_text(c, &p->name) &&
	       cbor_is(c, 2) && cbor_int(c, &p->size) &&
	       cbor_is(c, 3) && cbor_digest(c, &p->digest) &&
	       cbor_is(c, 4) && cbor_int(c, &p->chunk) &&
	       cbor_is(c, 5) && cbor_digest(c, &p->chunks);
}

static bool read_place(struct cursor *c, struct place *p) {
	p->encoded.at = c->at;
	if (!cbor_text(c, &p->channel))
		return false;
	p->encoded.size = (size_t)(c->at - p->encoded.at);
	return cbor_uint(c, UINT64_MAX, &p->sequence);
}

static bool read_places(struct cursor *c, struct manifest *m, uint64_t *count) {
	struct place p, last = {0};

	if (!cbor_map(c, count))
		return false;
	m->sequences.at = c->at;
	for (uint64_t i = 0; i < *count; i++, last = p)
		if (!read_place(c, &p) || (i > 0 && bytes_compare(last.encoded, p.encoded) >= 0))
			return false;
	m->sequences.size = (size_t)(c->at - m->sequences.at);
	return true;
}

static bool read_loader(struct cursor *c, uint16_t loader[3]) {
	uint64_t part;

	if (!cbor_array_of(c, 3))
		return false;
	for (int i = 0; i < 3; i++) {
		if (!cbor_uint(c, UINT16_MAX, &part))
			return false;
		loader[i] = (uint16_t)part;
	}
	return true;
}

/* An empty list of others would be a second way to say that there are none. */
static bool read_others(struct cursor *c, struct parts *p) {
	struct component other;

	if (!cbor_array(c, &p->other_count) || p->other_count == 0)
		return false;
	p->others = *c;
	for (uint64_t i = 0; i < p->other_count; i++)
		if (!read_component(c, &other))
			return false;
	return true;
}

static bool read_audit(struct cursor *c, struct parts *p) {
	p->audited = true;
	return cbor_array_of(c, 2) && cbor_uint(c, UINT64_MAX, &p->audit_sequence) && cbor_digest(c, &p->audit_head);
}

/* Takes the key if it comes next, where it may be absent. */
static bool next_is(struct cursor *c, unsigned key) {
	struct cursor ahead = *c;

	if (!cbor_is(&ahead, key))
		return false;
	*c = ahead;
	return true;
}

static bool read_payload(struct cursor *c, struct manifest *m, struct parts *p) {
	uint64_t pairs, absent = 3;

	if (!(cbor_map(c, &pairs) &&
	      cbor_is(c, 1) && cbor_text(c, &m->site) &&
	      cbor_is(c, 2) && cbor_uint(c, UINT64_MAX, &m->kind) &&
	      cbor_is(c, 3) && cbor_text(c, &m->version) &&
	      cbor_is(c, 4) && cbor_text(c, &m->hardware) &&
	      cbor_is(c, 5) && cbor_uint(c, UINT16_MAX, &m->chip) &&
	      cbor_is(c, 6) && read_places(c, m, &p->channels) &&
	      cbor_is(c, 7) && cbor_counter(c, &m->counter)))
		return false;
	if (next_is(c, 8) && (absent--, !read_loader(c, m->loader)))
		return false;
	if (!cbor_is(c, 9) || !read_component(c, &p->image))
		return false;
	if (next_is(c, 10) && (absent--, !read_others(c, p)))
		return false;
	if (next_is(c, 11) && (absent--, !read_audit(c, p)))
		return false;
	return pairs == 11 - absent && cursor_left(c) == 0;
}

static bool component_is_valid(const struct component *p) {
	return p->size >= 1 && p->size <= TB_MAX_IMAGE &&
	       p->chunk >= TB_SECTOR && p->chunk <= TB_MAX_CHUNK && p->chunk % TB_SECTOR == 0 &&
	       !digest_is_zero(p->digest) && !digest_is_zero(p->chunks) && word_is_name(p->name);
}

/* Others rise by name, and none is called like the image. */
static bool others_are_valid(const struct parts *p) {
	struct cursor c = p->others;
	struct tb_bytes last = {0};
	struct component other;

	if (p->other_count > MAX_OTHERS)
		return false;
	for (uint64_t i = 0; i < p->other_count; i++, last = other.name) {
		if (!read_component(&c, &other) || !component_is_valid(&other) || bytes_are(other.name, "app"))
			return false;
		if (i > 0 && bytes_compare(last, other.name) >= 0)
			return false;
	}
	return true;
}

static bool places_are_valid(const struct manifest *m, uint64_t count) {
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
	       (m->kind == KIND_FIRMWARE || (m->kind == KIND_LOADER && read_version(m, version))) && chip_name(m->chip) != NULL &&
	       places_are_valid(m, p->channels) &&
	       bytes_are(p->image.name, "app") && component_is_valid(&p->image) && others_are_valid(p) &&
	       (!p->audited || (p->audit_sequence != 0 && !digest_is_zero(p->audit_head)));
}

static enum tb_result decode(struct tb_bytes payload, struct manifest *m) {
	struct cursor c = cursor_over(payload);
	struct parts p = {0};

	memset(m, 0, sizeof *m);
	if (!read_payload(&c, m, &p))
		return TB_ENCODING;
	if (!is_valid(m, &p))
		return TB_INVALID;
	m->image = (struct tb_component){
		.name = p.image.name, .size = (uint32_t)p.image.size, .chunk = (uint32_t)p.image.chunk,
		.digest = p.image.digest, .chunks = p.image.chunks,
	};
	return TB_OK;
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
	if (sequence <= board->sequence || counter_compare(manifest->counter, board->counter) < 0)
		return TB_STALE;
	return compare_loaders(board->loader, manifest->loader) < 0 ? TB_OTHER_BOARD : TB_OK;
}
