/* Results and events for people. */
#include "tcpboot.h"

const char *tb_result_name(enum tb_result r) {
	static const char *const names[] = {
		[TB_OK] = "good",
		[TB_TOO_LONG] = "too-long",
		[TB_ENCODING] = "encoding",
		[TB_PROFILE] = "profile",
		[TB_TYPE] = "type",
		[TB_UNTRUSTED] = "untrusted",
		[TB_FORGED] = "forged",
		[TB_INVALID] = "invalid",
		[TB_SUCCESSION] = "succession",
		[TB_SCOPE] = "scope",
		[TB_COUNTER] = "counter",
		[TB_OTHER_SITE] = "other-site",
		[TB_OTHER_BOARD] = "other-board",
		[TB_STALE] = "stale",
		[TB_MISMATCH] = "mismatch",
		[TB_BAD_IMAGE] = "bad-image",
		[TB_NETWORK] = "network",
		[TB_PROTOCOL] = "protocol",
		[TB_REFUSED] = "refused",
		[TB_LATER] = "later",
		[TB_GONE] = "gone",
		[TB_FLASH] = "flash",
		[TB_NOTHING] = "nothing",
		[TB_GIVEN_UP] = "given-up",
		[TB_UNCONFIRMED] = "unconfirmed",
	};

	return names[r];
}

const char *tb_event_text(enum tb_event event) {
	static const char *const texts[] = {
		[TB_STORE_MISSING] = "no partition tb_state: nothing is remembered, an older release is not refused",
		[TB_STORE_NEW] = "nothing is stored yet",
		[TB_STORE_LOST] = "what was stored is lost",
		[TB_STORE_FAILED] = "the store does not take what is written",
		[TB_SITE_USED] = "going by the site document of epoch",
		[TB_SITE_CHANGED] = "did not reach the server; going by the site document of epoch",
		[TB_SITE_LEARNED] = "learned the site document of epoch",
		[TB_SITE_PROVEN] = "proved the site document of epoch",
		[TB_SITE_REFUSED] = "refused a site document",
		[TB_VISIT_FAILED] = "visit failed, number",
		[TB_NOTHING_NEW] = "nothing new to install",
		[TB_MANIFEST_REFUSED] = "refused a manifest",
		[TB_INSTALL_BEGUN] = "installing; bytes that are there already",
		[TB_INSTALL_FAILED] = "install failed, number",
		[TB_INSTALLED] = "installed; bytes",
		[TB_STARTED] = "starting the application; starts without being confirmed",
		[TB_STAYS] = "staying in the loader",
		[TB_RENEWAL_WANTED] = "a new certificate is wanted",
		[TB_RENEWED] = "going by the new certificate, the old one is dropped; tries",
		[TB_RENEWAL_DROPPED] = "the new certificate is dropped; tries that failed",
	};

	return texts[event];
}
