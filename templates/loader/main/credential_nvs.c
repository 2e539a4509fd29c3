/*
 * Credentials from an NVS partition of their own, which `tcpboot loader export
 * --nvs` fills. It has two slots, cred0 and cred1, alike in their names; package
 * delivery specifies them. The slot with the later generation is tried first.
 *
 * The partition is opened for reading alone, and never erased when it does not
 * open: what is lost there nobody but the site can give back.
 *
 * nvs_flash_init_partition, nvs_open_from_partition, nvs_get_u8, nvs_get_u64,
 * nvs_get_str, nvs_get_blob, nvs_close: 5.1 to 6.x.
 */
#include <stdio.h>

#include "credential.h"
#include "nvs.h"
#include "nvs_flash.h"
#include "sdkconfig.h"

enum { SLOTS = 2, LAYOUT = 1 };

/* Each slot has room of its own: Wi-Fi may still use one when the other is read. */
static struct room {
	char identity[TB_MAX_NAME + 1];
	char password[TB_MAX_NAME + 1];
	char ssid[33];
	uint8_t certificate[2048];
	uint8_t key[2560]; /* RSA of 4096 bits */
	uint8_t radius_root[2048];
} rooms[SLOTS];

static struct credential credentials[SLOTS];
static const char *const slot_names[SLOTS] = {"cred0", "cred1"};
static unsigned slot = SLOTS; /* the one that is held; SLOTS: none yet */

static bool open_slot(unsigned which, nvs_handle_t *nvs) {
	uint8_t layout = 0;

	if (nvs_open_from_partition(CONFIG_TCPBOOT_CRED_PARTITION, slot_names[which], NVS_READONLY, nvs) != ESP_OK)
		return false;
	if (nvs_get_u8(*nvs, "layout", &layout) == ESP_OK && layout == LAYOUT)
		return true;
	nvs_close(*nvs);
	return false;
}

/* Returns when the credential in a slot was issued, in seconds since 1970; 0: never. */
static uint64_t generation(unsigned which) {
	nvs_handle_t nvs;
	uint64_t seconds = 0;

	if (!open_slot(which, &nvs))
		return 0;
	if (nvs_get_u64(nvs, "generation", &seconds) != ESP_OK)
		seconds = 0;
	nvs_close(nvs);
	return seconds;
}

static bool read_text(nvs_handle_t nvs, const char *key, char *to, size_t size) {
	return nvs_get_str(nvs, key, to, &size) == ESP_OK;
}

static bool read_blob(nvs_handle_t nvs, const char *key, uint8_t *to, size_t size, struct tb_bytes *blob) {
	if (nvs_get_blob(nvs, key, to, &size) != ESP_OK)
		return false;
	*blob = (struct tb_bytes){to, size};
	return true;
}

static bool read_slot(nvs_handle_t nvs, struct room *r, struct credential *c) {
	*c = (struct credential){.identity = r->identity, .password = r->password, .ssid = r->ssid};
	return read_text(nvs, "identity", r->identity, sizeof r->identity) &&
	       read_text(nvs, "password", r->password, sizeof r->password) &&
	       read_text(nvs, "ssid", r->ssid, sizeof r->ssid) &&
	       read_blob(nvs, "client_cert", r->certificate, sizeof r->certificate, &c->certificate) &&
	       read_blob(nvs, "client_key", r->key, sizeof r->key, &c->key) &&
	       read_blob(nvs, "radius_root", r->radius_root, sizeof r->radius_root, &c->radius_root);
}

/* Holds the credential of a slot, if it is whole. */
static bool hold(unsigned which) {
	nvs_handle_t nvs;
	bool whole;

	if (!open_slot(which, &nvs))
		return false;
	whole = read_slot(nvs, &rooms[which], &credentials[which]);
	nvs_close(nvs);
	if (whole)
		slot = which;
	return whole;
}

static bool hold_latest(void) {
	unsigned latest;

	if (nvs_flash_init_partition(CONFIG_TCPBOOT_CRED_PARTITION) != ESP_OK)
		return false;
	latest = generation(1) > generation(0);
	return hold(latest) || hold(!latest);
}

const struct credential *credential_held(void) {
	if (slot < SLOTS || hold_latest())
		return &credentials[slot];
	printf("no credential in partition %s\n", CONFIG_TCPBOOT_CRED_PARTITION);
	return NULL;
}

void credential_failed(void) {
	if (slot < SLOTS)
		(void)hold(!slot);
}
