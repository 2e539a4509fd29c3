/*
 * Credentials in an NVS partition of their own, which `tcpboot loader export --nvs`
 * fills. It has two slots, cred0 and cred1, alike in their names; package delivery
 * specifies them. One is delivered, the other is for the board's own next one.
 *
 * A slot is whole when it has the key "layout" and a private key. Each change has one
 * deciding write: "layout" is written when all else is there, and the private key is
 * erased before all else. Only the slot that is not used is ever written, and what does
 * not open is not erased: what is lost there nobody but the site can give back. What is
 * erased is out of reach, and its bytes stay in flash until NVS needs the page.
 *
 * nvs_open_from_partition, nvs_get_u8, _u16, _u64, _str, _blob,
 * nvs_set_u8, _u16, _u64, _str, _blob, nvs_erase_key, nvs_erase_all, nvs_commit,
 * nvs_close: 5.1 to 6.x.
 */
#include <stdio.h>
#include <string.h>

#include "credential.h"
#include "nvs.h"
#include "sdkconfig.h"
#include "tcpboot_chip.h"

enum { SLOTS = 2, LAYOUT = 1 };

/* Each slot has room of its own: Wi-Fi may still use one when the other is read. */
static struct room {
	char identity[TB_MAX_NAME + 1];
	char password[TB_MAX_NAME + 1];
	char ssid[33];
	uint8_t certificate[TB_MAX_CERTIFICATE];
	uint8_t key[2560]; /* RSA of 4096 bits */
	uint8_t radius_root[2048];
} rooms[SLOTS];

static struct credential credentials[SLOTS];
static const char *const slot_names[SLOTS] = {"cred0", "cred1"};
static unsigned slot = SLOTS; /* the one that is used; SLOTS: none */

/* ---- reading ---- */

static bool open_slot(unsigned which, nvs_open_mode_t mode, nvs_handle_t *nvs) {
	static bool ready;

	ready = ready || credential_partition();
	return ready && nvs_open_from_partition(CONFIG_TCPBOOT_CRED_PARTITION, slot_names[which], mode, nvs) == ESP_OK;
}

static bool has(nvs_handle_t nvs, const char *blob) {
	size_t size;

	return nvs_get_blob(nvs, blob, NULL, &size) == ESP_OK;
}

static struct tb_credential look(void *context, unsigned which) {
	struct tb_credential s = {0};
	uint64_t generation = 0;
	uint8_t layout = 0;
	nvs_handle_t nvs;
	bool laid, keyed;

