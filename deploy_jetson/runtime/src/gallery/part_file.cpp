// Writes a file that appears whole under its name, or not at all.
#include "part_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "bundle/digest.h"
#include "gallery_file.h"

namespace pv {

namespace {

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// A file system that has no nameless files gets a neighbour with a name of its own.
int open_nameless(const std::string& path) {
  return ::open(folder_of(path).c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

bool name_nameless(int handle, const std::string& part) {
  const auto from = "/proc/self/fd/" + std::to_string(handle);
  return linkat(AT_FDCWD, from.c_str(), AT_FDCWD, part.c_str(), AT_SYMLINK_FOLLOW) == 0;
}

void sync_folder(const std::string& path) {
  const int folder = ::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  static_cast<void>(fsync(folder));
  ::close(folder);
}

}  // namespace

PartFile::PartFile(std::string path) : path_(std::move(path)), handle_(open_nameless(path_)) {
  if (handle_ < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
    part_ = path_ + ".XXXXXX.part";
    handle_ = mkostemps(part_.data(), 5, O_CLOEXEC);
  }
  block_.reserve(kDigestBlock);
}

PartFile::~PartFile() {
  if (handle_ < 0) return;
  ::close(handle_);
  if (!part_.empty()) ::unlink(part_.c_str());
}

bool PartFile::append(const void* data, std::size_t size) {
  const auto* from = static_cast<const unsigned char*>(data);
  while (size > 0) {
    const std::size_t now = std::min(size, kDigestBlock - block_.size());
    block_.insert(block_.end(), from, from + now);
    from += now;
    size -= now;
    if (block_.size() == kDigestBlock && !flush()) return false;
  }
  return true;
}

bool PartFile::pad_to(std::uint64_t place) {
  static constexpr unsigned char kZeros[kRowsAt] = {};
  while (written_ + block_.size() < place) {
    const std::uint64_t gap = place - written_ - block_.size();
    if (!append(kZeros, static_cast<std::size_t>(std::min<std::uint64_t>(gap, kRowsAt)))) {
      return false;
    }
  }
  return true;
}

bool PartFile::flush() {
  if (!write_at(written_, block_.data(), block_.size())) return false;
  const auto digest = sha256_raw(block_);
  digests_.insert(digests_.end(), digest.begin(), digest.end());
  written_ += block_.size();
  block_.clear();
  return true;
}

bool PartFile::write_at(std::uint64_t place, const unsigned char* data, std::size_t size) const {
  while (size > 0) {
    const auto put = pwrite(handle_, data, size, static_cast<off_t>(place));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    data += put;
    place += static_cast<std::uint64_t>(put);
    size -= static_cast<std::size_t>(put);
  }
  return true;
}

// The head was not known when the first block went out.
bool PartFile::digest_first_block() {
  block_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kDigestBlock, written_)));
  const auto got = pread(handle_, block_.data(), block_.size(), 0);
  if (got < 0 || static_cast<std::size_t>(got) != block_.size()) return false;
  const auto digest = sha256_raw(block_);
  std::copy(digest.begin(), digest.end(), digests_.begin());
  return true;
}

bool PartFile::finish(Bytes head) {
  if (!block_.empty() && !flush()) return false;
  if (written_ < head.size() || !write_at(0, head.data(), head.size())) return false;
  if (!digest_first_block()) return false;
  const auto digest = sha256_raw(digests_);
  return write_at(written_, digest.data(), digest.size()) && give_name();
}

bool PartFile::give_name() {
  const mode_t mask = umask(0);
  umask(mask);
  if (fchmod(handle_, 0666 & ~mask) != 0 || fsync(handle_) != 0) return false;
  if (part_.empty()) {
    // A name of this file alone, for the moment until it is renamed; short, so that every name that
    // can be given can be written.
    const auto part = folder_of(path_) + "/personvit-" + std::to_string(getpid()) + "-" +
                      std::to_string(handle_) + ".part";
    ::unlink(part.c_str());
    if (!name_nameless(handle_, part)) return false;
    part_ = part;
  }
  if (std::rename(part_.c_str(), path_.c_str()) != 0) return false;
  part_.clear();
  sync_folder(path_);
  return true;
}

}  // namespace pv
