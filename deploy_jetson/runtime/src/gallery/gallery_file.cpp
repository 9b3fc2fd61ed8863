// The form of a gallery file.
#include "gallery_file.h"

#include <cstring>

namespace pv {

namespace {

constexpr std::size_t kFieldsAt = 8, kNamesAt = 96;
constexpr std::uint64_t kMostRows = 1ULL << 40;

void put(std::string& out, std::uint64_t value) {
  for (int nth = 0; nth < 8; ++nth) out += static_cast<char>(value >> (8 * nth) & 255);
}

std::uint64_t get(Bytes data, std::size_t place) {
  std::uint64_t value = 0;
  for (std::size_t nth = 0; nth < 8; ++nth) {
    value |= static_cast<std::uint64_t>(data[place + nth]) << (8 * nth);
  }
  return value;
}

std::string name_at(Bytes data, std::size_t place) {
  const auto* text = reinterpret_cast<const char*>(data.data()) + place;
  return std::string(text, strnlen(text, kNameSize));
}

std::uint64_t up_to(std::uint64_t value, std::uint64_t step) {
  return (value + step - 1) / step * step;
}

Error foreign(const std::string& path, const std::string& what) {
  return user_error(path + ": " + what + "; build the gallery again with pv-search build");
}

}  // namespace

std::uint64_t stride_of(Store store, int dimension) {
  const auto width = static_cast<std::uint64_t>(dimension);
  return up_to(store == Store::int8 ? width : width * 4, kRowAlignment);
}

GalleryHeader laid_out(Store store, int dimension, std::uint64_t rows, std::uint64_t label_bytes,
                       std::string space_id, std::string encoder_id) {
  GalleryHeader header;
  header.store = store;
  header.dimension = dimension;
  header.stride = stride_of(store, dimension);
  header.rows = rows;
  const std::uint64_t extra = store == Store::int8 ? 4 * rows : 0;
  header.scales = kRowsAt + rows * header.stride;
  header.sums = up_to(header.scales + extra, 8);
  header.label_places = up_to(header.sums + extra, 8);
  header.labels = header.label_places + 8 * (rows + 1);
  header.size = header.labels + label_bytes + kDigestSize;
  header.space_id = std::move(space_id);
  header.encoder_id = std::move(encoder_id);
  return header;
}

std::string header_bytes(const GalleryHeader& header) {
  std::string out(kGalleryMark, 8);
  put(out, kGalleryForm);
  put(out, static_cast<std::uint64_t>(header.store));
  put(out, static_cast<std::uint64_t>(header.dimension));
  put(out, header.stride);
  put(out, header.rows);
  for (const auto place :
       {header.scales, header.sums, header.label_places, header.labels, header.size}) {
    put(out, place);
  }
  out.resize(kNamesAt, '\0');
  out += header.space_id;
  out.resize(kNamesAt + kNameSize, '\0');
  out += header.encoder_id;
  out.resize(kRowsAt, '\0');
  return out;
}

Result<GalleryHeader> read_header(Bytes head, std::uint64_t file_size, const std::string& path) {
  if (head.size() < kRowsAt || std::memcmp(head.data(), kGalleryMark, 8) != 0) {
    return foreign(path, "this is not a gallery file");
  }
  const auto field = [&](std::size_t nth) { return get(head, kFieldsAt + 8 * nth); };
  if (field(0) != kGalleryForm) {
    return foreign(path, "it has form " + std::to_string(field(0)) + ", and this version reads " +
                             std::to_string(kGalleryForm));
  }
  const auto store = field(1), dimension = field(2), rows = field(4), labels = field(8);
  const bool sane = store <= 1 && dimension >= 1 && dimension <= kMaxDimension &&
                    rows <= kMostRows && labels <= file_size;
  if (!sane || field(9) != file_size || file_size - labels < kDigestSize) {
    return foreign(path, "it is cut off, or its header is damaged");
  }
  auto wanted = laid_out(static_cast<Store>(store), static_cast<int>(dimension), rows,
                         file_size - labels - kDigestSize, name_at(head, kNamesAt),
                         name_at(head, kNamesAt + kNameSize));
  const auto bytes = header_bytes(wanted);
  if (std::memcmp(bytes.data(), head.data(), kRowsAt) != 0) {
    return foreign(path, "its header is damaged");
  }
  return wanted;
}

}  // namespace pv
