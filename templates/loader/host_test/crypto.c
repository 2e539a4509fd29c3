#include "crypto.h"

#include <mbedtls/ecdsa.h>
#include <mbedtls/sha256.h>
#include <stdlib.h>
#include <string.h>

static mbedtls_sha256_context hash;

static void must(int failed) {
	if (failed)
		abort();
}

static void start(void *context) {
	(void)context;
	mbedtls_sha256_init(&hash);
	must(mbedtls_sha256_starts_ret(&hash, 0));
}

static void add(void *context, const void *bytes, size_t size) {
	(void)context;
	must(mbedtls_sha256_update_ret(&hash, bytes, size));
}

static void finish(void *context, uint8_t digest[TB_DIGEST]) {
	(void)context;
	must(mbedtls_sha256_finish_ret(&hash, digest));
	mbedtls_sha256_free(&hash);
}

/* Reads key as SEC 1 has a point: 04, x, y. */
static bool read_point(mbedtls_ecp_group *group, mbedtls_ecp_point *q, const uint8_t key[TB_KEY]) {
	uint8_t sec1[1 + TB_KEY] = {4};

	memcpy(sec1 + 1, key, TB_KEY);
	return mbedtls_ecp_group_load(group, MBEDTLS_ECP_DP_SECP256R1) == 0 &&
	       mbedtls_ecp_point_read_binary(group, q, sec1, sizeof sec1) == 0 && mbedtls_ecp_check_pubkey(group, q) == 0;
}

static bool point(void *context, const uint8_t key[TB_KEY]) {
	mbedtls_ecp_group group;
	mbedtls_ecp_point q;
	bool ok;

	(void)context;
	mbedtls_ecp_group_init(&group);
	mbedtls_ecp_point_init(&q);
	ok = read_point(&group, &q, key);
	mbedtls_ecp_point_free(&q);
	mbedtls_ecp_group_free(&group);
	return ok;
}

static bool verify(void *context, const uint8_t key[TB_KEY], const uint8_t digest[TB_DIGEST],
                   const uint8_t signature[TB_SIGNATURE]) {
	mbedtls_ecp_group group;
	mbedtls_ecp_point q;
	mbedtls_mpi r, s;
	bool ok;

	(void)context;
	mbedtls_ecp_group_init(&group);
	mbedtls_ecp_point_init(&q);
	mbedtls_mpi_init(&r);
	mbedtls_mpi_init(&s);
	ok = read_point(&group, &q, key) && mbedtls_mpi_read_binary(&r, signature, 32) == 0 &&
	     mbedtls_mpi_read_binary(&s, signature + 32, 32) == 0 &&
	     mbedtls_ecdsa_verify(&group, digest, TB_DIGEST, &q, &r, &s) == 0;
	mbedtls_mpi_free(&s);
	mbedtls_mpi_free(&r);
	mbedtls_ecp_point_free(&q);
	mbedtls_ecp_group_free(&group);
	return ok;
}

struct tb_crypto desk_crypto(void) {
	return (struct tb_crypto){NULL, start, add, finish, point, verify};
}
