// Reads canonical zip files: headers are compared with the only ones that could have been written.
#include "canonical_zip.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "digest.h"
#include "member_name.h"
#include "text.h"

namespace pv {

namespace {

constexpr std::size_t kLocalSize = 30, kCentralSize = 46, kEndSize = 22;
constexpr std::uint32_t kLocalMark = 0x04034b50, kCentralMark = 0x02014b50, kEndMark = 0x06054b50;
constexpr std::uint16_t kNeeded = 10, kMadeBy = 3 << 8 | 30, kDay = 1 << 5 | 1;
constexpr std::uint32_t kPlainFile = 0100644U << 16;
constexpr std::uint64_t kMaxFile = 0xffffffffULL - 1;
constexpr std::size_t kMaxMembers = 4096, kBlock = 1 << 20, kEndSearch = 1 << 16;
constexpr const char* kAgain = "copy it again from its source, or export it again";

using Buffer = std::vector<unsigned char>;

void put(Buffer& out, std::uint64_t value, int bytes) {
  for (int nth = 0; nth < bytes; ++nth) {
    out.push_back(static_cast<unsigned char>(value >> (8 * nth)));
  }
}

void put(Buffer& out, const std::string& text) { out.insert(out.end(), text.begin(), text.end()); }

std::uint32_t get(const unsigned char* data, int bytes) {
  std::uint32_t value = 0;
  for (int nth = 0; nth < bytes; ++nth) value |= static_cast<std::uint32_t>(data[nth]) << (8 * nth);
  return value;
}

Buffer local_header(const Entry& entry) {
  Buffer out;
  put(out, kLocalMark, 4);
  put(out, kNeeded, 2);
  put(out, 0, 6);  // flags, method, time
  put(out, kDay, 2);
  put(out, entry.crc, 4);
  put(out, entry.size, 4);
  put(out, entry.size, 4);
  put(out, entry.name.size(), 2);
  put(out, 0, 2);
  put(out, entry.name);
  return out;
}

Buffer central_record(const Entry& entry) {
  Buffer out;
  put(out, kCentralMark, 4);
  put(out, kMadeBy, 2);
  put(out, kNeeded, 2);
  put(out, 0, 6);
  put(out, kDay, 2);
  put(out, entry.crc, 4);
  put(out, entry.size, 4);
  put(out, entry.size, 4);
  put(out, entry.name.size(), 2);
  put(out, 0, 8);  // extra, comment, disk, inner attributes
  put(out, kPlainFile, 4);
  put(out, entry.start, 4);
  put(out, entry.name);
  return out;
}

Buffer end_record(std::size_t count, std::uint64_t length, std::uint64_t start) {
  Buffer out;
  put(out, kEndMark, 4);
  put(out, 0, 4);
  put(out, count, 2);
  put(out, count, 2);
  put(out, length, 4);
  put(out, start, 4);
  put(out, 0, 2);
  return out;
}

Error damaged(const std::string& path, const std::string& what, std::uint64_t place) {
  return user_error(path + ": " + what + " is damaged or was repacked, at byte " +
                    std::to_string(place) + "; " + kAgain);
}

Error changed(const std::string& path) {
  return user_error(path + ": the file changed while it was read; try again");
}

struct End {
  std::size_t count = 0;
  std::uint64_t length = 0;
  std::uint64_t start = 0;
};

std::string what_is_wrong_with_the_end(const File& file, const Buffer& tail) {
  const auto head = file.read(0, 4);
  if (head.size() < 4 || get(head.data(), 4) != kLocalMark) {
    return "this is not a bundle (it does not begin as one)";
  }
  const std::string_view text(reinterpret_cast<const char*>(tail.data()), tail.size());
  const auto found = text.rfind("PK\5\6");
  if (found != std::string_view::npos && tail.size() - found >= kEndSize) {
    return std::to_string(tail.size() - found - kEndSize) +
           " bytes too many (or a comment) follow its end";
  }
  return "the file is cut off before its end";
}

Result<End> read_end(const File& file, const std::string& path) {
  const std::uint64_t size = file.size();
  if (size > kMaxFile) {
    return user_error(path + ": " + std::to_string(size) +
                      " bytes are too many for a bundle (4 GiB); " + kAgain);
  }
  const std::uint64_t from = size > kEndSearch ? size - kEndSearch : 0;
  const auto tail = file.read(from, kEndSearch);
  const unsigned char* record = tail.data() + (tail.size() - std::min(tail.size(), kEndSize));
  if (tail.size() < kEndSize || get(record, 4) != kEndMark) {
    return user_error(path + ": " + what_is_wrong_with_the_end(file, tail) + "; " + kAgain);
  }
  const End end{get(record + 10, 2), get(record + 12, 4), get(record + 16, 4)};
  const auto wanted = end_record(end.count, end.length, end.start);
  if (end.start + end.length + kEndSize != size || std::memcmp(record, wanted.data(), kEndSize)) {
    return damaged(path, "the closing record", size - kEndSize);
  }
  if (end.count == 0 || end.count > kMaxMembers) {
    return user_error(path + ": it claims " + std::to_string(end.count) +
                      " members; a bundle has 1 to " + std::to_string(kMaxMembers));
  }
  if (end.length > end.count * (kCentralSize + kMaxName)) {
    return damaged(path, "the list of members", end.start);
  }
  return end;
}

Result<Entry> read_record(Bytes data, std::uint64_t place, const std::string& path) {
  if (data.size() < kCentralSize || get(data.data(), 4) != kCentralMark) {
    return damaged(path, "the list of members", place);
  }
  const unsigned char* raw = data.data();
  const std::size_t length = get(raw + 28, 2);
  const std::size_t there = std::min(length, data.size() - kCentralSize);
  Entry entry;
  entry.name.assign(reinterpret_cast<const char*>(raw + kCentralSize), there);
  entry.crc = get(raw + 16, 4);
  entry.size = get(raw + 24, 4);
  entry.start = get(raw + 42, 4);
  const auto shown = as_ascii(entry.name);
  if (const auto reason = bad_name(shown); !reason.empty()) {
    return user_error(path + ": the member name '" + shown + "' " + reason +
                      "; it was not unpacked");
  }
  const std::uint32_t packed = get(raw + 20, 4);
  const bool encrypted = (get(raw + 8, 2) & 1) != 0;
  if (encrypted || get(raw + 10, 2) != 0) {
    return user_error(
        path + ": the member '" + entry.name + "' is " + (encrypted ? "encrypted" : "compressed") +
        " (" + std::to_string(packed) + " bytes for " + std::to_string(entry.size) +
        "), and was not unpacked; a bundle stores its members as they are; " + kAgain);
  }
  if (packed == 0xffffffffU || entry.size == 0xffffffffU || entry.start == 0xffffffffU) {
    return user_error(path + ": the member '" + entry.name + "' uses zip64; " + kAgain);
  }
  const auto wanted = central_record(entry);
  if (data.size() < wanted.size() || std::memcmp(raw, wanted.data(), wanted.size()) != 0) {
    return damaged(path, "the record of '" + entry.name + "' (a date, an attribute, an extra)",
                   place);
  }
  return entry;
}

std::string order_key(const std::string& name) {
  return (name == kFirst ? std::string(1, '\0') : std::string(1, '\1')) + name;
}

struct Directory {
  std::vector<Entry> entries;
  Buffer tail;  // what must stand behind the last member
};

Result<Directory> read_directory(const File& file, const std::string& path) {
  const auto end = read_end(file, path);
  if (!end) return end.error();
  auto central = file.read(end->start, static_cast<std::size_t>(end->length));
  Directory found;
  std::uint64_t expected = 0;
  std::size_t place = 0;
  for (std::size_t nth = 0; nth < end->count; ++nth) {
    const Bytes rest(central.data() + place, central.size() - place);
    auto entry = read_record(rest, end->start + place, path);
    if (!entry) return entry.error();
    if (entry->start != expected) {
      return damaged(path, "the place of '" + entry->name + "', or a gap before it",
                     end->start + place);
    }
    place += kCentralSize + entry->name.size();
    expected = entry->end();
    found.entries.push_back(*std::move(entry));
  }
  if (place != end->length || expected != end->start) {
    return damaged(path, "the list of members", end->start + place);
  }
  std::vector<std::string> names;
  for (const auto& entry : found.entries) names.push_back(entry.name);
  if (const auto clash = clash_among(names); !clash.empty()) return user_error(path + ": " + clash);
  const auto before = [](const std::string& a, const std::string& b) {
    return order_key(a) < order_key(b);
  };
  if (!std::is_sorted(names.begin(), names.end(), before)) {
    return user_error(path + ": the members are not in their order; " + kAgain);
  }
  const auto closing = end_record(end->count, end->length, end->start);
  central.insert(central.end(), closing.begin(), closing.end());
  found.tail = std::move(central);
  return found;
}

Result<std::string> check_member(const File& file, const Entry& entry, Sha256& whole, Buffer& block,
                                 const std::string& path) {
  Sha256 digest;
  std::uint32_t crc = 0;
  for (std::uint64_t place = entry.data(); place < entry.end();) {
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), entry.end() - place));
    if (file.read(place, block.data(), wanted) != wanted) return changed(path);
    const Bytes data(block.data(), wanted);
    digest.update(data);
    whole.update(data);
    crc = crc32_of(crc, data);
    place += wanted;
  }
  if (crc != entry.crc) {
    return damaged(path, "the contents of '" + entry.name + "'", entry.data());
  }
  return digest.hex();
}

}  // namespace

std::uint64_t Entry::data() const { return start + kLocalSize + name.size(); }

Result<Contents> check_zip(const File& file, const std::string& path) {
  auto directory = read_directory(file, path);
  if (!directory) return directory.error();
  Contents found;
  Sha256 whole;
  Buffer block(kBlock);
  for (const auto& entry : directory->entries) {
    const auto wanted = local_header(entry);
    if (file.read(entry.start, wanted.size()) != wanted) {
      return damaged(path, "the header before '" + entry.name + "'", entry.start);
    }
    whole.update(wanted);
    auto digest = check_member(file, entry, whole, block, path);
    if (!digest) return digest.error();
    found.member_digests.emplace(entry.name, *std::move(digest));
  }
  const auto& tail = directory->tail;
  if (file.read(directory->entries.back().end(), tail.size() + 1) != tail) return changed(path);
  whole.update(tail);
  found.digest = whole.hex();
  found.entries = std::move(directory->entries);
  return found;
}

}  // namespace pv
