// Bundles through the C interface.
#include "handles.h"
#include "options.h"
#include "words.h"

namespace {

using pv::Done;
using pv::Status;

pv::Result<pv::Trust> read_trust(const pv_trust* given) {
  const auto asked = pv::abi::read_options(given, "pv_trust");
  if (!asked) return asked.error();
  if (asked->key_count > 0 && asked->key_files == nullptr) {
    return pv::user_error("pv_trust.key_files is null; name the keys, or set key_count to 0");
  }
  const bool asks_more = !pv::abi::text_or_empty(asked->signature_file).empty();
  if (asked->key_count == 0 && (asks_more || asked->least_serial != 0)) {
    return pv::user_error(
        "pv_trust names a signature or a serial number and no key, so nothing would be checked; "
        "name the keys");
  }
  pv::Trust trust;
  for (std::size_t nth = 0; nth < asked->key_count; ++nth) {
    const char* const key = asked->key_files[nth];
    if (key == nullptr) return pv::user_error("one of pv_trust.key_files is null; name a file");
    trust.key_files.emplace_back(key);
  }
  trust.signature_file = pv::abi::text_or_empty(asked->signature_file);
  trust.least_serial = asked->least_serial;
  return trust;
}

}  // namespace

extern "C" {

pv_code pv_bundle_open(const char* path, const pv_trust* trust, pv_bundle** out, pv_error* error) {
  if (out != nullptr) *out = nullptr;
  return pv::abi::guarded(error, "pv_bundle_open", {{"path", path}, {"out", out}}, [&]() -> Status {
    const auto asked = read_trust(trust);
    if (!asked) return asked.error();
    auto opened = pv::Bundle::open(path, *asked);
    if (!opened) return opened.error();
    *out = std::make_unique<pv_bundle>(pv_bundle{*std::move(opened)}).release();
    return Done{};
  });
}

void pv_bundle_free(pv_bundle* bundle) { std::unique_ptr<pv_bundle> freed(bundle); }

const char* pv_bundle_digest(const pv_bundle* bundle) {
  return bundle == nullptr ? "" : bundle->bundle->digest().c_str();
}

const char* pv_bundle_name(const pv_bundle* bundle) {
  return bundle == nullptr ? "" : bundle->bundle->manifest().name.c_str();
}

const char* pv_bundle_space(const pv_bundle* bundle) {
  return bundle == nullptr ? "" : bundle->bundle->manifest().space_id.c_str();
}

}  // extern "C"
