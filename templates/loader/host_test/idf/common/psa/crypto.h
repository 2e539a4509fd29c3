#pragma once
#include <stddef.h>
#include <stdint.h>
typedef int32_t psa_status_t;
typedef uint32_t psa_algorithm_t, psa_key_usage_t, psa_key_id_t;
typedef uint16_t psa_key_type_t;
typedef struct { int unused; } psa_hash_operation_t, psa_key_attributes_t;
#define PSA_SUCCESS ((psa_status_t)0)
#define PSA_ALG_SHA_256 ((psa_algorithm_t)0x02000009)
#define PSA_ALG_ECDSA(hash) ((psa_algorithm_t)(0x06000600 | ((hash) & 0xff)))
#define PSA_ECC_FAMILY_SECP_R1 0x12
#define PSA_KEY_TYPE_ECC_PUBLIC_KEY(family) ((psa_key_type_t)(0x4100 | (family)))
#define PSA_KEY_TYPE_ECC_KEY_PAIR(family) ((psa_key_type_t)(0x7100 | (family)))
#define PSA_KEY_USAGE_EXPORT ((psa_key_usage_t)0x0001)
#define PSA_KEY_USAGE_SIGN_HASH ((psa_key_usage_t)0x1000)
#define PSA_KEY_USAGE_VERIFY_HASH ((psa_key_usage_t)0x2000)
psa_status_t psa_crypto_init(void);
psa_status_t psa_hash_abort(psa_hash_operation_t *operation);
psa_status_t psa_hash_setup(psa_hash_operation_t *operation, psa_algorithm_t algorithm);
psa_status_t psa_hash_update(psa_hash_operation_t *operation, const uint8_t *bytes, size_t size);
psa_status_t psa_hash_finish(psa_hash_operation_t *operation, uint8_t *hash, size_t room, size_t *size);
psa_status_t psa_hash_compute(psa_algorithm_t algorithm, const uint8_t *bytes, size_t n, uint8_t *hash, size_t room, size_t *size);
psa_key_attributes_t psa_key_attributes_init(void);
void psa_set_key_type(psa_key_attributes_t *attributes, psa_key_type_t type);
void psa_set_key_bits(psa_key_attributes_t *attributes, size_t bits);
void psa_set_key_usage_flags(psa_key_attributes_t *attributes, psa_key_usage_t usage);
void psa_set_key_algorithm(psa_key_attributes_t *attributes, psa_algorithm_t algorithm);
psa_status_t psa_import_key(const psa_key_attributes_t *attributes, const uint8_t *bytes, size_t size, psa_key_id_t *key);
psa_status_t psa_generate_key(const psa_key_attributes_t *attributes, psa_key_id_t *key);
psa_status_t psa_export_key(psa_key_id_t key, uint8_t *bytes, size_t room, size_t *size);
psa_status_t psa_export_public_key(psa_key_id_t key, uint8_t *bytes, size_t room, size_t *size);
psa_status_t psa_sign_hash(psa_key_id_t key, psa_algorithm_t algorithm, const uint8_t *hash, size_t n, uint8_t *signature,
                           size_t room, size_t *size);
psa_status_t psa_destroy_key(psa_key_id_t key);
psa_status_t psa_verify_hash(psa_key_id_t key, psa_algorithm_t algorithm, const uint8_t *hash, size_t n,
                             const uint8_t *signature, size_t size);
