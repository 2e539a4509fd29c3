/*
 * The network, by Wi-Fi. One credential and one name of the RADIUS server at a
 * time: when either changes, the board leaves and joins anew.
 *
 * The calls of esp_wifi.h, esp_event.h and esp_netif.h below: 5.1 to 6.x. The
 * default NVS partition is not touched (sdkconfig.defaults): it may be the
 * application's.
 */
#include <stdio.h>
#include <string.h>

#include "board.h"
#include "credential.h"
#include "eap.h"
#include "esp_event.h"
#include "esp_netif.h"
#include "esp_wifi.h"
#include "freertos/FreeRTOS.h"
#include "freertos/event_groups.h"
#include "sdkconfig.h"

/* What happened since it was last asked. */
enum { UP = 1, DOWN = 2 };

static EventGroupHandle_t events;
static const struct credential *joined_with;
static char joined_to[TB_MAX_HOST + 1];

static void on_down(void *context, esp_event_base_t base, int32_t id, void *event) {
	const wifi_event_sta_disconnected_t *why = event;

	(void)context;
	(void)base;
	(void)id;
	if (why->reason == WIFI_REASON_ASSOC_LEAVE)
		return; /* leave() was it, and the next try may have begun */
	printf("Wi-Fi is down, reason %d\n", why->reason);
	xEventGroupClearBits(events, UP);
	xEventGroupSetBits(events, DOWN);
}

static void on_address(void *context, esp_event_base_t base, int32_t id, void *event) {
	(void)context;
	(void)base;
	(void)id;
	(void)event;
	xEventGroupSetBits(events, UP);
}

static bool start_driver(void) {
	wifi_init_config_t config = WIFI_INIT_CONFIG_DEFAULT();

	return esp_netif_create_default_wifi_sta() != NULL && esp_wifi_init(&config) == ESP_OK &&
	       esp_wifi_set_storage(WIFI_STORAGE_RAM) == ESP_OK && esp_wifi_set_mode(WIFI_MODE_STA) == ESP_OK &&
	       esp_event_handler_register(WIFI_EVENT, WIFI_EVENT_STA_DISCONNECTED, on_down, NULL) == ESP_OK &&
	       esp_event_handler_register(IP_EVENT, IP_EVENT_STA_GOT_IP, on_address, NULL) == ESP_OK &&
	       esp_wifi_start() == ESP_OK;
}

void network_start(void) {
	EventGroupHandle_t group = xEventGroupCreate();

	if (group == NULL || esp_netif_init() != ESP_OK || esp_event_loop_create_default() != ESP_OK)
		return;
	events = group;
	if (!start_driver())
		events = NULL;
}

/* A network of that name that asks for less is another one. */
static bool set_station(const struct credential *own) {
	wifi_config_t config = {.sta = {.threshold.authmode = WIFI_AUTH_WPA2_ENTERPRISE}};
	size_t size = strlen(own->ssid);

	if (size == 0 || size > sizeof config.sta.ssid)
		return false;
	memcpy(config.sta.ssid, own->ssid, size);
#if CONFIG_TCPBOOT_WPA3
	config.sta.pmf_cfg.required = true;
#endif
	return esp_wifi_set_config(WIFI_IF_STA, &config) == ESP_OK;
}

static void leave(void) {
	(void)esp_wifi_disconnect();
	eap_disable();
	xEventGroupClearBits(events, UP | DOWN);
	joined_with = NULL;
}

/* Whether the network is up, by this credential and this name. */
static bool is_joined(const struct credential *own, const struct tb_peer *peer) {
	return joined_with == own && strcmp(joined_to, peer->name) == 0 && (xEventGroupGetBits(events) & UP) != 0;
}

enum tb_result network_join(void *context, const struct tb_peer *peer, uint32_t limit) {
	const struct credential *own = credential_held();

	(void)context;
	if (events == NULL || own == NULL)
		return TB_NETWORK;
	if (is_joined(own, peer))
		return TB_OK;
	leave();
	if (!set_station(own) || !eap_enable(own, peer->name) || esp_wifi_connect() != ESP_OK)
		return TB_NETWORK;
	snprintf(joined_to, sizeof joined_to, "%s", peer->name);
	if ((xEventGroupWaitBits(events, UP | DOWN, pdFALSE, pdFALSE, pdMS_TO_TICKS(limit)) & UP) != 0) {
		joined_with = own;
		return TB_OK;
	}
	leave();
	return TB_NETWORK;
}
