#include "sitedoc.h"

#include <string.h>

#include "words.h"

enum { MAX_KEYS = 16, MAX_HARDWARE = 8, MAX_FLOORS = 32 };

/* A release key while the list is walked over. */
struct release_key {
	const uint8_t *key;
	uint32_t kind;
	size_t hardware;       /* how many it is for; 0: any */
	struct tb_bytes scope; /* their names, still encoded */
};

struct floor {
	struct tb_bytes hardware;
	struct tb_counter counter;
};

static void skip_text(struct cursor *c) {
	(void)cbor_text(c);
}

uint32_t read_kind(struct cursor *c) {
	uint64_t kind = cbor_uint(c);

	return kind > KIND_LOADER ? 0 : (uint32_t)kind;
}

static void read_release_key(struct cursor *c, struct release_key *k) {
	cbor_array_of(c, 3);
	k->key = cbor_fixed(c, TB_KEY);
	k->kind = read_kind(c);
	k->hardware = cbor_array(c);
	k->scope = cbor_items(c, k->hardware, skip_text);
}

static void skip_release_key(struct cursor *c) {
	struct release_key skipped;

	read_release_key(c, &skipped);
}

static void read_floor(struct cursor *c, struct floor *f) {
	f->hardware = cbor_text(c);
	f->counter = cbor_counter(c);
}

static void skip_floor(struct cursor *c) {
	struct floor skipped;

	read_floor(c, &skipped);
}

/* What stands in a list must be above what stands before it: the same again is wrong, disorder is another encoding. */
static enum tb_result judge_order(int order) {
	return order < 0 ? TB_OK : order == 0 ? TB_INVALID : TB_ENCODING;
}

/* Whether the names in the scope of k are names, each once and in rising order. */
static enum tb_result check_scope(const struct release_key *k) {
	struct cursor c = cursor_over(k->scope);
	struct tb_bytes last = {0}, name;

	if (k->hardware > MAX_HARDWARE)
		return TB_INVALID;
	for (size_t i = 0; i < k->hardware; i++, last = name) {
		enum tb_result r;

		name = cbor_text(&c);
		if (!word_is_name(name))
			return TB_INVALID;
		r = i == 0 ? TB_OK : judge_order(bytes_compare(last, name));
		if (r != TB_OK)
			return r;
	}
	return TB_OK;
}

static bool is_root(const struct tb_site *s, const uint8_t key[TB_KEY]) {
	for (size_t i = 0; i < s->roots; i++)
		if (memcmp(s->root[i], key, TB_KEY) == 0)
			return true;
	return false;
}

static int compare_release_keys(const struct release_key *a, const struct release_key *b) {
	int order = memcmp(a->key, b->key, TB_KEY);

	return order != 0 ? order : (int)a->kind - (int)b->kind; /* of a few kinds */
}

static enum tb_result check_keys(const struct tb_site *s, const struct tb_crypto *crypto, size_t count) {
	struct cursor c = cursor_over(s->keys);
	struct release_key last = {0}, k;

	if (count < 1 || count > MAX_KEYS)
		return TB_INVALID;
	for (size_t i = 0; i < count; i++, last = k) {
		enum tb_result r;

		read_release_key(&c, &k);
		if (is_root(s, k.key) || k.kind == 0 ||
		    !crypto->point(crypto->context, k.key))
			return TB_INVALID;
		r = check_scope(&k);
		if (r == TB_OK && i > 0)
			r = judge_order(compare_release_keys(&last, &k));
		if (r != TB_OK)
			return r;
	}
	return TB_OK;
}

/* Whether all are as they must be, each once and in rising order: keys are points, digests are of something. */
static enum tb_result check_fixed(const uint8_t *const *list, size_t count, size_t size, const struct tb_crypto *crypto) {
	for (size_t i = 0; i < count; i++) {
		enum tb_result r = i == 0 ? TB_OK : judge_order(memcmp(list[i - 1], list[i], size));

		if (r != TB_OK)
			return r;
		if (size == TB_KEY ? !crypto->point(crypto->context, list[i]) : digest_is_zero(list[i]))
			return TB_INVALID;
	}
	return TB_OK;
}

