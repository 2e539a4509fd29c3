#include "cose.h"

#include <string.h>

#include "words.h"

enum { TAG_SIGN1 = 18, TAG_SIGN = 98, ALG = 1, KEY_ID = 4, TYP = 16, ES256 = -7 };

void sha256(const struct tb_crypto *crypto, const void *bytes, size_t size, uint8_t digest[TB_DIGEST]) {
	crypto->sha256_start(crypto->context);
	crypto->sha256_add(crypto->context, bytes, size);
	crypto->sha256_finish(crypto->context, digest);
}

bool sha256_is(const struct tb_crypto *crypto, const void *bytes, size_t size, const uint8_t digest[TB_DIGEST]) {
	uint8_t own[TB_DIGEST];

	sha256(crypto, bytes, size, own);
	return digests_equal(own, digest);
}

/* What a header may say; each is there where its map has room for it. */
struct header {
	int64_t alg;
	struct tb_bytes key_id;
	struct tb_bytes type;
};

/* Reads a protected header, which must be the map of these keys, and no other. */
static bool read_header(struct tb_bytes b, bool alg_and_key, bool type, struct header *h) {
	struct cursor c = cursor_over(b);

	cbor_map_of(&c, (alg_and_key ? 2u : 0u) + (type ? 1u : 0u));
	if (alg_and_key) {
		h->alg = cbor_int(cbor_at(&c, ALG));
		h->key_id = cbor_bytes(cbor_at(&c, KEY_ID));
	}
	if (type)
		h->type = cbor_text(cbor_at(&c, TYP));
	return cursor_done(&c);
}

/* Adds a signature, if it is what the profile says of one. */
static enum tb_result add(struct cose_message *m, const struct header *h, struct tb_bytes value, struct tb_bytes protected_) {
	if (h->alg != ES256 || h->key_id.size != TB_DIGEST || value.size != TB_SIGNATURE)
		return TB_PROFILE;
	m->signature[m->signatures++] = (struct cose_signature){h->key_id.at, protected_, value.at};
	return TB_OK;
}

/* What a message and a signature begin with: a header, and no unprotected one. */
static struct tb_bytes read_protected(struct cursor *c) {
	struct tb_bytes protected_ = cbor_bytes(c);

	cbor_map_of(c, 0);
	return protected_;
}

static enum tb_result read_single(struct cursor *c, struct cose_message *m, struct header *h) {
	struct tb_bytes value = cbor_bytes(c);

	if (c->at == NULL || !read_header(m->protected_, true, true, h))
		return TB_ENCODING;
	return add(m, h, value, (struct tb_bytes){NULL, 0});
}

static enum tb_result read_signature(struct cursor *c, struct cose_message *m) {
	struct header h = {0};
	struct tb_bytes protected_, value;

	cbor_array_of(c, 3);
	protected_ = read_protected(c);
	value = cbor_bytes(c);
	if (c->at == NULL || !read_header(protected_, true, false, &h))
		return TB_ENCODING;
	return add(m, &h, value, protected_);
}

static enum tb_result read_several(struct cursor *c, struct cose_message *m, struct header *h) {
	size_t count = cbor_array(c);

	if (c->at == NULL || !read_header(m->protected_, false, true, h))
		return TB_ENCODING;
	if (count < 1 || count > TB_MAX_SIGNERS)
		return TB_PROFILE;
	while (count-- > 0) {
		enum tb_result r = read_signature(c, m);

		if (r != TB_OK)
			return r;
	}
	return TB_OK;
}

static bool keys_rise(const struct cose_message *m) {
	for (size_t i = 1; i < m->signatures; i++)
		if (memcmp(m->signature[i - 1].key, m->signature[i].key, TB_DIGEST) >= 0)
			return false;
	return true;
}

enum tb_result cose_read(struct cursor *c, const char *type, struct cose_message *m) {
	struct header h = {0};
	enum tb_result r;

