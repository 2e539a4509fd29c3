/*
 * Keys and requests of components/tcpboot_chip/key.c, whose DER is put together by hand:
 * numbers of every length, with and without a high bit; and keys with their requests, read
 * and verified by Mbed TLS.
 */
#include <assert.h>
#include <mbedtls/asn1.h>
#include <mbedtls/pk.h>
#include <mbedtls/sha256.h>
#include <mbedtls/x509_csr.h>
#include <stdio.h>

#include "../components/tcpboot_chip/key.c"

/* A number with so many leading zeros, and what stands behind them. */
static void number(uint8_t to[NUMBER], int zeros, uint8_t first) {
	memset(to, 0, NUMBER);
	memset(to + zeros, 0xaa, (size_t)(NUMBER - zeros));
	to[zeros] = first;
}

static void same(uint8_t **at, const uint8_t *end, const uint8_t want[NUMBER]) {
	mbedtls_mpi is, should;

	mbedtls_mpi_init(&is);
	mbedtls_mpi_init(&should);
	assert(mbedtls_asn1_get_mpi(at, end, &is) == 0 && mbedtls_mpi_read_binary(&should, want, NUMBER) == 0);
	assert(mbedtls_mpi_cmp_mpi(&is, &should) == 0 && is.s > 0);
	mbedtls_mpi_free(&is);
	mbedtls_mpi_free(&should);
}

static void test_signature(const uint8_t signature[SIGNATURE]) {
	uint8_t der[80], *at = der, *end = put_signature(der, signature);
	size_t size;

	assert(end <= der + 75 && mbedtls_asn1_get_bitstring_null(&at, end, &size) == 0 && size == (size_t)(end - at));
	assert(mbedtls_asn1_get_tag(&at, end, &size, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE) == 0);
	assert(size == (size_t)(end - at));
	assert(at[2] < 0x80 && (at[2] > 0 || at[3] >= 0x80)); /* no longer than it must be, and not below zero */
	same(&at, end, signature);
	assert(at[2] < 0x80 && (at[2] > 0 || at[3] >= 0x80));
	same(&at, end, signature + NUMBER);
	assert(at == end);
}

static void test_signatures(void) {
	static const uint8_t firsts[] = {0x01, 0x7f, 0x80, 0xff};
	uint8_t signature[SIGNATURE];

	for (int r = 0; r < NUMBER; r++)
		for (int s = 0; s < NUMBER; s++)
			for (size_t i = 0; i < 16; i++) {
				number(signature, r, firsts[i / 4]);
				number(signature + NUMBER, s, firsts[i % 4]);
				test_signature(signature);
			}
}

static void test_key(void) {
	uint8_t key[CHIP_KEY], request[TB_MAX_REQUEST], digest[TB_DIGEST];
	size_t size;
	mbedtls_pk_context pair;
	mbedtls_x509_csr parsed;

	mbedtls_pk_init(&pair);
	mbedtls_x509_csr_init(&parsed);
	assert(key_new(key) && (size = key_request(key, "246f28aa1002", request, sizeof request)) > 0);
	assert(mbedtls_pk_parse_key(&pair, key, sizeof key, NULL, 0) == 0);
	assert(mbedtls_x509_csr_parse_der(&parsed, request, size) == 0 && parsed.raw.len == size);
	assert(mbedtls_pk_check_pair(&parsed.pk, &pair) == 0);
	mbedtls_sha256_ret(parsed.cri.p, parsed.cri.len, digest, 0);
	assert(mbedtls_pk_verify(&parsed.pk, MBEDTLS_MD_SHA256, digest, sizeof digest, parsed.sig.p, parsed.sig.len) == 0);
	mbedtls_pk_free(&pair);
	mbedtls_x509_csr_free(&parsed);
}

/* A name that is no MAC, and no room. */
static void test_refused(void) {
	uint8_t key[CHIP_KEY], request[TB_MAX_REQUEST];

	assert(key_new(key) && key_request(key, "246f28aa100", request, sizeof request) == 0);
	assert(key_request(key, "246f28aa10020", request, sizeof request) == 0);
	assert(key_request(key, "246f28aa1002", request, 255) == 0);
}

int main(void) {
	enum { KEYS = 64 };

	test_signatures();
	test_refused();
	for (int i = 0; i < KEYS; i++)
		test_key();
	printf("key: %d keys with their requests, and signatures of every length\n", KEYS);
	return 0;
}
