/*
 * The two slots of a board's credentials, in an NVS of a few lines: the later one is
 * tried first, one that fails or is not whole gives way to the other, and what is not
 * there is no credential.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "credential.h"
#include "nvs.h"
#include "nvs_flash.h"

/* A slot; layout 0: there is none. A slot without a key is not whole. */
static struct {
	uint8_t layout;
	uint64_t generation;
	const char *identity;
	bool has_key;
} slots[2];

esp_err_t nvs_flash_init_partition(const char *label) {
	return strcmp(label, "cred") == 0 ? ESP_OK : -1;
}

esp_err_t nvs_open_from_partition(const char *label, const char *name, nvs_open_mode_t mode, nvs_handle_t *handle) {
	assert(strcmp(label, "cred") == 0 && mode == NVS_READONLY);
	*handle = strcmp(name, "cred1") == 0;
	return slots[*handle].layout != 0 ? ESP_OK : -1;
}

esp_err_t nvs_get_u8(nvs_handle_t handle, const char *key, uint8_t *value) {
	*value = slots[handle].layout;
	return strcmp(key, "layout") == 0 ? ESP_OK : -1;
}

esp_err_t nvs_get_u64(nvs_handle_t handle, const char *key, uint64_t *value) {
	*value = slots[handle].generation;
	return strcmp(key, "generation") == 0 ? ESP_OK : -1;
}

esp_err_t nvs_get_str(nvs_handle_t handle, const char *key, char *value, size_t *size) {
	const char *text = strcmp(key, "identity") == 0 ? slots[handle].identity : "text";

	if (strlen(text) >= *size)
		return -1;
	*size = strlen(text) + 1;
	memcpy(value, text, *size);
	return ESP_OK;
}

esp_err_t nvs_get_blob(nvs_handle_t handle, const char *key, void *value, size_t *size) {
	if (strcmp(key, "client_key") == 0 && !slots[handle].has_key)
		return -1;
	*size = 4;
	memcpy(value, "blob", *size);
	return ESP_OK;
}

void nvs_close(nvs_handle_t handle) {
	(void)handle;
}

static void holds(const char *identity) {
	const struct credential *c = credential_held();

	assert(c != NULL && strcmp(c->identity, identity) == 0 && c->key.size == 4 && c->radius_root.size == 4);
}

int main(void) {
	assert(credential_held() == NULL);
	credential_failed();
	slots[0].layout = 2; /* of a list that this loader does not know */
	assert(credential_held() == NULL);

	slots[0].layout = slots[1].layout = 1;
	slots[0].generation = 1;
	slots[1].generation = 2;
	slots[0].identity = "old";
	slots[1].identity = "new";
	slots[0].has_key = true;
	holds("old"); /* the new one is not whole */
	credential_failed();
	holds("old");
	slots[1].has_key = true;
	credential_failed();
	holds("new");
	credential_failed();
	holds("old");
	credential_failed();
	holds("new");
	printf("credentials: two slots, each in the other's place\n");
	return 0;
}