static enum tb_result check_servers(const struct tb_site *s) {
	for (size_t i = 0; i < s->endpoints; i++) {
		if (!word_is_endpoint(s->endpoint[i]))
			return TB_INVALID;
		for (size_t j = 0; j < i; j++)
			if (bytes_equal(s->endpoint[i], s->endpoint[j]))
				return TB_INVALID;
	}
	return word_is_host(s->radius) && word_is_host(s->update) ? TB_OK : TB_INVALID;
}

static enum tb_result check_floors(const struct tb_site *s, size_t count) {
	struct cursor c = cursor_over(s->floors);
	struct tb_bytes last = {0};
	struct floor f;
	uint32_t newest = 0;

	if (count > MAX_FLOORS)
		return TB_INVALID;
	for (size_t i = 0; i < count; i++, last = f.hardware) {
		read_floor(&c, &f);
		if (i > 0 && cbor_compare(last, f.hardware) >= 0)
			return TB_ENCODING;
		if (!word_is_name(f.hardware))
			return TB_INVALID;
		if (f.counter.generation > newest)
			newest = f.counter.generation;
	}
	return newest == s->generation ? TB_OK : TB_INVALID;
}

/* Returns how many there are in a list that has room for so many; 0: more, or none. */
static size_t fitting(size_t count, size_t room) {
	return count <= room ? count : 0;
}

/* Reads a list of things of that size. */
static size_t read_fixed(struct cursor *c, size_t size, const uint8_t **list, size_t room) {
	size_t count = cbor_array(c);

	for (size_t i = 0; i < count; i++) {
		const uint8_t *one = cbor_fixed(c, size);

		if (i < room)
			list[i] = one;
	}
	return fitting(count, room);
}

static size_t read_endpoints(struct cursor *c, struct tb_bytes list[TB_MAX_ENDPOINTS]) {
	size_t count = cbor_array(c);

	for (size_t i = 0; i < count; i++) {
		struct tb_bytes one = cbor_text(c);

		if (i < TB_MAX_ENDPOINTS)
			list[i] = one;
	}
	return fitting(count, TB_MAX_ENDPOINTS);
}

/* How many there are in the lists that stay encoded: they are read in a first walk and judged in a second one. */
struct counts {
	size_t keys, floors;
};

static bool read_payload(struct cursor *c, struct tb_site *s, struct counts *n) {
	cbor_map_of(c, 12);
	s->name = cbor_text(cbor_at(c, 1));
	s->epoch = cbor_uint(cbor_at(c, 2));
	s->generation = cbor_uint_to(cbor_at(c, 3), UINT32_MAX);
	n->keys = cbor_array(cbor_at(c, 4));
	s->keys = cbor_items(c, n->keys, skip_release_key);
	s->roots = read_fixed(cbor_at(c, 5), TB_KEY, s->root, TB_MAX_ROOTS);
	s->threshold = cbor_int_to(cbor_at(c, 6), TB_MAX_ROOTS);
	s->endpoints = read_endpoints(cbor_at(c, 7), s->endpoint);
	s->radius = cbor_text(cbor_at(c, 8));
	s->update = cbor_text(cbor_at(c, 9));
	s->eap_issuers = read_fixed(cbor_at(c, 10), TB_DIGEST, s->eap_issuer, TB_MAX_ISSUERS);
	s->tls_issuers = read_fixed(cbor_at(c, 11), TB_DIGEST, s->tls_issuer, TB_MAX_ISSUERS);
	n->floors = cbor_map(cbor_at(c, 12));
	s->floors = cbor_items(c, n->floors, skip_floor);
	return cursor_done(c);
}

static enum tb_result decode(struct tb_bytes payload, const struct tb_crypto *crypto, struct tb_site *s) {
	struct cursor c = cursor_over(payload);
	struct counts n;
	enum tb_result r;

