// SHA-256 as hexadecimal digits, and the check sum of zip files.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "../span.h"

namespace pv {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(Bytes data);
  std::string hex();  // ends it

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string sha256(Bytes data);
std::string sha256(const std::string& text);
std::vector<unsigned char> sha256_raw(Bytes data);

std::uint32_t crc32_of(std::uint32_t crc, Bytes data);

}  // namespace pv
