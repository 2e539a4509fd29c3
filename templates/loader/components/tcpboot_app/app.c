/*
 * The application's side on a chip.
 *
 * esp_ota_mark_app_valid_cancel_rollback, esp_image_verify, esp_partition_find_first,
 * _read, _write, _erase_range, esp_restart: 5.1 to 6.x.
 */
#include "esp_image_format.h"
#include "esp_ota_ops.h"
#include "esp_partition.h"
#include "esp_system.h"
#include "sdkconfig.h"
#include "tcpboot_psa.h"
#include "update.h"

static bool flash_read(void *context, uint32_t offset, void *to, size_t size) {
	return esp_partition_read(context, offset, to, size) == ESP_OK;
}

static bool flash_write(void *context, uint32_t offset, const void *from, size_t size) {
	return esp_partition_write(context, offset, from, size) == ESP_OK;
}

static bool flash_erase(void *context, uint32_t offset, size_t size) {
	return esp_partition_erase_range(context, offset, size) == ESP_OK;
}

/* ESP-IDF hands partitions out as const; the functions above change none. */
static struct tb_flash flash_of(const esp_partition_t *p) {
	return (struct tb_flash){(void *)p, p != NULL ? p->size : 0, flash_read, flash_write, flash_erase};
}

static struct tb_flash factory(void) {
	return flash_of(esp_partition_find_first(ESP_PARTITION_TYPE_APP, ESP_PARTITION_SUBTYPE_APP_FACTORY, NULL));
}

enum tb_result tcpboot_confirm(void) {
	struct tb_flash store = flash_of(esp_partition_find_first(ESP_PARTITION_TYPE_ANY, ESP_PARTITION_SUBTYPE_ANY,
	                                                          CONFIG_TCPBOOT_APP_STATE_PARTITION));

	if (esp_ota_mark_app_valid_cancel_rollback() != ESP_OK)
		return TB_FLASH;
	return store.size >= TB_STORE_SIZE ? tb_confirm(&store) : TB_NOTHING;
}

static enum tb_result confirm(void *context) {
	(void)context;
	return tcpboot_confirm();
}

/* By the key of this application: the new loader must be signed by the same. */
static enum tb_result check(void *context) {
	const esp_partition_t *p =
		esp_partition_find_first(ESP_PARTITION_TYPE_APP, ESP_PARTITION_SUBTYPE_APP_FACTORY, NULL);
	esp_image_metadata_t found;

	(void)context;
	return esp_image_verify(ESP_IMAGE_VERIFY, &(esp_partition_pos_t){p->address, p->size}, &found) == ESP_OK
	               ? TB_OK : TB_BAD_IMAGE;
}

/*
 * Without a record in otadata the bootloader starts factory. esp_ota_set_boot_partition
 * would first check the loader by this application's key, and fail where they differ.
 */
static enum tb_result forget(void *context) {
	const esp_partition_t *otadata =
		esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_DATA_OTA, NULL);

	(void)context;
	if (otadata == NULL || esp_partition_erase_range(otadata, 0, otadata->size) != ESP_OK)
		return TB_FLASH;
	return TB_OK;
}

enum tb_result tcpboot_return_to_loader(void) {
	enum tb_result r = forget(NULL);

	if (r == TB_OK)
		esp_restart();
	return r;
}

enum tb_result tcpboot_update_loader(const struct tcpboot_image *image) {
	const struct update u = {factory(), psa_functions(), NULL, confirm, check, forget};

	return psa_start() ? update_loader(&u, image) : TB_FLASH;
}
