#include "sitedoc.h"

#include <string.h>

#include "words.h"

enum { MAX_KEYS = 16, MAX_HARDWARE = 8, MAX_FLOORS = 32 };

/* A release key while the list is walked over. */
struct release_key {
	const uint8_t *key;
	uint64_t kind;
	uint64_t hardware;     /* how many it is for; 0: any */
	struct cursor scope;   /* their names */
};

struct floor {
	struct tb_bytes encoded; /* the hardware as it is encoded, by which floors are in order */
	struct tb_bytes hardware;
	struct tb_counter counter;
};

static bool read_release_key(struct cursor *c, struct release_key *k) {
	struct tb_bytes hardware;

	if (!cbor_array_of(c, 3) || !cbor_key(c, &k->key) || !cbor_uint(c, UINT64_MAX, &k->kind) ||
	    !cbor_array(c, &k->hardware))
		return false;
	k->scope = *c;
	for (uint64_t i = 0; i < k->hardware; i++)
		if (!cbor_text(c, &hardware))
			return false;
	k->scope.end = c->at;
	return true;
}

static bool read_floor(struct cursor *c, struct floor *f) {
	f->encoded.at = c->at;
	if (!cbor_text(c, &f->hardware))
		return false;
	f->encoded.size = (size_t)(c->at - f->encoded.at);
	return cbor_counter(c, &f->counter);
}

/* Whether the names in the scope of k are names, each once and in rising order. */
static enum tb_result check_scope(const struct release_key *k) {
	struct cursor c = k->scope;
	struct tb_bytes last = {0}, name;

	if (k->hardware > MAX_HARDWARE)
		return TB_INVALID;
	for (uint64_t i = 0; i < k->hardware; i++, last = name) {
		int order;

		if (!cbor_text(&c, &name))
			return TB_ENCODING;
		if (!word_is_name(name))
			return TB_INVALID;
		order = i == 0 ? -1 : bytes_compare(last, name);
		if (order >= 0)
			return order == 0 ? TB_INVALID : TB_ENCODING;
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

	return order != 0 ? order : (a->kind > b->kind) - (a->kind < b->kind);
}

static enum tb_result check_keys(const struct tb_site *s, const struct tb_crypto *crypto, uint64_t count) {
	struct cursor c = cursor_over(s->keys);
	struct release_key last = {0}, k;

