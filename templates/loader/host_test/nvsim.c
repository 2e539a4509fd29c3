#include "nvsim.h"

#include <assert.h>
#include <string.h>

#include "esp_rom_crc.h"
#include "nvs.h"
#include "nvs_flash.h"

struct nvsim nvsim;
struct nor *nvsim_power;
const char *nvsim_keys;

static struct nvsim_entry *find(struct nvsim_entry *table, uint32_t slot, const char *key) {
	for (size_t i = 0; i < NVSIM_ENTRIES; i++)
		if (table[i].key[0] != 0 && table[i].slot == slot && strcmp(table[i].key, key) == 0)
			return &table[i];
	return NULL;
}

static void apply(struct nvsim_entry *table, const struct nvsim_entry *change) {
	struct nvsim_entry *e = find(table, change->slot, change->key);

	for (size_t i = 0; e == NULL && i < NVSIM_ENTRIES; i++)
		if (table[i].key[0] == 0)
			e = &table[i];
	assert(e != NULL);
	*e = *change;
	if (e->size == 0)
		e->key[0] = 0;
}

/* What of the pending changes is on disk when power fails. */
static void fail(size_t changes) {
	struct nor *n = nvsim_power;

	for (size_t i = 0; i < changes; i++) {
		n->seed = n->seed * 1664525 + 1013904223;
		if (n->tear == TEAR_WHOLE || (n->tear == TEAR_PART && (n->seed >> 16) % 2 == 0))
			apply(nvsim.disk, &nvsim.pending[i]);
	}
	memcpy(nvsim.live, nvsim.disk, sizeof nvsim.live);
	nvsim.waiting = 0;
	longjmp(n->power, 1);
}

static esp_err_t change(const struct nvsim_entry *e) {
	assert(nvsim.waiting < NVSIM_PENDING);
	nvsim.pending[nvsim.waiting++] = *e;
	if (nvsim_power->operations++ == nvsim_power->cut)
		fail(nvsim.waiting);
	apply(nvsim.live, e);
	return ESP_OK;
}

static struct nvsim_entry entry(uint32_t slot, const char *key, const void *value, size_t size) {
	struct nvsim_entry e = {.slot = slot, .size = size};

	assert(strlen(key) < sizeof e.key && size <= sizeof e.value);
	memcpy(e.key, key, strlen(key));
	if (size > 0)
		memcpy(e.value, value, size);
	return e;
}

void nvsim_put(uint32_t slot, const char *key, const void *value, size_t size) {
	struct nvsim_entry e = entry(slot, key, value, size);

	apply(nvsim.disk, &e);
	apply(nvsim.live, &e);
}

/* ---- what nvs.h declares ---- */

const esp_partition_t *esp_partition_find_first(esp_partition_type_t type, esp_partition_subtype_t subtype, const char *label) {
	static const esp_partition_t cred = {.label = "cred"}, keys = {.label = "nvs_keys"};

	assert(type == ESP_PARTITION_TYPE_DATA && (label == NULL) == (subtype == ESP_PARTITION_SUBTYPE_DATA_NVS_KEYS));
	return label == NULL ? &keys : &cred;
}

/* The partition has no bytes, so nobody asks for any. */
esp_err_t esp_partition_read(const esp_partition_t *partition, size_t offset, void *to, size_t size) {
	(void)partition, (void)offset, (void)to, (void)size;
	return -1;
}

uint32_t esp_rom_crc32_le(uint32_t crc, uint8_t const *bytes, uint32_t size) {
	(void)bytes, (void)size;
	return crc;
}

esp_err_t nvs_flash_init_partition(const char *label) {
	assert(nvsim_keys == NULL);
	return strcmp(label, "cred") == 0 ? ESP_OK : -1;
}

esp_err_t nvs_flash_read_security_cfg(const esp_partition_t *partition, nvs_sec_cfg_t *keys) {
	assert(nvsim_keys != NULL && strcmp(partition->label, "nvs_keys") == 0);
	memcpy(keys->eky, nvsim_keys, sizeof keys->eky);
	memcpy(keys->tky, nvsim_keys, sizeof keys->tky);
	return ESP_OK;
}

