/*
 * Opening the partition of credentials, over the images that the Go package pki/nvs is
 * tested with: a loader opens its own form with the board's keys, and leaves the other
 * alone, which NVS would take for damage and erase. Built once for each form.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "credential.h"
#include "esp_partition.h"
#include "esp_rom_crc.h"
#include "nvs_flash.h"
#include "sdkconfig.h"

#if CONFIG_NVS_SEC_KEY_PROTECT_USING_HMAC
#include "nvs_sec_provider.h"
#endif

enum how { LEFT_ALONE, IN_THE_CLEAR, BY_KEYS };

static struct {
	uint8_t image[0x7000];
	esp_partition_t partition;
	const char *keys; /* NULL: the board has none */
	enum how opened;
} board;

/* ---- what ESP-IDF declares ---- */

const esp_partition_t *esp_partition_find_first(esp_partition_type_t type, esp_partition_subtype_t subtype, const char *label) {
	static const esp_partition_t keys = {.subtype = ESP_PARTITION_SUBTYPE_DATA_NVS_KEYS};

	assert(type == ESP_PARTITION_TYPE_DATA);
	if (subtype == ESP_PARTITION_SUBTYPE_DATA_NVS_KEYS)
		return board.keys != NULL ? &keys : NULL;
	assert(subtype == ESP_PARTITION_SUBTYPE_DATA_NVS && strcmp(label, "cred") == 0);
	return board.partition.size > 0 ? &board.partition : NULL;
}

esp_err_t esp_partition_read(const esp_partition_t *partition, size_t offset, void *to, size_t size) {
	assert(partition == &board.partition && offset + size <= partition->size);
	memcpy(to, board.image + offset, size);
	return ESP_OK;
}

uint32_t esp_rom_crc32_le(uint32_t crc, uint8_t const *bytes, uint32_t size) {
	crc = ~crc;
	for (; size > 0; size--, bytes++) {
		crc ^= *bytes;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

esp_err_t nvs_flash_init_partition(const char *label) {
	assert(strcmp(label, "cred") == 0);
	board.opened = IN_THE_CLEAR;
	return ESP_OK;
}

esp_err_t nvs_flash_secure_init_partition(const char *label, nvs_sec_cfg_t *keys) {
	assert(strcmp(label, "cred") == 0 && memcmp(keys->eky, board.keys, 4) == 0);
	board.opened = BY_KEYS;
	return ESP_OK;
}

static esp_err_t give(nvs_sec_cfg_t *keys) {
	if (board.keys == NULL)
		return -1;
	memcpy(keys->eky, board.keys, 4);
	return ESP_OK;
}

#if CONFIG_NVS_SEC_KEY_PROTECT_USING_HMAC
esp_err_t nvs_sec_provider_register_hmac(const nvs_sec_config_hmac_t *config, nvs_sec_scheme_t **scheme) {
	static nvs_sec_scheme_t registered;

	assert(config->hmac_key_id == CONFIG_NVS_SEC_HMAC_EFUSE_KEY_ID);
	*scheme = &registered;
	return ESP_OK;
}

esp_err_t nvs_flash_read_security_cfg_v2(nvs_sec_scheme_t *scheme, nvs_sec_cfg_t *keys) {
	assert(scheme != NULL);
	return give(keys);
}
#else
esp_err_t nvs_flash_read_security_cfg(const esp_partition_t *partition, nvs_sec_cfg_t *keys) {
	return partition != NULL ? give(keys) : -1;
}
#endif

/* ---- the forms ---- */

#if CONFIG_NVS_ENCRYPTION
static const enum how plain = LEFT_ALONE, encrypted = BY_KEYS, blank = BY_KEYS, keyless = LEFT_ALONE;
#else
static const enum how plain = IN_THE_CLEAR, encrypted = LEFT_ALONE, blank = IN_THE_CLEAR, keyless = IN_THE_CLEAR;
#endif

/* What becomes of an image, as its file has it or blank. */
static enum how open_image(const char *folder, const char *name, const char *keys) {
	char path[512];
	FILE *f;

	memset(&board, 0, sizeof board);
	memset(board.image, 0xff, sizeof board.image);
	strcpy(board.partition.label, "cred");
	board.partition.size = sizeof board.image;
	board.keys = keys;
	if (name != NULL) {
		snprintf(path, sizeof path, "%s/%s", folder, name);
		assert((f = fopen(path, "rb")) != NULL);
		assert(fread(board.image, 1, sizeof board.image, f) >= 0x1000);
		fclose(f);
	}
	assert(credential_partition() == (board.opened != LEFT_ALONE));
	return board.opened;
}

/* A first page that NVS has emptied, and a first entry that power has spoilt, say nothing of the others. */
static void test_pages(const char *folder) {
	assert(open_image(folder, "multipage.bin", "keys") == plain);
	memset(board.image, 0xff, 0x1000);
	board.opened = LEFT_ALONE;
	assert(credential_partition() == (plain != LEFT_ALONE));
	assert(open_image(folder, "multipage.bin", "keys") == plain);
	board.image[64] ^= 1;
	board.opened = LEFT_ALONE;
	assert(credential_partition() == (plain != LEFT_ALONE));
}

int main(int argc, char **argv) {
	assert(argc == 2);
	assert(open_image(argv[1], "device.bin", "keys") == plain);
	assert(open_image(argv[1], "edges.bin", "keys") == plain);
	assert(open_image(argv[1], "device-enc.bin", "keys") == encrypted);
	assert(open_image(argv[1], "edges-enc.bin", "keys") == encrypted);
	assert(open_image(argv[1], "device-enc.bin", NULL) == LEFT_ALONE);
	assert(open_image(argv[1], NULL, "keys") == blank);
	assert(open_image(argv[1], NULL, NULL) == keyless);
	test_pages(argv[1]);
	board.partition.size = 0;
	assert(!credential_partition());
	puts("partition: opened in its own form alone");
	return 0;
}
