/*
 * The application's side on a chip.
 *
 * esp_ota_mark_app_valid_cancel_rollback, esp_restart: 5.1 to 6.x.
 */
#include <stdlib.h>

#include "esp_ota_ops.h"
#include "esp_partition.h"
#include "esp_system.h"
#include "sdkconfig.h"
#include "tcpboot_app.h"
#include "tcpboot_chip.h"

static struct tb_flash state(void) {
	struct tb_flash store =
		chip_flash(ESP_PARTITION_TYPE_ANY, ESP_PARTITION_SUBTYPE_ANY, CONFIG_TCPBOOT_APP_STATE_PARTITION);

	if (store.size < TB_STORE_SIZE)
		store.size = 0;
	return store;
}

enum tb_result tcpboot_confirm(void) {
	struct tb_flash store = state();

	if (esp_ota_mark_app_valid_cancel_rollback() != ESP_OK)
		return TB_FLASH;
	return tb_confirm(&store);
}

enum tb_result tcpboot_return_to_loader(void) {
	enum tb_result r = chip_forget();

	if (r == TB_OK)
		esp_restart();
	return r;
}

/* ---- a newer loader ---- */

/* By what this application was built with: it may want the new loader signed by its own key. */
static enum tb_result check(void *context) {
	(void)context;
	return chip_check(ESP_PARTITION_SUBTYPE_APP_FACTORY);
}

static enum tb_result start_loader(void *context) {
	(void)context;
	return chip_forget();
}

static enum tb_result stay(void *context) {
	(void)context;
	return esp_ota_mark_app_valid_cancel_rollback() == ESP_OK ? TB_OK : TB_FLASH;
}

static enum tb_result joined(void *context, const struct tb_peer *peer, uint32_t limit) {
	(void)context;
	(void)peer;
	(void)limit;
	return TB_OK;
}

/* What is too large for a stack, for as long as it takes. */
struct room {
	struct tb_board board;
	struct chip_identity own;
	uint8_t chunk[TB_MAX_CHUNK];
	uint8_t list[0x100000 / TB_SECTOR * TB_DIGEST]; /* of a loader of 1 MiB */
};

static void assemble(struct room *room, const struct tcpboot_site *site) {
	struct tb_board *b = &room->board;

	room->own = (struct chip_identity){site->certificate, site->key, site->servers_root, 0};
	b->build.hardware = site->hardware;
	b->build.chip = CONFIG_IDF_FIRMWARE_CHIP_ID;
	b->build.document = site->document;
	b->build.record = chip_record();
	b->network = chip_network(&room->own);
	b->network.join = joined;
	b->slot = chip_flash(ESP_PARTITION_TYPE_APP, ESP_PARTITION_SUBTYPE_APP_FACTORY, NULL);
	b->store = state();
	b->boot = (struct tb_boot){NULL, check, start_loader, stay};
	b->crypto = psa_functions();
	b->clock = clock_functions();
	b->log = log_functions();
	b->chunk = room->chunk;
	b->chunk_size = sizeof room->chunk;
	b->list = room->list;
	b->list_size = sizeof room->list;
}

enum tb_result tcpboot_update_loader(const struct tcpboot_site *site) {
	struct room *room = psa_start() ? calloc(1, sizeof *room) : NULL;
	enum tb_result r = TB_NETWORK;

	if (room == NULL)
		return TB_LATER;
	assemble(room, site);
	for (int i = 0; i < TB_MAX_ENDPOINTS && r == TB_NETWORK; i++) /* each time another one of the site's */
		r = tb_update_loader(&room->board);
	free(room);
	return r;
}
