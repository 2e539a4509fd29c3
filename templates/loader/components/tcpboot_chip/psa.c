/*
 * Cryptography by PSA, which all of Mbed TLS 3.4 (ESP-IDF 5.1) to 4 (6.x) have;
 * the older functions of Mbed TLS are not public any more in 4. 6.x starts PSA by
 * itself, 5.x does not; starting it twice does nothing.
 */
#include "tcpboot_chip.h"

#include <stdlib.h>
#include <string.h>

#include "psa/crypto.h"

static psa_hash_operation_t hash;

/* A hash that was not computed must never be taken for one that was: stop. */
static void must(psa_status_t status) {
	if (status != PSA_SUCCESS)
		abort();
}

static void start(void *context) {
	(void)context;
	must(psa_hash_abort(&hash));
	must(psa_hash_setup(&hash, PSA_ALG_SHA_256));
}

static void add(void *context, const void *bytes, size_t size) {
	(void)context;
	must(psa_hash_update(&hash, bytes, size));
}

static void finish(void *context, uint8_t digest[TB_DIGEST]) {
	size_t size;

	(void)context;
	must(psa_hash_finish(&hash, digest, TB_DIGEST, &size));
}

/* Imports a point as SEC 1 has it: 04, x, y. PSA refuses what is not on the curve. */
static bool import(const uint8_t key[TB_KEY], psa_key_id_t *id) {
	psa_key_attributes_t attributes = psa_key_attributes_init();
	uint8_t sec1[1 + TB_KEY] = {4};

	memcpy(sec1 + 1, key, TB_KEY);
	psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_PUBLIC_KEY(PSA_ECC_FAMILY_SECP_R1));
	psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_VERIFY_HASH);
	psa_set_key_algorithm(&attributes, PSA_ALG_ECDSA(PSA_ALG_SHA_256));
	return psa_import_key(&attributes, sec1, sizeof sec1, id) == PSA_SUCCESS;
}

static bool point(void *context, const uint8_t key[TB_KEY]) {
	psa_key_id_t id;

	(void)context;
	if (!import(key, &id))
		return false;
	must(psa_destroy_key(id));
	return true;
}

static bool verify(void *context, const uint8_t key[TB_KEY], const uint8_t digest[TB_DIGEST],
                   const uint8_t signature[TB_SIGNATURE]) {
	psa_key_id_t id;
	psa_status_t status;

	(void)context;
	if (!import(key, &id))
		return false;
	status = psa_verify_hash(id, PSA_ALG_ECDSA(PSA_ALG_SHA_256), digest, TB_DIGEST, signature, TB_SIGNATURE);
	must(psa_destroy_key(id));
	return status == PSA_SUCCESS;
}

bool psa_start(void) {
	return psa_crypto_init() == PSA_SUCCESS;
}

struct tb_crypto psa_functions(void) {
	return (struct tb_crypto){NULL, start, add, finish, point, verify};
}
