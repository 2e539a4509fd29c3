/*
 * What `tcpboot loader export --level 2` lays down of the site, and main/CMakeLists.txt
 * builds in: the files site.cose and servers_root.pem. ESP-IDF puts one NUL behind a
 * text, and _end behind that.
 */
#include "board.h"

extern const uint8_t document_start[] __asm__("_binary_site_cose_start");
extern const uint8_t document_end[] __asm__("_binary_site_cose_end");
extern const uint8_t root_start[] __asm__("_binary_servers_root_pem_start");
extern const uint8_t root_end[] __asm__("_binary_servers_root_pem_end");

struct tb_bytes site_document(void) {
	return (struct tb_bytes){document_start, (size_t)(document_end - document_start)};
}

struct tb_bytes site_servers_root(void) {
	return (struct tb_bytes){root_start, (size_t)(root_end - root_start)};
}