esp_err_t nvs_flash_secure_init_partition(const char *label, nvs_sec_cfg_t *keys) {
	assert(nvsim_keys != NULL && memcmp(keys->eky, nvsim_keys, sizeof keys->eky) == 0);
	return strcmp(label, "cred") == 0 ? ESP_OK : -1;
}

/* A namespace that is only read is not made. */
esp_err_t nvs_open_from_partition(const char *label, const char *name, nvs_open_mode_t mode, nvs_handle_t *handle) {
	assert(strcmp(label, "cred") == 0 && strlen(name) == 5);
	*handle = (uint32_t)(name[4] - '0');
	for (size_t i = 0; i < NVSIM_ENTRIES; i++)
		if (nvsim.live[i].key[0] != 0 && nvsim.live[i].slot == *handle)
			return ESP_OK;
	return mode == NVS_READWRITE ? ESP_OK : -1;
}

static esp_err_t get(nvs_handle_t handle, const char *key, void *value, size_t *size) {
	struct nvsim_entry *e = find(nvsim.live, handle, key);

	if (e == NULL || (value != NULL && e->size > *size))
		return -1;
	*size = e->size;
	if (value != NULL)
		memcpy(value, e->value, e->size);
	return ESP_OK;
}

esp_err_t nvs_get_u8(nvs_handle_t handle, const char *key, uint8_t *value) {
	return get(handle, key, value, &(size_t){sizeof *value});
}

esp_err_t nvs_get_u16(nvs_handle_t handle, const char *key, uint16_t *value) {
	return get(handle, key, value, &(size_t){sizeof *value});
}

esp_err_t nvs_get_u64(nvs_handle_t handle, const char *key, uint64_t *value) {
	return get(handle, key, value, &(size_t){sizeof *value});
}

esp_err_t nvs_get_str(nvs_handle_t handle, const char *key, char *value, size_t *size) {
	return get(handle, key, value, size);
}

esp_err_t nvs_get_blob(nvs_handle_t handle, const char *key, void *value, size_t *size) {
	return get(handle, key, value, size);
}

static esp_err_t set(nvs_handle_t handle, const char *key, const void *value, size_t size) {
	struct nvsim_entry e = entry(handle, key, value, size);

	return change(&e);
}

esp_err_t nvs_set_u8(nvs_handle_t handle, const char *key, uint8_t value) {
	return set(handle, key, &value, sizeof value);
}

esp_err_t nvs_set_u16(nvs_handle_t handle, const char *key, uint16_t value) {
	return set(handle, key, &value, sizeof value);
}

esp_err_t nvs_set_u64(nvs_handle_t handle, const char *key, uint64_t value) {
	return set(handle, key, &value, sizeof value);
}

esp_err_t nvs_set_str(nvs_handle_t handle, const char *key, const char *value) {
	return set(handle, key, value, strlen(value) + 1);
}

esp_err_t nvs_set_blob(nvs_handle_t handle, const char *key, const void *value, size_t size) {
	return set(handle, key, value, size);
}

esp_err_t nvs_erase_key(nvs_handle_t handle, const char *key) {
	return find(nvsim.live, handle, key) != NULL ? set(handle, key, NULL, 0) : -1;
}

esp_err_t nvs_erase_all(nvs_handle_t handle) {
	for (size_t i = 0; i < NVSIM_ENTRIES; i++)
		if (nvsim.live[i].key[0] != 0 && nvsim.live[i].slot == handle)
			(void)nvs_erase_key(handle, nvsim.live[i].key);
	return ESP_OK;
}

esp_err_t nvs_commit(nvs_handle_t handle) {
	(void)handle;
	if (nvsim_power->operations++ == nvsim_power->cut)
		fail(nvsim.waiting);
	memcpy(nvsim.disk, nvsim.live, sizeof nvsim.disk);
	nvsim.waiting = 0;
	return ESP_OK;
}

void nvs_close(nvs_handle_t handle) {
	(void)handle;
}