	if (count < 1 || count > MAX_KEYS)
		return TB_INVALID;
	for (uint64_t i = 0; i < count; i++, last = k) {
		enum tb_result r;
		int order;

		if (!read_release_key(&c, &k))
			return TB_ENCODING;
		if (is_root(s, k.key) || (k.kind != KIND_FIRMWARE && k.kind != KIND_LOADER) ||
		    !crypto->point(crypto->context, k.key))
			return TB_INVALID;
		r = check_scope(&k);
		if (r != TB_OK)
			return r;
		order = i == 0 ? -1 : compare_release_keys(&last, &k);
		if (order >= 0)
			return order == 0 ? TB_INVALID : TB_ENCODING;
	}
	return TB_OK;
}

static enum tb_result check_roots(const struct tb_site *s, const struct tb_crypto *crypto, int64_t threshold) {
	if (threshold < 1 || (uint64_t)threshold > s->roots)
		return TB_INVALID;
	for (size_t i = 0; i < s->roots; i++) {
		int order = i == 0 ? -1 : memcmp(s->root[i - 1], s->root[i], TB_KEY);

		if (order >= 0)
			return order == 0 ? TB_INVALID : TB_ENCODING;
		if (!crypto->point(crypto->context, s->root[i]))
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

static enum tb_result check_issuers(const uint8_t *const *issuer, size_t count) {
	for (size_t i = 0; i < count; i++) {
		int order = i == 0 ? -1 : memcmp(issuer[i - 1], issuer[i], TB_DIGEST);

		if (order >= 0)
			return order == 0 ? TB_INVALID : TB_ENCODING;
		if (digest_is_zero(issuer[i]))
			return TB_INVALID;
	}
	return TB_OK;
}

static enum tb_result check_floors(const struct tb_site *s, uint64_t count) {
	struct cursor c = cursor_over(s->floors);
	struct floor last = {0}, f;
	uint32_t newest = 0;

	if (count > MAX_FLOORS)
		return TB_INVALID;
	for (uint64_t i = 0; i < count; i++, last = f) {
		if (!read_floor(&c, &f))
			return TB_ENCODING;
		if (i > 0 && bytes_compare(last.encoded, f.encoded) >= 0)
			return TB_ENCODING;
		if (!word_is_name(f.hardware))
			return TB_INVALID;
		if (f.counter.generation > newest)
			newest = f.counter.generation;
	}
	return newest == s->generation ? TB_OK : TB_INVALID;
}

/* The lists are read in a first walk and judged in a second one. */

static bool read_keys(struct cursor *c, struct tb_site *s, uint64_t *count) {
	struct release_key k;

	if (!cbor_array(c, count))
		return false;
	s->keys.at = c->at;
	for (uint64_t i = 0; i < *count; i++)
		if (!read_release_key(c, &k))
			return false;
	s->keys.size = (size_t)(c->at - s->keys.at);
	return true;
}

static bool read_floors(struct cursor *c, struct tb_site *s, uint64_t *count) {
	struct floor f;

	if (!cbor_map(c, count))
		return false;
	s->floors.at = c->at;
	for (uint64_t i = 0; i < *count; i++)
		if (!read_floor(c, &f))
			return false;
	s->floors.size = (size_t)(c->at - s->floors.at);
	return true;
}

/* Reads a list of 1 to room things of that size; *fits is cleared where there are others. */
static bool read_fixed(struct cursor *c, bool (*read)(struct cursor *, const uint8_t **), const uint8_t **list,
                       size_t room, size_t *count, bool *fits) {
	const uint8_t *one;
	uint64_t n;

	if (!cbor_array(c, &n))
		return false;
	*fits = *fits && n >= 1 && n <= room;
	for (uint64_t i = 0; i < n; i++) {
		if (!read(c, &one))
			return false;
		if (i < room)
			list[i] = one;
	}
	*count = n < room ? (size_t)n : room;
	return true;
}

static bool read_endpoints(struct cursor *c, struct tb_site *s, bool *fits) {
	struct tb_bytes one;
	uint64_t n;

	if (!cbor_array(c, &n))
		return false;
	*fits = *fits && n >= 1 && n <= TB_MAX_ENDPOINTS;
	for (uint64_t i = 0; i < n; i++) {
		if (!cbor_text(c, &one))
			return false;
		if (i < TB_MAX_ENDPOINTS)
			s->endpoint[i] = one;
	}
	s->endpoints = n < TB_MAX_ENDPOINTS ? (size_t)n : TB_MAX_ENDPOINTS;
	return true;
}

/* What is read of a document beside the document itself. */
struct counts {
	uint64_t generation, keys, floors;
	int64_t threshold;
	bool fits; /* the lists of roots, endpoints and issuers are as long as they may be */
};

static bool read_payload(struct cursor *c, struct tb_site *s, struct counts *n) {
	n->fits = true;
	return cbor_map_of(c, 12) &&
	       cbor_is(c, 1) && cbor_text(c, &s->name) &&
	       cbor_is(c, 2) && cbor_uint(c, UINT64_MAX, &s->epoch) &&
	       cbor_is(c, 3) && cbor_uint(c, UINT32_MAX, &n->generation) &&
	       cbor_is(c, 4) && read_keys(c, s, &n->keys) &&
	       cbor_is(c, 5) && read_fixed(c, cbor_key, s->root, TB_MAX_ROOTS, &s->roots, &n->fits) &&
	       cbor_is(c, 6) && cbor_int(c, &n->threshold) &&
	       cbor_is(c, 7) && read_endpoints(c, s, &n->fits) &&
	       cbor_is(c, 8) && cbor_text(c, &s->radius) &&
	       cbor_is(c, 9) && cbor_text(c, &s->update) &&
	       cbor_is(c, 10) && read_fixed(c, cbor_digest, s->eap_issuer, TB_MAX_ISSUERS, &s->eap_issuers, &n->fits) &&
	       cbor_is(c, 11) && read_fixed(c, cbor_digest, s->tls_issuer, TB_MAX_ISSUERS, &s->tls_issuers, &n->fits) &&
	       cbor_is(c, 12) && read_floors(c, s, &n->floors) &&
	       cursor_left(c) == 0;
}

static enum tb_result decode(struct tb_bytes payload, const struct tb_crypto *crypto, struct tb_site *s) {
	struct cursor c = cursor_over(payload);
	struct counts n = {0};
	enum tb_result r;

	memset(s, 0, sizeof *s);
	if (!read_payload(&c, s, &n))
		return TB_ENCODING;
	s->generation = (uint32_t)n.generation;
	if (!n.fits || s->epoch == 0 || !word_is_name(s->name))
		return TB_INVALID;
	if ((r = check_roots(s, crypto, n.threshold)) != TB_OK)
		return r;
	s->threshold = (size_t)n.threshold;
	if ((r = check_keys(s, crypto, n.keys)) != TB_OK)
		return r;
	if ((r = check_servers(s)) != TB_OK)
		return r;
	if ((r = check_issuers(s->eap_issuer, s->eap_issuers)) != TB_OK)
		return r;
	if ((r = check_issuers(s->tls_issuer, s->tls_issuers)) != TB_OK)
		return r;
	return check_floors(s, n.floors);
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

/* No floor of old falls or vanishes. */
static bool floors_hold(const struct tb_site *old, const struct tb_site *site) {
	struct cursor c = cursor_over(old->floors);
	struct floor f, now;

	while (cursor_left(&c) > 0) {
		struct cursor n = cursor_over(site->floors);
		bool holds = false;

		if (!read_floor(&c, &f))
			return false;
		while (cursor_left(&n) > 0 && read_floor(&n, &now))
			holds = holds || (bytes_equal(now.hardware, f.hardware) && counter_compare(now.counter, f.counter) >= 0);
		if (!holds)
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
	struct cursor c = k->scope;
	struct tb_bytes name;

	if (k->hardware == 0)
		return true;
	while (cursor_left(&c) > 0 && cbor_text(&c, &name))
		if (bytes_equal(name, hardware))
			return true;
	return false;
}

enum tb_result site_release_key(const struct tb_site *site, const struct tb_crypto *crypto, const uint8_t id[TB_DIGEST],
                                uint64_t kind, struct tb_bytes hardware, const uint8_t **key) {
	struct cursor c = cursor_over(site->keys);
	enum tb_result r = TB_UNTRUSTED;
	struct release_key k;

	while (cursor_left(&c) > 0 && read_release_key(&c, &k)) {
		uint8_t own[TB_DIGEST];

		cose_key_id(crypto, k.key, own);
		if (memcmp(own, id, TB_DIGEST) != 0)
			continue;
		*key = k.key;
		if (k.kind == kind && covers(&k, hardware))
			return TB_OK;
		r = TB_SCOPE;
	}
	return r;
}

struct tb_counter site_floor(const struct tb_site *site, struct tb_bytes hardware) {
	struct cursor c = cursor_over(site->floors);
	struct floor f;

	while (cursor_left(&c) > 0 && read_floor(&c, &f))
		if (bytes_equal(f.hardware, hardware))
			return f.counter;
	return (struct tb_counter){0, 0};
}
