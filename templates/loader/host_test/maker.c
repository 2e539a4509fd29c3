#include "maker.h"

#include <assert.h>
#include <mbedtls/ecdsa.h>
#include <mbedtls/sha256.h>
#include <string.h>

#include "cose.h"
#include "crypto.h"
#include "http.h"
#include "manifest.h"

const struct site_plan first_site = {
	.epoch = 1, .release_key = 2, .root = 1, .signer = {1, 0},
	.endpoint = "127.0.0.1:8123", .update = "update.site",
};

const struct release_plan first_release = {
	.site = "site", .version = "1.0.0", .hardware = "door", .channel = "stable", .kind = KIND_FIRMWARE, .chip = 5,
	.sequence = 1, .counter = {0, 1}, .signer = 2, .chunk = TB_SECTOR,
};

struct tb_bytes made_bytes(const struct made *m) {
	return (struct tb_bytes){m->bytes, m->size};
}

/* ---- keys ---- */

enum { KEYS = 8 };

static int blinding(void *context, unsigned char *to, size_t size) {
	(void)context;
	memset(to, 0x5a, size); /* blinds nothing that matters here */
	return 0;
}

static mbedtls_ecdsa_context *pair(unsigned n) {
	static mbedtls_ecdsa_context pairs[KEYS];
	mbedtls_ecdsa_context *k = &pairs[n];

	assert(n > 0 && n < KEYS);
	if (k->grp.id == MBEDTLS_ECP_DP_SECP256R1)
		return k;
	mbedtls_ecdsa_init(k);
	assert(mbedtls_ecp_group_load(&k->grp, MBEDTLS_ECP_DP_SECP256R1) == 0);
	assert(mbedtls_mpi_lset(&k->d, (int)n) == 0);
	assert(mbedtls_ecp_mul(&k->grp, &k->Q, &k->d, &k->grp.G, blinding, NULL) == 0);
	return k;
}

const uint8_t *maker_key(unsigned n) {
	static uint8_t keys[KEYS][1 + TB_KEY];
	size_t size;

	if (keys[n][0] == 0)
		assert(mbedtls_ecp_point_write_binary(&pair(n)->grp, &pair(n)->Q, MBEDTLS_ECP_PF_UNCOMPRESSED, &size, keys[n],
		                                      sizeof keys[n]) == 0);
	return keys[n] + 1;
}

static void sign(unsigned n, const uint8_t digest[TB_DIGEST], uint8_t signature[TB_SIGNATURE]) {
	mbedtls_ecdsa_context *k = pair(n);
	mbedtls_mpi r, s;

	mbedtls_mpi_init(&r);
	mbedtls_mpi_init(&s);
	assert(mbedtls_ecdsa_sign_det_ext(&k->grp, &r, &s, &k->d, digest, TB_DIGEST, MBEDTLS_MD_SHA256, blinding, NULL) == 0);
	assert(mbedtls_mpi_write_binary(&r, signature, 32) == 0 && mbedtls_mpi_write_binary(&s, signature + 32, 32) == 0);
	mbedtls_mpi_free(&r);
	mbedtls_mpi_free(&s);
}

/* ---- CBOR ---- */

size_t make_head(uint8_t to[9], unsigned major, uint64_t n) {
	size_t size = n < 24 ? 0 : n < 0x100 ? 1 : n < 0x10000 ? 2 : n < 0x100000000 ? 4 : 8;
	static const uint8_t info[] = {[1] = 24, [2] = 25, [4] = 26, [8] = 27};

	to[0] = (uint8_t)((uint64_t)major << 5 | (size == 0 ? n : info[size]));
	for (size_t i = size; i > 0; i--, n >>= 8)
		to[i] = (uint8_t)n;
	return 1 + size;
}

static void put_head(struct writer *w, unsigned major, uint64_t n) {
	uint8_t head[9];

	write_bytes(w, (struct tb_bytes){head, make_head(head, major, n)});
}

static void put_uint(struct writer *w, uint64_t n) {
	put_head(w, CBOR_UINT, n);
}

static void put_string(struct writer *w, uint8_t major, const void *at, size_t size) {
	put_head(w, major, size);
	write_bytes(w, (struct tb_bytes){at, size});
}

static void put_text(struct writer *w, const char *text) {
	put_string(w, CBOR_TEXT, text, strlen(text));
}

static void put_text_at(struct writer *w, uint64_t key, const char *text) {
	put_uint(w, key);
	put_text(w, text);
}

