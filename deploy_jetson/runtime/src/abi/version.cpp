// Which library this is.
#include <string>

#include "../engine/engine.h"
#include "personvit/personvit.h"

extern "C" {

int pv_abi_version(void) { return PV_ABI_VERSION; }

const char* pv_version(void) { return PV_VERSION; }

const char* pv_backends(void) {
  try {
    static const std::string names = [] {
      std::string all;
      for (const auto& backend : pv::backends()) {
        if (!backend.missing({}).empty()) continue;
        all += (all.empty() ? "" : ",") + std::string(backend.name);
      }
      return all;
    }();
    return names.c_str();
  } catch (...) {
    return "";
  }
}

}  // extern "C"