	(void)context;
	if (!open_slot(which, NVS_READONLY, &nvs))
		return s;
	laid = nvs_get_u8(nvs, "layout", &layout) == ESP_OK;
	keyed = has(nvs, "client_key");
	s.begun = keyed && !laid;
	if (keyed && layout == LAYOUT && nvs_get_u64(nvs, "generation", &generation) == ESP_OK)
		s.generation = (uint32_t)generation; /* seconds since 1970, until 2106 */
	if (nvs_get_u8(nvs, "tries", &s.tries) != ESP_OK)
		s.tries = 0;
	nvs_close(nvs);
	return s;
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

/* What is used already stays as it is: Wi-Fi may be looking at it. */
static void use(void *context, unsigned which) {
	nvs_handle_t nvs;
	bool whole;

	(void)context;
	if (which == slot)
		return;
	slot = SLOTS;
	if (!open_slot(which, NVS_READONLY, &nvs))
		return;
	whole = read_slot(nvs, &rooms[which], &credentials[which]);
	nvs_close(nvs);
	if (whole)
		slot = which;
}

const struct credential *credential_held(void) {
	if (slot < SLOTS)
		return &credentials[slot];
	printf("no credential in partition %s\n", CONFIG_TCPBOOT_CRED_PARTITION);
	return NULL;
}

/* ---- writing: the slot that is not used ---- */

static bool commit(nvs_handle_t nvs, bool written) {
	return nvs_commit(nvs) == ESP_OK && written;
}

static bool count(void *context, unsigned which) {
	uint8_t tries = look(context, which).tries;
	nvs_handle_t nvs;
	bool counted;

	if (!open_slot(which, NVS_READWRITE, &nvs))
		return false;
	counted = commit(nvs, nvs_set_u8(nvs, "tries", (uint8_t)(tries + 1)) == ESP_OK);
	nvs_close(nvs);
	return counted;
}

/* Reads the key that was begun in the slot, or begins one. */
static bool begin(nvs_handle_t nvs, bool begun, uint8_t key[CHIP_KEY]) {
	size_t size = CHIP_KEY;

	if (begun && nvs_get_blob(nvs, "client_key", key, &size) == ESP_OK && size == CHIP_KEY)
		return true;
	if (!commit(nvs, nvs_erase_all(nvs) == ESP_OK) || !key_new(key))
		return false;
	return commit(nvs, nvs_set_blob(nvs, "client_key", key, CHIP_KEY) == ESP_OK);
}

static size_t request(void *context, unsigned which, uint8_t *to, size_t room) {
	bool begun = look(context, which).begun;
	uint8_t *key = rooms[which].key;
	nvs_handle_t nvs;
	size_t size = 0;

	if (slot >= SLOTS || !open_slot(which, NVS_READWRITE, &nvs))
		return 0;
	if (begin(nvs, begun, key))
		size = key_request(key, credentials[slot].identity, to, room);
	nvs_close(nvs);
	return size;
}

/* What the new credential has of the old one. Of the last two this loader knows nothing. */
static bool copy(nvs_handle_t nvs, const struct credential *own) {
	char host[TB_MAX_HOST + 1];
	uint16_t port;
	nvs_handle_t old;
	bool copied = nvs_set_str(nvs, "identity", own->identity) == ESP_OK &&
	              nvs_set_str(nvs, "password", own->password) == ESP_OK &&
	              nvs_set_str(nvs, "ssid", own->ssid) == ESP_OK &&
	              nvs_set_blob(nvs, "radius_root", own->radius_root.at, own->radius_root.size) == ESP_OK;

	if (!copied || !open_slot(slot, NVS_READONLY, &old))
		return false;
	if (read_text(old, "server", host, sizeof host) && nvs_get_u16(old, "port", &port) == ESP_OK)
		copied = nvs_set_str(nvs, "server", host) == ESP_OK && nvs_set_u16(nvs, "port", port) == ESP_OK;
	nvs_close(old);
	return copied;
}

/* The last write is the one that makes the slot whole. */
static bool fill(nvs_handle_t nvs, struct tb_bytes certificate, uint64_t generation) {
	return commit(nvs, copy(nvs, &credentials[slot]) &&
	                       nvs_set_blob(nvs, "client_cert", certificate.at, certificate.size) == ESP_OK &&
	                       nvs_set_u64(nvs, "generation", generation) == ESP_OK &&
	                       nvs_set_u8(nvs, "tries", 0) == ESP_OK) &&
	       commit(nvs, nvs_set_u8(nvs, "layout", LAYOUT) == ESP_OK);
}

/* A board has no clock: its own generations follow that of its delivery, one by one. */
static bool keep(void *context, unsigned which, struct tb_bytes certificate) {
	uint8_t *key = rooms[which].key;
	size_t size = CHIP_KEY;
	nvs_handle_t nvs;
	bool kept;

	if (slot >= SLOTS || !open_slot(which, NVS_READWRITE, &nvs))
		return false;
	kept = nvs_get_blob(nvs, "client_key", key, &size) == ESP_OK && size == CHIP_KEY && key_matches(key, certificate) &&
	       fill(nvs, certificate, (uint64_t)look(context, slot).generation + 1);
	nvs_close(nvs);
	return kept;
}

static bool drop(void *context, unsigned which) {
	nvs_handle_t nvs;
	bool dropped;

	(void)context;
	memset(&rooms[which], 0, sizeof rooms[which]);
	if (!open_slot(which, NVS_READWRITE, &nvs))
		return false;
	dropped = commit(nvs, nvs_erase_key(nvs, "client_key") == ESP_OK) && commit(nvs, nvs_erase_all(nvs) == ESP_OK);
	nvs_close(nvs);
	return dropped;
}

struct tb_credentials credential_functions(void) {
	return (struct tb_credentials){NULL, look, use, count, request, keep, drop};
}