static void put_uint_at(struct writer *w, uint64_t key, uint64_t n) {
	put_uint(w, key);
	put_uint(w, n);
}

static void put_digest_of(struct writer *w, const void *bytes, size_t size) {
	uint8_t digest[TB_DIGEST];

	mbedtls_sha256_ret(bytes, size, digest, 0);
	put_string(w, CBOR_BYTES, digest, sizeof digest);
}

static struct writer writer_to(struct made *m) {
	return (struct writer){m->bytes, 0, sizeof m->bytes, false};
}

static struct made finished(struct made *m, const struct writer *w) {
	assert(!w->full);
	m->size = w->size;
	return *m;
}

/* ---- COSE ---- */

/* A protected header: {1: -7, 4: key id, 16: type} or a part of it. */
static struct made header(unsigned signer, const char *type) {
	struct tb_crypto crypto = desk_crypto();
	uint8_t id[TB_DIGEST];
	struct made m;
	struct writer w = writer_to(&m);

	put_head(&w, CBOR_MAP, (signer > 0 ? 2u : 0u) + (type != NULL ? 1u : 0u));
	if (signer > 0) {
		cose_key_id(&crypto, maker_key(signer), id);
		put_uint(&w, 1);
		put_head(&w, CBOR_NEGATIVE, 6);
		put_uint(&w, 4);
		put_string(&w, CBOR_BYTES, id, sizeof id);
	}
	if (type != NULL)
		put_text_at(&w, 16, type);
	return finished(&m, &w);
}

/* The signature over ["Signature…", body, (signer,) h'', payload]. */
static void put_signature(struct writer *w, unsigned signer, const struct made *body, const struct made *own,
                          const struct made *payload) {
	uint8_t digest[TB_DIGEST], signature[TB_SIGNATURE];
	struct made m;
	struct writer s = writer_to(&m);

	put_head(&s, CBOR_ARRAY, own == NULL ? 4 : 5);
	put_text(&s, own == NULL ? "Signature1" : "Signature");
	put_string(&s, CBOR_BYTES, body->bytes, body->size);
	if (own != NULL)
		put_string(&s, CBOR_BYTES, own->bytes, own->size);
	put_head(&s, CBOR_BYTES, 0);
	put_string(&s, CBOR_BYTES, payload->bytes, payload->size);
	assert(!s.full);
	mbedtls_sha256_ret(m.bytes, s.size, digest, 0);
	sign(signer, digest, signature);
	put_string(w, CBOR_BYTES, signature, sizeof signature);
}

static void put_body(struct writer *w, uint64_t tag, const struct made *body, const struct made *payload) {
	put_head(w, CBOR_TAG, tag);
	put_head(w, CBOR_ARRAY, 4);
	put_string(w, CBOR_BYTES, body->bytes, body->size);
	put_head(w, CBOR_MAP, 0);
	put_string(w, CBOR_BYTES, payload->bytes, payload->size);
}

static struct made sign_single(const struct made *payload, const char *type, unsigned signer) {
	struct made body = header(signer, type), m;
	struct writer w = writer_to(&m);

	put_body(&w, 18, &body, payload);
	put_signature(&w, signer, &body, NULL, payload);
	return finished(&m, &w);
}

static void put_signer(struct writer *w, unsigned signer, const struct made *body, const struct made *payload) {
	struct made own = header(signer, NULL);

	put_head(w, CBOR_ARRAY, 3);
	put_string(w, CBOR_BYTES, own.bytes, own.size);
	put_head(w, CBOR_MAP, 0);
	put_signature(w, signer, body, &own, payload);
}

/* Signatures stand in rising order of the key's name. */
static struct made sign_several(const struct made *payload, const char *type, const unsigned signer[2]) {
	struct made body = header(0, type), m, a = header(signer[0], NULL), b;
	struct writer w = writer_to(&m);
	bool swap = false;

	put_body(&w, 98, &body, payload);
	put_head(&w, CBOR_ARRAY, signer[1] > 0 ? 2 : 1);
	if (signer[1] > 0) {
		b = header(signer[1], NULL);
		swap = memcmp(a.bytes, b.bytes, a.size) > 0;
	}
	put_signer(&w, signer[swap], &body, payload);
	if (signer[1] > 0)
		put_signer(&w, signer[!swap], &body, payload);
	return finished(&m, &w);
}

/* ---- documents ---- */

static void put_counter(struct writer *w, struct tb_counter c) {
	put_head(w, CBOR_ARRAY, 2);
	put_uint(w, c.generation);
	put_uint(w, c.count);
}

