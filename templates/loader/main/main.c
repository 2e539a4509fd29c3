/*
 * The loader, from top to bottom. It starts what the board has, hands it to the
 * core, and restarts when the core has chosen an application. It decides nothing.
 *
 * esp_app_get_description, for the version by which boards tell loaders apart: 5.0 to 6.x.
 */
#include <stdio.h>

#include "board.h"
#include "credential.h"
#include "esp_app_desc.h"
#include "esp_system.h"
#include "sdkconfig.h"
#include "tcpboot_chip.h"

/* What is too large for a stack. A slot has 3 MiB at most, and a chunk a sector at least. */
static struct tb_board board;
static uint8_t chunk[TB_MAX_CHUNK];
static uint8_t list[0x300000 / TB_SECTOR * TB_DIGEST];

static struct tb_build build(void) {
	return (struct tb_build){
		.hardware = CONFIG_TCPBOOT_HARDWARE,
		.channel = CONFIG_TCPBOOT_CHANNEL,
		.chip = CONFIG_IDF_FIRMWARE_CHIP_ID,
		.counter = {CONFIG_TCPBOOT_GENERATION, CONFIG_TCPBOOT_COUNTER},
		.document = site_document(),
		.record = chip_record(),
	};
}

/* Field by field: a whole struct tb_board does not fit on the stack on its way. */
static void assemble(void) {
	board.build = build();
	board.network = tls_network();
	board.credentials = credential_functions();
	board.slot = flash_slot();
	board.store = flash_store();
	board.boot = boot_orders();
	board.crypto = psa_functions();
	board.clock = clock_functions();
	board.log = log_functions();
	board.chunk = chunk;
	board.chunk_size = sizeof chunk;
	board.list = list;
	board.list_size = sizeof list;
}

void app_main(void); /* ESP-IDF calls it, and declares it nowhere */

void app_main(void) {
	enum tb_result r;

	network_start(); /* first: a radio that runs is what feeds the random numbers */
	if (!psa_start()) {
		printf("stays: no random numbers\n");
		return;
	}
	assemble();
	if (!tb_loader_version(esp_app_get_description()->version, board.build.loader)) {
		printf("stays: its own version is not of three numbers\n");
		return;
	}
	r = tb_open(&board);
	if (r != TB_OK) {
		printf("stays: the site document that is built in: %s\n", tb_result_name(r));
		return;
	}
	tb_run(&board);
	esp_restart();
}
