// A file in the making: it has no name until it is whole, so a killed writer leaves nothing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "../span.h"

namespace pv {

class PartFile {
 public:
  explicit PartFile(std::string path);
  ~PartFile();
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  bool good() const { return handle_ >= 0; }
  // One after another, in large blocks; each is digested as it goes out.
  bool append(const void* data, std::size_t size);
  // Zeros up to a place that is not behind the end.
  bool pad_to(std::uint64_t place);
  // Puts `head` over the beginning, adds the digest, and gives the file its name.
  bool finish(Bytes head);

 private:
  bool flush();
  bool write_at(std::uint64_t place, const unsigned char* data, std::size_t size) const;
  bool digest_first_block();
  bool give_name();

  std::string path_, part_;  // part_ is empty while the file has no name at all
  int handle_ = -1;
  std::vector<unsigned char> block_;
  std::uint64_t written_ = 0;
  std::vector<unsigned char> digests_;
};

}  // namespace pv
