/*
 * WPA2- and WPA3-Enterprise.
 *
 * esp_eap_client.h: 5.1.2 and later. 5.1.0 and 5.1.1 have esp_wpa2.h alone, whose
 * names are gone in 6.0.
 * esp_eap_client_set_domain_name: 5.1.7, 5.2.6, 5.3.4, 5.4.2, and 5.5 and later.
 * esp_eap_client_set_eap_methods: 5.3.4, 5.4.3, 5.5.1, and 6.0 and later.
 *
 * Nothing here tells which CA issued the RADIUS server's certificate: ESP-IDF shows
 * nobody the chain. The root and the name are what holds.
 */
#include "eap.h"

#include <stdio.h>
#include <string.h>

#include "esp_idf_version.h"
#include "sdkconfig.h"

#if __has_include("esp_eap_client.h")
#include "esp_eap_client.h"
#else
#include "esp_wpa2.h"
#define esp_wifi_sta_enterprise_enable esp_wifi_sta_wpa2_ent_enable
#define esp_wifi_sta_enterprise_disable esp_wifi_sta_wpa2_ent_disable
#define esp_eap_client_set_identity esp_wifi_sta_wpa2_ent_set_identity
#define esp_eap_client_set_username esp_wifi_sta_wpa2_ent_set_username
#define esp_eap_client_set_password esp_wifi_sta_wpa2_ent_set_password
#define esp_eap_client_set_ca_cert esp_wifi_sta_wpa2_ent_set_ca_cert
#define esp_eap_client_set_certificate_and_key esp_wifi_sta_wpa2_ent_set_cert_key
#define esp_eap_client_set_ttls_phase2_method esp_wifi_sta_wpa2_ent_set_ttls_phase2_method
#endif

/* Whether this is 5.minor, and has what came with one of its patches. */
#define HAS_SINCE(minor, patch) \
	(ESP_IDF_VERSION_MAJOR == 5 && ESP_IDF_VERSION_MINOR == (minor) && ESP_IDF_VERSION_PATCH >= (patch))
#define NAMES_CHECKED \
	(HAS_SINCE(1, 7) || HAS_SINCE(2, 6) || HAS_SINCE(3, 4) || HAS_SINCE(4, 2) || \
	 ESP_IDF_VERSION >= ESP_IDF_VERSION_VAL(5, 5, 0))
#define METHODS_CHOSEN \
	(HAS_SINCE(3, 4) || HAS_SINCE(4, 3) || ESP_IDF_VERSION >= ESP_IDF_VERSION_VAL(5, 5, 1))

static const unsigned char *text(const char *s) {
	return (const unsigned char *)s;
}

static bool set_identity(const struct credential *own) {
	return esp_eap_client_set_identity(text(own->identity), (int)strlen(own->identity)) == ESP_OK;
}

/* Without a root ESP-IDF trusts any server, and says nothing. */
static bool set_root(const struct credential *own) {
	return own->radius_root.size > 0 &&
	       esp_eap_client_set_ca_cert(own->radius_root.at, (int)own->radius_root.size) == ESP_OK;
}

/* Where the name cannot be checked, the root still is: it issues to RADIUS servers alone. */
static bool set_name(const char *server) {
#if NAMES_CHECKED
	return esp_eap_client_set_domain_name(server) == ESP_OK;
#else
	printf("not checked: that the RADIUS server is %s; this ESP-IDF cannot\n", server);
	return true;
#endif
}

/*
 * What is set decides what is offered: a key offers TLS, a user name PEAP and TTLS.
 * So a board that goes by its certificate never shows a password to anybody. An
 * ESP-IDF without set_eap_methods lets the server choose between PEAP and TTLS.
 */
#if CONFIG_TCPBOOT_EAP_TLS
static bool set_method(const struct credential *own) {
#if METHODS_CHOSEN
	if (esp_eap_client_set_eap_methods(ESP_EAP_TYPE_TLS) != ESP_OK)
		return false;
#endif
	return esp_eap_client_set_certificate_and_key(own->certificate.at, (int)own->certificate.size, own->key.at,
	                                              (int)own->key.size, NULL, 0) == ESP_OK;
}
#else
static bool set_method(const struct credential *own) {
#if METHODS_CHOSEN && CONFIG_TCPBOOT_EAP_PEAP
	if (esp_eap_client_set_eap_methods(ESP_EAP_TYPE_PEAP) != ESP_OK)
		return false;
#elif METHODS_CHOSEN
	if (esp_eap_client_set_eap_methods(ESP_EAP_TYPE_TTLS) != ESP_OK)
		return false;
#endif
	return esp_eap_client_set_ttls_phase2_method(ESP_EAP_TTLS_PHASE2_MSCHAPV2) == ESP_OK &&
	       esp_eap_client_set_username(text(own->identity), (int)strlen(own->identity)) == ESP_OK &&
	       esp_eap_client_set_password(text(own->password), (int)strlen(own->password)) == ESP_OK;
}
#endif

bool eap_enable(const struct credential *own, const char *server) {
	return set_identity(own) && set_root(own) && set_name(server) && set_method(own) &&
	       esp_wifi_sta_enterprise_enable() == ESP_OK;
}

void eap_disable(void) {
	(void)esp_wifi_sta_enterprise_disable();
}
