// The form of a gallery file (*.pvg): a header, rows of vectors, what belongs to each row, labels.
//
//   0     "PVGALLRY", then whole numbers of 64 bits, little-endian: form, store, dimension, stride,
//         rows, place of the scales, of the sums, of the label places, of the labels, file size
//   96    the space's and the encoder's name, 64 bytes each, padded with zeros
//   4096  rows of `stride` bytes: float32 values of length 1, or int8 values; padded with zeros
//
// An int8 row stands for values * scale; `scale` is 1 / the length of its whole numbers, so that
// the product of two rows and their scales is a cosine. `sums` are the sums of int8 rows, which
// processors need that multiply signed by unsigned bytes. The last 32 bytes are the SHA-256 of the
// SHA-256s of all blocks of 4 MiB before them, so that several cores can check a file.
#pragma once

#include <cstdint>
#include <string>

#include "../result.h"
#include "gallery.h"

namespace pv {

inline constexpr char kGalleryMark[9] = "PVGALLRY";
inline constexpr std::uint64_t kGalleryForm = 1;
inline constexpr std::uint64_t kRowsAt = 4096, kRowAlignment = 64, kNameSize = 64;
inline constexpr std::uint64_t kDigestSize = 32;
inline constexpr std::size_t kDigestBlock = 4 << 20;
inline constexpr int kMaxDimension = 65536;

struct GalleryHeader {
  Store store = Store::float32;
  int dimension = 0;
  std::uint64_t stride = 0, rows = 0;
  std::uint64_t scales = 0, sums = 0, label_places = 0, labels = 0, size = 0;
  std::string space_id, encoder_id;
};

std::uint64_t stride_of(Store store, int dimension);

// Every place follows from the rows, their width and the bytes of all labels.
GalleryHeader laid_out(Store store, int dimension, std::uint64_t rows, std::uint64_t label_bytes,
                       std::string space_id, std::string encoder_id);

// Exactly kRowsAt bytes.
std::string header_bytes(const GalleryHeader& header);

// Refuses a header that contradicts itself or the size of its file.
Result<GalleryHeader> read_header(Bytes head, std::uint64_t file_size, const std::string& path);

}  // namespace pv
