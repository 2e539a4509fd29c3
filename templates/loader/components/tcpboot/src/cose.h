/* COSE_Sign1 and COSE_Sign, as the Go package release/cose specifies them. */
#ifndef TCPBOOT_COSE_H
#define TCPBOOT_COSE_H

#include "cbor.h"

/* One signature, which proves nothing before cose_verify. */
struct cose_signature {
	const uint8_t *key;         /* the name of the key, TB_DIGEST bytes */
	struct tb_bytes protected_; /* the signer's header, empty in a COSE_Sign1 */
	const uint8_t *value;
};

/* A message that was read. It points into the bytes it was read from. */
struct cose_message {
	bool single;                /* a COSE_Sign1 */
	struct tb_bytes protected_; /* header of the body */
	struct tb_bytes payload;
	struct cose_signature signature[TB_MAX_SIGNERS];
	size_t signatures;
};

/* Reads one message of the type, and leaves the cursor behind it. */
enum tb_result cose_read(struct cursor *c, const char *type, struct cose_message *m);

/* Reads bytes that are one message and nothing else. */
enum tb_result cose_read_all(struct tb_bytes b, const char *type, struct cose_message *m);

/*
 * Proves that at least threshold of the keys signed m. Signatures of other keys do
 * not count; one that names a key and does not verify makes m TB_FORGED.
 */
enum tb_result cose_verify(const struct cose_message *m, const struct tb_crypto *crypto,
                           const uint8_t *const *keys, size_t count, size_t threshold);

/* The name of a key: the digest of its SubjectPublicKeyInfo. */
void cose_key_id(const struct tb_crypto *crypto, const uint8_t key[TB_KEY], uint8_t id[TB_DIGEST]);

void sha256(const struct tb_crypto *crypto, const void *bytes, size_t size, uint8_t digest[TB_DIGEST]);

/* Whether the bytes have that digest. */
bool sha256_is(const struct tb_crypto *crypto, const void *bytes, size_t size, const uint8_t digest[TB_DIGEST]);

#endif
