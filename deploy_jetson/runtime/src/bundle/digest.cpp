// SHA-256 through OpenSSL, which uses the processor's own instructions, and zlib's CRC.
#include "digest.h"

#include <openssl/evp.h>
#include <zlib.h>

#include <array>

namespace pv {

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr);
}

Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(Bytes data) { EVP_DigestUpdate(state_->context, data.data(), data.size()); }

namespace {

std::vector<unsigned char> finish(EVP_MD_CTX* context) {
  std::vector<unsigned char> raw(32);
  EVP_DigestFinal_ex(context, raw.data(), nullptr);
  return raw;
}

std::string as_hex(const std::vector<unsigned char>& raw) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(raw.size() * 2);
  for (const unsigned char byte : raw) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace

std::string Sha256::hex() { return as_hex(finish(state_->context)); }

std::string sha256(Bytes data) { return as_hex(sha256_raw(data)); }

std::string sha256(const std::string& text) {
  return sha256(Bytes(reinterpret_cast<const unsigned char*>(text.data()), text.size()));
}

std::vector<unsigned char> sha256_raw(Bytes data) {
  std::vector<unsigned char> raw(32);
  EVP_Digest(data.data(), data.size(), raw.data(), nullptr, EVP_sha256(), nullptr);
  return raw;
}

std::uint32_t crc32_of(std::uint32_t crc, Bytes data) {
  return static_cast<std::uint32_t>(crc32_z(crc, data.data(), data.size()));
}

}  // namespace pv
