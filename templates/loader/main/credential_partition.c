/*
 * Opens the partition of credentials: in the clear, or under the board's keys where
 * ESP-IDF encrypts NVS (CONFIG_NVS_ENCRYPTION). The keys lie in a partition of subtype
 * nvs_keys, which flash encryption protects, or are derived from a key in an eFuse block
 * (CONFIG_NVS_SEC_KEY_PROTECT_USING_HMAC). They are read and never made here: who
 * encrypted the partition gave the board its keys.
 *
 * NVS takes what it cannot read for damage, and erases it. So a loader that was built for
 * the other form leaves the partition alone, and a better one still finds the credential.
 * Keys of another board are not told apart from damage.
 *
 * esp_partition_find_first, _read, esp_rom_crc32_le, nvs_flash_init_partition,
 * nvs_flash_secure_init_partition, nvs_flash_read_security_cfg: 5.1 to 6.x;
 * nvs_sec_provider_register_hmac, nvs_flash_read_security_cfg_v2: 5.2 to 6.x.
 */
#include <stdio.h>

#include "credential.h"
#include "esp_partition.h"
#include "esp_rom_crc.h"
#include "nvs_flash.h"
#include "sdkconfig.h"

/* A page begins with its head, two bits for each entry that say whether it is used, and the first entry. */
enum { PAGE = 4096, STATES = 32, ENTRY = 64, HEAD = 96, UNUSED = 3 };

/* An entry in the clear bears the checksum of all else in it. */
static bool is_clear(const uint8_t entry[HEAD - ENTRY]) {
	uint32_t crc = esp_rom_crc32_le(esp_rom_crc32_le(UINT32_MAX, entry, 4), entry + 8, 24);

	return crc == (entry[4] | (uint32_t)entry[5] << 8 | (uint32_t)entry[6] << 16 | (uint32_t)entry[7] << 24);
}

/* Whether what lies there is of that form; a blank partition is of both. */
static bool has_form(const esp_partition_t *p, bool encrypted) {
	uint8_t head[HEAD];
	bool used = false, clear = false;

	for (uint32_t page = 0; page < p->size; page += PAGE) {
		if (esp_partition_read(p, page, head, sizeof head) != ESP_OK)
			return false;
		if ((head[STATES] & UNUSED) == UNUSED)
			continue;
		used = true;
		clear = clear || is_clear(head + ENTRY);
	}
	return !used || clear == !encrypted;
}

#if CONFIG_NVS_ENCRYPTION
enum { ENCRYPTED = true };

#if CONFIG_NVS_SEC_KEY_PROTECT_USING_HMAC
#include "nvs_sec_provider.h"

static esp_err_t read_keys(nvs_sec_cfg_t *keys) {
	nvs_sec_config_hmac_t block = NVS_SEC_PROVIDER_CFG_HMAC_DEFAULT();
	nvs_sec_scheme_t *scheme;
	esp_err_t err = nvs_sec_provider_register_hmac(&block, &scheme);

	return err == ESP_OK ? nvs_flash_read_security_cfg_v2(scheme, keys) : err;
}
#else
static esp_err_t read_keys(nvs_sec_cfg_t *keys) {
	return nvs_flash_read_security_cfg(
		esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_DATA_NVS_KEYS, NULL), keys);
}
#endif

static bool mount(void) {
	nvs_sec_cfg_t keys;

	if (read_keys(&keys) == ESP_OK)
		return nvs_flash_secure_init_partition(CONFIG_TCPBOOT_CRED_PARTITION, &keys) == ESP_OK;
	printf("no keys for partition %s\n", CONFIG_TCPBOOT_CRED_PARTITION);
	return false;
}
#else
enum { ENCRYPTED = false };

static bool mount(void) {
	return nvs_flash_init_partition(CONFIG_TCPBOOT_CRED_PARTITION) == ESP_OK;
}
#endif

bool credential_partition(void) {
	const esp_partition_t *p =
		esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_DATA_NVS, CONFIG_TCPBOOT_CRED_PARTITION);

	if (p == NULL)
		return false;
	if (has_form(p, ENCRYPTED))
		return mount();
	printf("left alone: partition %s is %s\n", p->label,
	       ENCRYPTED ? "in the clear, and this loader opens it by keys" : "encrypted, and this loader has no keys");
	return false;
}