static void put_issuer(struct writer *w, uint64_t key, const char *name) {
	put_uint(w, key);
	put_head(w, CBOR_ARRAY, 1);
	put_digest_of(w, name, strlen(name));
}

static void put_release_key(struct writer *w, unsigned n, unsigned kind) {
	put_head(w, CBOR_ARRAY, 3);
	put_string(w, CBOR_BYTES, maker_key(n), TB_KEY);
	put_uint(w, kind);
	put_head(w, CBOR_ARRAY, 1);
	put_text(w, "door");
}

struct made make_site(const struct site_plan *p) {
	struct made payload;
	struct writer w = writer_to(&payload);

	put_head(&w, CBOR_MAP, 12);
	put_text_at(&w, 1, "site");
	put_uint_at(&w, 2, p->epoch);
	put_uint_at(&w, 3, p->generation);
	put_uint(&w, 4);
	put_head(&w, CBOR_ARRAY, p->loader_key > 0 ? 2 : 1);
	put_release_key(&w, p->release_key, KIND_FIRMWARE);
	if (p->loader_key > 0)
		put_release_key(&w, p->loader_key, KIND_LOADER);
	put_uint(&w, 5);
	put_head(&w, CBOR_ARRAY, 1);
	put_string(&w, CBOR_BYTES, maker_key(p->root), TB_KEY);
	put_uint_at(&w, 6, 1);
	put_uint(&w, 7);
	put_head(&w, CBOR_ARRAY, 1);
	put_text(&w, p->endpoint);
	put_text_at(&w, 8, "radius.site");
	put_text_at(&w, 9, p->update);
	put_issuer(&w, 10, "RADIUS CA");
	put_issuer(&w, 11, "servers CA");
	put_uint(&w, 12);
	put_head(&w, CBOR_MAP, 1);
	put_text(&w, "door");
	put_counter(&w, (struct tb_counter){p->generation, p->floor});
	payload = finished(&payload, &w);
	return sign_several(&payload, SITE_TYPE, p->signer);
}

size_t make_list(struct tb_bytes image, uint32_t chunk, uint8_t *to) {
	size_t n = 0;

	for (size_t at = 0; at < image.size; at += chunk, n += TB_DIGEST)
		mbedtls_sha256_ret(image.at + at, image.size - at < chunk ? image.size - at : chunk, to + n, 0);
	return n;
}

static void put_image(struct writer *w, struct tb_bytes image, uint32_t chunk) {
	uint8_t list[TB_DIGEST * 64];
	size_t size = make_list(image, chunk, list);

	put_head(w, CBOR_MAP, 5);
	put_text_at(w, 1, "app");
	put_uint_at(w, 2, image.size);
	put_uint(w, 3);
	put_digest_of(w, image.at, image.size);
	put_uint_at(w, 4, chunk);
	put_uint(w, 5);
	put_digest_of(w, list, size);
}

struct made make_manifest(const struct release_plan *p, struct tb_bytes image) {
	struct made payload;
	struct writer w = writer_to(&payload);
	bool any_loader = p->loader[0] == 0;

	put_head(&w, CBOR_MAP, any_loader ? 8 : 9);
	put_text_at(&w, 1, p->site);
	put_uint_at(&w, 2, p->kind);
	put_text_at(&w, 3, p->version);
	put_text_at(&w, 4, p->hardware);
	put_uint_at(&w, 5, p->chip);
	put_uint(&w, 6);
	put_head(&w, CBOR_MAP, 1);
	put_text(&w, p->channel);
	put_uint(&w, p->sequence);
	put_uint(&w, 7);
	put_counter(&w, p->counter);
	if (!any_loader) {
		put_uint(&w, 8);
		put_head(&w, CBOR_ARRAY, 3);
		for (int i = 0; i < 3; i++)
			put_uint(&w, p->loader[i]);
	}
	put_uint(&w, 9);
	put_image(&w, image, p->chunk);
	payload = finished(&payload, &w);
	return sign_single(&payload, MANIFEST_TYPE, p->signer);
}

void make_image(uint8_t *to, size_t size, uint8_t version) {
	uint32_t state = version, length = (uint32_t)size;

	for (size_t i = 0; i < size; i++) {
		state = state * 1664525 + 1013904223;
		to[i] = (uint8_t)(state >> 24);
	}
	memcpy(to, (uint8_t[]){0xe9, version, 0, 0}, 4);
	memcpy(to + 4, &length, sizeof length);
	mbedtls_sha256_ret(to, size - TB_DIGEST, to + size - TB_DIGEST, 0);
}
