/*
 * The credential that is built in, as in 2017: the loader is of one board, and
 * whoever reads its image can play that board until it is rotated. It cannot be renewed
 * over the air.
 *
 * esp_read_mac: 5.1 to 6.x.
 */
#include <stdio.h>

#include "credential.h"
#include "embedded.h"
#include "esp_mac.h"
#include "sdkconfig.h"

extern const uint8_t ca_start[] __asm__("_binary_wpa2_ca_pem_start");
extern const uint8_t ca_end[] __asm__("_binary_wpa2_ca_pem_end");
extern const uint8_t certificate_start[] __asm__("_binary_wpa2_client_crt_start");
extern const uint8_t certificate_end[] __asm__("_binary_wpa2_client_crt_end");
extern const uint8_t key_start[] __asm__("_binary_wpa2_client_key_start");
extern const uint8_t key_end[] __asm__("_binary_wpa2_client_key_end");

/* The identity is the station's MAC, also of a board that goes by Ethernet. */
static const char *identity(void) {
	static char text[13];
	uint8_t mac[6];

	if (esp_read_mac(mac, ESP_MAC_WIFI_STA) != ESP_OK)
		return NULL;
	snprintf(text, sizeof text, "%02x%02x%02x%02x%02x%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	return text;
}

const struct credential *credential_held(void) {
	static struct credential own;

	own = (struct credential){
		.identity = identity(), .password = CONFIG_EAP_PASSWORD, .ssid = CONFIG_WIFI_SSID,
		.certificate = embedded(certificate_start, certificate_end), .key = embedded(key_start, key_end),
		.radius_root = embedded(ca_start, ca_end),
	};
	return own.identity != NULL ? &own : NULL;
}

/* There is no other one, nor room for it: without functions the core says so when it is asked to renew. */
struct tb_credentials credential_functions(void) {
	return (struct tb_credentials){0};
}
