/*
 * What `tcpboot loader export --level 2` lays down of the site, and main/CMakeLists.txt
 * builds in: the files site.cose and servers_root.pem.
 */
#include "board.h"
#include "embedded.h"

extern const uint8_t document_start[] __asm__("_binary_site_cose_start");
extern const uint8_t document_end[] __asm__("_binary_site_cose_end");
extern const uint8_t root_start[] __asm__("_binary_servers_root_pem_start");
extern const uint8_t root_end[] __asm__("_binary_servers_root_pem_end");

struct tb_bytes site_document(void) {
	return embedded(document_start, document_end);
}

struct tb_bytes site_servers_root(void) {
	return embedded(root_start, root_end);
}
