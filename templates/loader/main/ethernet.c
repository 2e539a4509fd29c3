/*
 * The network, by Ethernet: nobody asks the board who it is before the image
 * server does.
 *
 * esp_eth_mac_new_esp32, esp_eth_mac_new_openeth: 5.1 to 6.x. esp_eth_phy_new_generic:
 * 5.4 and later, but in 5.x only beside the chip's own MAC; beside the emulator's,
 * esp_eth_phy_new_dp83848, and before 5.4 esp_eth_phy_new_lan87xx: both gone in 6.0.
 * bootloader_random_enable: 5.1 to 6.x.
 */
#include "board.h"
#include "bootloader_random.h"
#include "esp_eth.h"
#include "esp_event.h"
#include "esp_idf_version.h"
#include "esp_netif.h"
#include "freertos/FreeRTOS.h"
#include "freertos/event_groups.h"
#include "sdkconfig.h"

enum { UP = 1 };

static EventGroupHandle_t events;

static void on_down(void *context, esp_event_base_t base, int32_t id, void *event) {
	(void)context;
	(void)base;
	(void)id;
	(void)event;
	xEventGroupClearBits(events, UP);
}

static void on_address(void *context, esp_event_base_t base, int32_t id, void *event) {
	(void)context;
	(void)base;
	(void)id;
	(void)event;
	xEventGroupSetBits(events, UP);
}

#if CONFIG_TCPBOOT_ETHERNET_OPENETH
static esp_eth_mac_t *new_mac(void) {
	eth_mac_config_t config = ETH_MAC_DEFAULT_CONFIG();

	return esp_eth_mac_new_openeth(&config);
}

/* There is no line on which the emulator could negotiate anything. */
static void set_phy(eth_phy_config_t *config) {
	config->reset_gpio_num = -1;
	config->autonego_timeout_ms = 100;
}
#else
static esp_eth_mac_t *new_mac(void) {
	eth_mac_config_t config = ETH_MAC_DEFAULT_CONFIG();
	eth_esp32_emac_config_t own = ETH_ESP32_EMAC_DEFAULT_CONFIG();

	return esp_eth_mac_new_esp32(&own, &config);
}

static void set_phy(eth_phy_config_t *config) {
	config->reset_gpio_num = CONFIG_TCPBOOT_PHY_RESET_GPIO;
}
#endif

static esp_eth_phy_t *new_phy(void) {
	eth_phy_config_t config = ETH_PHY_DEFAULT_CONFIG();

	config.phy_addr = CONFIG_TCPBOOT_PHY_ADDRESS;
	set_phy(&config);
#if CONFIG_TCPBOOT_ETHERNET_OPENETH && ESP_IDF_VERSION < ESP_IDF_VERSION_VAL(6, 0, 0)
	return esp_eth_phy_new_dp83848(&config);
#elif ESP_IDF_VERSION < ESP_IDF_VERSION_VAL(5, 4, 0)
	return esp_eth_phy_new_lan87xx(&config);
#else
	return esp_eth_phy_new_generic(&config);
#endif
}

static bool start_driver(void) {
	esp_netif_config_t config = ESP_NETIF_DEFAULT_ETH();
	esp_netif_t *netif = esp_netif_new(&config);
	esp_eth_mac_t *mac = new_mac();
	esp_eth_phy_t *phy = new_phy();
	esp_eth_config_t driver = ETH_DEFAULT_CONFIG(mac, phy);
	esp_eth_handle_t handle;

	return netif != NULL && mac != NULL && phy != NULL && esp_eth_driver_install(&driver, &handle) == ESP_OK &&
	       esp_netif_attach(netif, esp_eth_new_netif_glue(handle)) == ESP_OK &&
	       esp_event_handler_register(ETH_EVENT, ETHERNET_EVENT_DISCONNECTED, on_down, NULL) == ESP_OK &&
	       esp_event_handler_register(IP_EVENT, IP_EVENT_ETH_GOT_IP, on_address, NULL) == ESP_OK &&
	       esp_eth_start(handle) == ESP_OK;
}

/* No radio feeds the chip's random numbers here: without this, TLS keys could be guessed. */
void network_start(void) {
	EventGroupHandle_t group = xEventGroupCreate();

	bootloader_random_enable();
	if (group == NULL || esp_netif_init() != ESP_OK || esp_event_loop_create_default() != ESP_OK)
		return;
	events = group;
	if (!start_driver())
		events = NULL;
}

enum tb_result network_join(void *context, const struct tb_peer *peer, uint32_t limit) {
	(void)context;
	(void)peer;
	if (events == NULL)
		return TB_NETWORK;
	return (xEventGroupWaitBits(events, UP, pdFALSE, pdFALSE, pdMS_TO_TICKS(limit)) & UP) != 0 ? TB_OK : TB_NETWORK;
}