	memset(s, 0, sizeof *s);
	if (!read_payload(&c, s, &n))
		return TB_ENCODING;
	if (s->roots == 0 || s->endpoints == 0 || s->eap_issuers == 0 || s->tls_issuers == 0 || s->epoch == 0 ||
	    !word_is_name(s->name) || s->threshold == 0 || s->threshold > s->roots)
		return TB_INVALID;
	r = check_fixed(s->root, s->roots, TB_KEY, crypto);
	if (r == TB_OK)
		r = check_keys(s, crypto, n.keys);
	if (r == TB_OK)
		r = check_servers(s);
	if (r == TB_OK)
		r = check_fixed(s->eap_issuer, s->eap_issuers, TB_DIGEST, crypto);
	if (r == TB_OK)
		r = check_fixed(s->tls_issuer, s->tls_issuers, TB_DIGEST, crypto);
	return r == TB_OK ? check_floors(s, n.floors) : r;
}

enum tb_result site_read(struct tb_bytes signed_, const struct tb_crypto *crypto, struct tb_site *site) {
	struct cose_message m;
	enum tb_result r = cose_read_all(signed_, SITE_TYPE, &m);

	if (r != TB_OK)
		return r;
	return m.single ? TB_ENCODING : decode(m.payload, crypto, site);
}

enum tb_result site_verify(const struct cose_message *m, const struct tb_crypto *crypto, const uint8_t *const *roots,
                           size_t count, size_t threshold, struct tb_site *site) {
	enum tb_result r;

	if (m->single)
		return TB_ENCODING;
	if ((r = cose_verify(m, crypto, roots, count, threshold)) != TB_OK)
		return r;
	if ((r = decode(m->payload, crypto, site)) != TB_OK)
		return r;
	return cose_verify(m, crypto, site->root, site->roots, site->threshold);
}

static bool find_floor(const struct tb_site *site, struct tb_bytes hardware, struct floor *f) {
	struct cursor c = cursor_over(site->floors);

	while (cursor_left(&c) > 0) {
		read_floor(&c, f);
		if (bytes_equal(f->hardware, hardware))
			return true;
	}
	return false;
}

/* No floor of old falls or vanishes. */
static bool floors_hold(const struct tb_site *old, const struct tb_site *site) {
	struct cursor c = cursor_over(old->floors);
	struct floor f, now;

	while (cursor_left(&c) > 0) {
		read_floor(&c, &f);
		if (!find_floor(site, f.hardware, &now) || counter_compare(now.counter, f.counter) < 0)
			return false;
	}
	return true;
}

enum tb_result site_follow(const struct tb_site *old, const struct cose_message *m, const struct tb_crypto *crypto,
                           struct tb_site *site) {
	enum tb_result r = site_verify(m, crypto, old->root, old->roots, old->threshold, site);

	if (r != TB_OK)
		return r;
	if (!bytes_equal(old->name, site->name) || site->epoch <= old->epoch || site->generation < old->generation ||
	    !floors_hold(old, site))
		return TB_SUCCESSION;
	return TB_OK;
}

static bool covers(const struct release_key *k, struct tb_bytes hardware) {
	struct cursor c = cursor_over(k->scope);

	while (cursor_left(&c) > 0)
		if (bytes_equal(cbor_text(&c), hardware))
			return true;
	return k->hardware == 0;
}

enum tb_result site_release_key(const struct tb_site *site, const struct tb_crypto *crypto, const uint8_t id[TB_DIGEST],
                                uint32_t kind, struct tb_bytes hardware, const uint8_t **key) {
	struct cursor c = cursor_over(site->keys);
	enum tb_result r = TB_UNTRUSTED;
	struct release_key k;

	while (cursor_left(&c) > 0) {
		uint8_t own[TB_DIGEST];

		read_release_key(&c, &k);
		cose_key_id(crypto, k.key, own);
		if (!digests_equal(own, id))
			continue;
		*key = k.key;
		if (k.kind == kind && covers(&k, hardware))
			return TB_OK;
		r = TB_SCOPE;
	}
	return r;
}

struct tb_counter site_floor(const struct tb_site *site, struct tb_bytes hardware) {
	struct floor f;

	return find_floor(site, hardware, &f) ? f.counter : (struct tb_counter){0, 0};
}
