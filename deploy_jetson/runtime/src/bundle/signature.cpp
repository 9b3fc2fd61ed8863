// Signatures of bundles.
#include "signature.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>

#include "digest.h"
#include "file.h"
#include "json.h"
#include "text.h"

namespace pv {

namespace {

constexpr std::size_t kMost = 4096, kKeyBytes = 32, kSignatureBytes = 64;
constexpr std::int64_t kSchema = 1, kMaxSerial = (1LL << 53) - 1;
constexpr const char* kDomain = "personvit-bundle-signature-v1\n";
constexpr const char* kMend = "sign the bundle again, or copy the signature again from its source";
// SubjectPublicKeyInfo of Ed25519 (RFC 8410): everything but the key itself is always the same.
constexpr std::array<unsigned char, 12> kInfo = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                                 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

using Raw = std::vector<unsigned char>;

int digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

// The bytes, if this is the one spelling that base64 has for them.
std::optional<Raw> from_base64(const std::string& text) {
  if (text.size() % 4 != 0) return std::nullopt;
  const std::size_t pad = text.size() - std::min(text.find('='), text.size());
  if (pad > 2) return std::nullopt;
  Raw out;
  std::uint32_t bits = 0;
  int count = 0;
  for (std::size_t nth = 0; nth < text.size() - pad; ++nth) {
    const int value = digit(text[nth]);
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out.push_back(static_cast<unsigned char>(bits >> count & 255));
    }
  }
  const bool clean = (bits & ((1U << count) - 1)) == 0;
  const bool padded = text.find_first_not_of('=', text.size() - pad) == std::string::npos;
  return clean && padded ? std::optional(out) : std::nullopt;
}

std::string between(const std::string& text, const std::string& before, const std::string& after) {
  const auto from = text.find(before);
  const auto to = text.find(after);
  if (from != 0 || to == std::string::npos) return "";
  const auto rest = text.find_first_not_of(" \t\r\n", to + after.size());
  if (rest != std::string::npos) return "";
  std::string found = text.substr(before.size(), to - before.size());
  found.erase(
      std::remove_if(found.begin(), found.end(),
                     [](char c) { return c == '\n' || c == '\r' || c == ' ' || c == '\t'; }),
      found.end());
  return found;
}

Result<Raw> read_key(const std::string& path) {
  const auto data = read_small(path, "a public key", kMost);
  if (!data) return data.error();
  const std::string text(data->begin(), data->end());
  const auto body = between(text, "-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----");
  const auto raw = from_base64(body);
  if (!raw || raw->size() != kInfo.size() + kKeyBytes ||
      !std::equal(kInfo.begin(), kInfo.end(), raw->begin())) {
    return user_error(path +
                      ": this is not an Ed25519 public key in PEM; make one with "
                      "'personvit-deploy keygen', and give the .pub file");
  }
  return Raw(raw->begin() + static_cast<std::ptrdiff_t>(kInfo.size()), raw->end());
}

std::string key_id(const Raw& key) { return "key-" + sha256(Bytes(key)).substr(0, 32); }

struct Signature {
  std::string digest, name, key_id;
  std::int64_t serial = 0;
  Raw raw;
  std::string signed_bytes;
};

std::string wrong_in(const Signature& signature, std::int64_t schema) {
  if (schema != kSchema) return "schema must be 1, not " + std::to_string(schema);
  if (!is_hexadecimal(signature.digest, 64)) {
    return "digest must be a sha256 in 64 hexadecimal digits";
  }
  const auto length = code_points(signature.name).size();
  if (length < 1 || length > 200 || !is_printable(signature.name)) {
    return "name must be 1 to 200 printable characters";
  }
  if (signature.serial < 1 || signature.serial > kMaxSerial) {
    return "serial must be from 1 to " + std::to_string(kMaxSerial) + ", not " +
           std::to_string(signature.serial);
  }
  if (signature.key_id.rfind("key-", 0) != 0 || !is_hexadecimal(signature.key_id.substr(4), 32)) {
    return "key_id must be 'key-' and 32 hexadecimal digits";
  }
  return signature.raw.size() == kSignatureBytes ? "" : "signature must be 64 bytes as base64";
}

Result<Signature> read_signature(const std::string& path) {
  const auto data = read_small(path, "a signature", kMost);
  if (!data) return data.error();
  auto document = parse_json(*data);
  if (!document) return user_error(path + ": " + document.error().sentence + "; " + kMend);
  if (document->is_object() && document->contains("schema") &&
      (*document)["schema"].is_number_integer() && (*document)["schema"] > kSchema) {
    return user_error(path + ": the signature has schema " + (*document)["schema"].dump() +
                      ", and this version reads up to 1; upgrade personvit, or sign the bundle "
                      "again with this version");
  }
  Fields fields(*document, "");
  Signature found;
  found.digest = fields.text("digest");
  found.name = fields.text("name");
  found.serial = fields.whole("serial");
  found.key_id = fields.text("key_id");
  const auto encoded = fields.text("signature");
  const auto schema = fields.whole("schema");
  if (const auto wrong = fields.complaint(); !wrong.empty()) {
    return user_error(path + ": " + wrong + "; " + kMend);
  }
  found.raw = from_base64(encoded).value_or(Raw{});
  if (const auto wrong = wrong_in(found, schema); !wrong.empty()) {
    return user_error(path + ": " + wrong + "; " + kMend);
  }
  if (spelled(*document) != std::string(data->begin(), data->end())) {
    return user_error(path + ": it was edited or written by another tool; " + kMend);
  }
  (*document)["signature"] = "";
  found.signed_bytes = kDomain + spelled(*document);
  return found;
}

bool holds(const Signature& signature, const Raw& key) {
  using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
  using Context = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;
  const Key parsed(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key.data(), key.size()),
                   &EVP_PKEY_free);
  const Context context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  if (!parsed || !context ||
      EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, parsed.get()) != 1) {
    return false;
  }
  const auto& text = signature.signed_bytes;
  return EVP_DigestVerify(context.get(), signature.raw.data(), signature.raw.size(),
                          reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1;
}

}  // namespace

Status require_trusted(const std::string& bundle_path, const std::string& digest,
                       const Trust& trust) {
  if (trust.key_files.empty()) return Done{};
  const auto path = trust.signature_file.empty() ? bundle_path + ".sig" : trust.signature_file;
  const auto signature = read_signature(path);
  if (!signature) return signature.error();
  if (signature->digest != digest) {
    return user_error(path + " signs another bundle (sha256 " + signature->digest.substr(0, 12) +
                      "..., this one has " + digest.substr(0, 12) +
                      "...); bring the signature that was made for this bundle");
  }
  if (signature->serial < trust.least_serial) {
    return user_error(bundle_path + " has serial " + std::to_string(signature->serial) +
                      ", older than " + std::to_string(trust.least_serial) +
                      ", which was accepted before; sign it anew");
  }
  std::string known;
  for (const auto& file : trust.key_files) {
    const auto key = read_key(file);
    if (!key) return key.error();
    const auto id = key_id(*key);
    known += (known.empty() ? "" : ", ") + id;
    if (id != signature->key_id) continue;
    if (holds(*signature, *key)) return Done{};
    return user_error(path + " is forged or damaged: " + id +
                      " did not sign what it says; do not use this bundle before its maker has "
                      "signed it again");
  }
  return user_error(path + " was made with " + signature->key_id +
                    ", which is not trusted here; trusted are " + known);
}

}  // namespace pv
