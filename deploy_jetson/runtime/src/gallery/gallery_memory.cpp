// Reads a gallery file in blocks; each core digests the block that it has just read.
#include "gallery_memory.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <vector>

#include "bundle/digest.h"
#include "gallery_file.h"

namespace pv {

Result<Aligned> read_gallery(const File& file, std::uint64_t size, bool check, Workers& workers,
                             const std::string& path) {
  auto memory = aligned(static_cast<std::size_t>(size));
  if (!memory) {
    return environment_error(path + ": there is not enough memory for its " + std::to_string(size) +
                             " bytes");
  }
  const std::uint64_t end = size - kDigestSize;
  const std::uint64_t blocks = (end + kDigestBlock - 1) / kDigestBlock;
  std::vector<unsigned char> digests(static_cast<std::size_t>(blocks * kDigestSize));
  std::atomic<bool> whole{file.read(end, memory.get() + end, kDigestSize) == kDigestSize};
  workers.run(blocks, workers.threads(), [&](std::uint64_t block, int) {
    const std::uint64_t from = block * kDigestBlock;
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(kDigestBlock, end - from));
    if (file.read(from, memory.get() + from, count) != count) whole = false;
    if (!check) return;
    const auto digest = sha256_raw({memory.get() + from, count});
    std::memcpy(digests.data() + block * kDigestSize, digest.data(), kDigestSize);
  });
  if (!whole) return user_error(path + ": the file changed while it was read; try again");
  if (check && std::memcmp(sha256_raw(digests).data(), memory.get() + end, kDigestSize) != 0) {
    return user_error(path +
                      ": it is damaged (its digest does not hold); copy it again from its "
                      "source, or build it again with pv-search build");
  }
  return memory;
}

}  // namespace pv
