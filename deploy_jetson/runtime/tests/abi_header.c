/* The header by itself, as C. */
#include <personvit/personvit.h>

int pv_test_abi(void);

int pv_test_abi(void) { return PV_ABI_VERSION; }
