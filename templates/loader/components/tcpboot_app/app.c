/*
 * The application's side on a chip.
 *
 * esp_ota_mark_app_valid_cancel_rollback, esp_restart: 5.1 to 6.x.
 */
#include "esp_ota_ops.h"
#include "esp_partition.h"
#include "esp_system.h"
#include "sdkconfig.h"
#include "tcpboot_chip.h"
#include "update.h"

enum tb_result tcpboot_confirm(void) {
	struct tb_flash store =
		chip_flash(ESP_PARTITION_TYPE_ANY, ESP_PARTITION_SUBTYPE_ANY, CONFIG_TCPBOOT_APP_STATE_PARTITION);

	if (esp_ota_mark_app_valid_cancel_rollback() != ESP_OK)
		return TB_FLASH;
	return store.size >= TB_STORE_SIZE ? tb_confirm(&store) : TB_NOTHING;
}

enum tb_result tcpboot_return_to_loader(void) {
	enum tb_result r = chip_forget();

	if (r == TB_OK)
		esp_restart();
	return r;
}

static enum tb_result confirm(void *context) {
	(void)context;
	return tcpboot_confirm();
}

/* By the key of this application: the new loader must be signed by the same. */
static enum tb_result check(void *context) {
	(void)context;
	return chip_check(ESP_PARTITION_SUBTYPE_APP_FACTORY);
}

static enum tb_result forget(void *context) {
	(void)context;
	return chip_forget();
}

enum tb_result tcpboot_update_loader(const struct tcpboot_image *image) {
	const struct update u = {
		.factory = chip_flash(ESP_PARTITION_TYPE_APP, ESP_PARTITION_SUBTYPE_APP_FACTORY, NULL),
		.crypto = psa_functions(),
		.confirm = confirm,
		.check = check,
		.forget = forget,
	};

	return psa_start() ? update_loader(&u, image) : TB_FLASH;
}
