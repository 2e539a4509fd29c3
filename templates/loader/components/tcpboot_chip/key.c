/*
 * A key of the board's own, and the request for its certificate.
 *
 * By PSA, as psa.c: what Mbed TLS has for writing keys and requests is another in 3.4
 * than in 4, and asks for options that ESP-IDF may leave out. Both forms are of fixed
 * shape for P-256, so their bytes stand here, around what PSA computes.
 *
 * psa_generate_key, psa_import_key, psa_export_key, psa_export_public_key,
 * psa_hash_compute, psa_sign_hash: Mbed TLS 3.4 (5.1) to 4 (6.x). The same of
 * mbedtls_x509_crt_parse_der and its pk_raw.
 */
#include <string.h>

#include "mbedtls/x509_crt.h"
#include "psa/crypto.h"
#include "tcpboot_chip.h"

enum { NUMBER = 32, POINT = 65, INFO = 123, MAC_DIGITS = 12, SIGNATURE = 2 * NUMBER };

/* OneAsymmetricKey (RFC 5958): {0, {ecPublicKey, prime256v1}, ECPrivateKey {1, number, [1] point}}. */
static const uint8_t key_head[] = {
	0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
	0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x6d, 0x30, 0x6b, 0x02, 0x01, 0x01, 0x04, NUMBER,
};
static const uint8_t key_middle[] = {0xa1, 0x44, 0x03, 0x42, 0x00};

/* SubjectPublicKeyInfo, in front of the point. */
static const uint8_t public_head[] = {
	0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
	0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
};

/* CertificationRequestInfo (RFC 2986): {0, CN = mac, public key, [0] {}}; and {info, ecdsa-with-SHA256, signature}. */
static const uint8_t info_head[] = {
	0x30, INFO - 2, 0x02, 0x01, 0x00, 0x30, 0x17, 0x31, 0x15, 0x30, 0x13, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, MAC_DIGITS,
};
static const uint8_t info_end[] = {0xa0, 0x00};
static const uint8_t algorithm[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};

enum { NUMBER_AT = sizeof key_head, POINT_AT = NUMBER_AT + NUMBER + sizeof key_middle, PUBLIC = sizeof public_head + POINT };

static uint8_t *put(uint8_t *to, const void *bytes, size_t size) {
	memcpy(to, bytes, size);
	return to + size;
}

static psa_key_attributes_t attributes(void) {
	psa_key_attributes_t a = psa_key_attributes_init();

	psa_set_key_type(&a, PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1));
	psa_set_key_bits(&a, 8 * NUMBER);
	psa_set_key_usage_flags(&a, PSA_KEY_USAGE_SIGN_HASH | PSA_KEY_USAGE_EXPORT);
	psa_set_key_algorithm(&a, PSA_ALG_ECDSA(PSA_ALG_SHA_256));
	return a;
}

static bool export_key(psa_key_id_t id, uint8_t key[CHIP_KEY]) {
	size_t size;

	(void)put(put(key, key_head, sizeof key_head) + NUMBER, key_middle, sizeof key_middle);
	return psa_export_key(id, key + NUMBER_AT, NUMBER, &size) == PSA_SUCCESS && size == NUMBER &&
	       psa_export_public_key(id, key + POINT_AT, POINT, &size) == PSA_SUCCESS && size == POINT;
}

bool key_new(uint8_t key[CHIP_KEY]) {
	psa_key_attributes_t a = attributes();
	psa_key_id_t id;
	bool made;

	if (!psa_start() || psa_generate_key(&a, &id) != PSA_SUCCESS)
		return false;
	made = export_key(id, key);
	return psa_destroy_key(id) == PSA_SUCCESS && made;
}

static void put_public(const uint8_t key[CHIP_KEY], uint8_t to[PUBLIC]) {
	(void)put(put(to, public_head, sizeof public_head), key + POINT_AT, POINT);
}

static bool sign(const uint8_t key[CHIP_KEY], const uint8_t *bytes, size_t size, uint8_t signature[SIGNATURE]) {
	psa_key_attributes_t a = attributes();
	uint8_t digest[TB_DIGEST];
	psa_key_id_t id;
	size_t n;
	bool made;

	if (!psa_start() || psa_import_key(&a, key + NUMBER_AT, NUMBER, &id) != PSA_SUCCESS)
		return false;
	made = psa_hash_compute(PSA_ALG_SHA_256, bytes, size, digest, sizeof digest, &n) == PSA_SUCCESS &&
	       psa_sign_hash(id, PSA_ALG_ECDSA(PSA_ALG_SHA_256), digest, sizeof digest, signature, SIGNATURE, &n) == PSA_SUCCESS;
	return psa_destroy_key(id) == PSA_SUCCESS && made;
}

/* INTEGER has no leading zeros but one in front of a set high bit. */
static uint8_t *put_integer(uint8_t *to, const uint8_t number[NUMBER]) {
	size_t zeros = 0, signed_;

	while (zeros < NUMBER - 1 && number[zeros] == 0)
		zeros++;
	signed_ = number[zeros] >> 7;
	to[0] = 0x02;
	to[1] = (uint8_t)(NUMBER - zeros + signed_);
	to[2] = 0;
	return put(to + 2 + signed_, number + zeros, NUMBER - zeros);
}

/* BIT STRING {SEQUENCE {r, s}} */
static uint8_t *put_signature(uint8_t *to, const uint8_t signature[SIGNATURE]) {
	uint8_t *end = put_integer(put_integer(to + 5, signature), signature + NUMBER);

	to[0] = 0x03;
	to[1] = (uint8_t)(end - to - 2);
	to[2] = 0;
	to[3] = 0x30;
	to[4] = (uint8_t)(end - to - 5);
	return end;
}

/* The whole is 146 bytes or more, and 255 at most: the length takes two bytes. */
size_t key_request(const uint8_t key[CHIP_KEY], const char *mac, uint8_t *to, size_t room) {
	uint8_t signature[SIGNATURE], *info = to + 3, *at = info;

	if (room < 256 || strlen(mac) != MAC_DIGITS)
		return 0;
	at = put(put(at, info_head, sizeof info_head), mac, MAC_DIGITS);
	put_public(key, at);
	at = put(at + PUBLIC, info_end, sizeof info_end);
	if (!sign(key, info, INFO, signature))
		return 0;
	at = put_signature(put(at, algorithm, sizeof algorithm), signature);
	to[0] = 0x30;
	to[1] = 0x81;
	to[2] = (uint8_t)(at - info);
	return (size_t)(at - to);
}

bool key_matches(const uint8_t key[CHIP_KEY], struct tb_bytes certificate) {
	uint8_t own[PUBLIC];
	mbedtls_x509_crt parsed;
	bool matches;

	put_public(key, own);
	mbedtls_x509_crt_init(&parsed);
	matches = mbedtls_x509_crt_parse_der(&parsed, certificate.at, certificate.size) == 0 &&
	          parsed.raw.len == certificate.size && parsed.pk_raw.len == PUBLIC &&
	          memcmp(parsed.pk_raw.p, own, PUBLIC) == 0;
	mbedtls_x509_crt_free(&parsed);
	return matches;
}