	memset(m, 0, sizeof *m);
	m->single = cbor_next_is(c, CBOR_TAG << 5 | TAG_SIGN1);
	cbor_tag(c, m->single ? TAG_SIGN1 : TAG_SIGN);
	cbor_array_of(c, 4);
	m->protected_ = read_protected(c);
	m->payload = cbor_bytes(c);
	r = m->single ? read_single(c, m, &h) : read_several(c, m, &h);
	if (r != TB_OK)
		return r;
	if (m->payload.size == 0 || !keys_rise(m))
		return TB_PROFILE;
	return bytes_are(h.type, type) ? TB_OK : TB_TYPE;
}

enum tb_result cose_read_all(struct tb_bytes b, const char *type, struct cose_message *m) {
	struct cursor c = cursor_over(b);
	enum tb_result r;

	if (b.size > TB_MAX_DOCUMENT)
		return TB_TOO_LONG;
	r = cose_read(&c, type, m);
	if (r == TB_OK && cursor_left(&c) > 0)
		return TB_ENCODING;
	return r;
}

void cose_key_id(const struct tb_crypto *crypto, const uint8_t key[TB_KEY], uint8_t id[TB_DIGEST]) {
	/* What stands before x and y in the SubjectPublicKeyInfo of a P-256 key. */
	static const uint8_t head[] = {
		0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
		0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
	};

	crypto->sha256_start(crypto->context);
	crypto->sha256_add(crypto->context, head, sizeof head);
	crypto->sha256_add(crypto->context, key, TB_KEY);
	crypto->sha256_finish(crypto->context, id);
}

static void add_string(const struct tb_crypto *crypto, unsigned major, struct tb_bytes b) {
	uint8_t head[3];

	crypto->sha256_add(crypto->context, head, cbor_put_head(head, major, b.size));
	if (b.size > 0)
		crypto->sha256_add(crypto->context, b.at, b.size);
}

/* Hashes what a signature is over: the Sig_structure of RFC 9052 section 4.4. */
static void hash_signed(const struct cose_message *m, const struct cose_signature *s, const struct tb_crypto *crypto,
                        uint8_t digest[TB_DIGEST]) {
	const char *context = m->single ? "Signature1" : "Signature";
	uint8_t head[3];

	crypto->sha256_start(crypto->context);
	crypto->sha256_add(crypto->context, head, cbor_put_head(head, CBOR_ARRAY, m->single ? 4 : 5));
	add_string(crypto, CBOR_TEXT, text_of(context));
	add_string(crypto, CBOR_BYTES, m->protected_);
	if (!m->single)
		add_string(crypto, CBOR_BYTES, s->protected_);
	add_string(crypto, CBOR_BYTES, (struct tb_bytes){NULL, 0});
	add_string(crypto, CBOR_BYTES, m->payload);
	crypto->sha256_finish(crypto->context, digest);
}

static const struct cose_signature *signature_of(const struct cose_message *m, const uint8_t id[TB_DIGEST]) {
	for (size_t i = 0; i < m->signatures; i++)
		if (digests_equal(m->signature[i].key, id))
			return &m->signature[i];
	return NULL;
}

enum tb_result cose_verify(const struct cose_message *m, const struct tb_crypto *crypto,
                           const uint8_t *const *keys, size_t count, size_t threshold) {
	size_t signed_ = 0;

	for (size_t i = 0; i < count; i++) {
		uint8_t id[TB_DIGEST], digest[TB_DIGEST];
		const struct cose_signature *s;

		cose_key_id(crypto, keys[i], id);
		s = signature_of(m, id);
		if (s == NULL)
			continue;
		hash_signed(m, s, crypto, digest);
		if (!crypto->verify(crypto->context, keys[i], digest, s->value))
			return TB_FORGED;
		signed_++;
	}
	return threshold >= 1 && signed_ >= threshold ? TB_OK : TB_UNTRUSTED;
}
