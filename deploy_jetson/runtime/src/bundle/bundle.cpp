// Opens a bundle and hands out what is in it.
#include "bundle.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "canonical_zip.h"
#include "digest.h"
#include "file.h"
#include "json.h"
#include "manifest.h"
#include "npy.h"
#include "signature.h"
#include "thresholds.h"

namespace pv {

namespace {

constexpr int kGoldenCount = 16;

class OpenBundle final : public Bundle {
 public:
  OpenBundle(std::string path, File file, Contents contents, FullManifest manifest)
      : path_(std::move(path)),
        file_(std::move(file)),
        contents_(std::move(contents)),
        manifest_(std::move(manifest)) {}

  const std::string& path() const override { return path_; }
  const std::string& digest() const override { return contents_.digest; }
  const Manifest& manifest() const override { return manifest_; }

  std::vector<std::string> members() const override {
    std::vector<std::string> names;
    for (const auto& entry : contents_.entries) names.push_back(entry.name);
    return names;
  }

  // Checked again: the file may have changed since it was opened.
  Result<std::vector<unsigned char>> read(const std::string& member) const override {
    const auto& entries = contents_.entries;
    const auto entry = std::find_if(entries.begin(), entries.end(),
                                    [&](const Entry& one) { return one.name == member; });
    if (entry == entries.end()) {
      return user_error(path_ + ": there is no member '" + member + "'");
    }
    auto data = file_.read(entry->data(), entry->size);
    if (sha256(Bytes(data)) != contents_.member_digests.at(member)) {
      return user_error(path_ + ": '" + member + "' changed since the bundle was opened");
    }
    return data;
  }

  Result<Golden> golden(const Variant& variant) const override {
    Golden found;
    found.count = kGoldenCount;
    auto crops = read(kGoldenCrops);
    if (!crops) return crops.error();
    const auto& size = manifest_.preprocess;
    const auto shaped =
        expect(*crops, kGoldenCrops, "|u1", {kGoldenCount, size.height, size.width, 3});
    if (!shaped) return shaped.error();
    found.crops.assign(crops->begin() + static_cast<std::ptrdiff_t>(*shaped), crops->end());
    auto vectors = embeddings(golden_member(variant), kGoldenCount);
    if (!vectors) return vectors.error();
    found.embeddings = *std::move(vectors);
    return found;
  }

  Result<std::vector<Threshold>> thresholds(const Variant& variant) const override {
    if (!manifest_.member("thresholds.json")) return std::vector<Threshold>{};
    const auto data = read("thresholds.json");
    if (!data) return data.error();
    const auto document = parse_json(*data);
    if (!document) return user_error(path_ + ": thresholds.json: " + document.error().sentence);
    const bool is_default = variant.candidate == manifest_.variants.front().candidate;
    auto found = read_thresholds(*document, variant.candidate, is_default);
    if (!found) return user_error(path_ + ": " + found.error().sentence);
    return found;
  }

 private:
  // Where the values begin.
  Result<std::size_t> expect(Bytes data, const std::string& member, const std::string& dtype,
                             const std::vector<std::int64_t>& shape) const {
    const auto header = read_npy(data, path_ + ": " + member);
    if (!header) return header.error();
    if (header->dtype == dtype && header->shape == shape) return header->data;
    return user_error(path_ + ": " + member +
                      ": it has another type or shape than the manifest says; export the bundle "
                      "again");
  }

  Result<std::vector<float>> embeddings(const std::string& member, int count) const {
    auto data = read(member);
    if (!data) return data.error();
    const auto place = expect(*data, member, "<f4", {count, manifest_.dimension});
    if (!place) return place.error();
    const auto width = static_cast<std::size_t>(manifest_.dimension);
    std::vector<float> values(static_cast<std::size_t>(count) * width);
    std::memcpy(values.data(), data->data() + *place, values.size() * sizeof(float));
    const bool finite =
        std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); });
    bool empty_row = false;
    for (std::size_t row = 0; row < static_cast<std::size_t>(count); ++row) {
      const auto from = values.begin() + static_cast<std::ptrdiff_t>(row * width);
      empty_row |= std::all_of(from, from + static_cast<std::ptrdiff_t>(width),
                               [](float value) { return value == 0.0F; });
    }
    if (finite && !empty_row) return values;
    return user_error(path_ + ": " + member +
                      ": expected finite, non-zero embeddings; export the bundle again");
  }

  std::string path_;
  File file_;
  Contents contents_;
  FullManifest manifest_;
};

Status compare_members(const Contents& contents, const FullManifest& manifest) {
  for (const auto& entry : contents.entries) {
    if (entry.name == kFirst) continue;
    const Member* listed = manifest.member(entry.name);
    if (!listed) {
      return user_error("the member '" + entry.name + "' is not listed in " + kFirst +
                        "; export the bundle again");
    }
    const auto& digest = contents.member_digests.at(entry.name);
    if (listed->size != static_cast<std::int64_t>(entry.size) || listed->sha256 != digest) {
      return user_error("the member '" + entry.name + "' is not the one " + kFirst +
                        " describes (sha256 " + digest.substr(0, 12) + "..., expected " +
                        listed->sha256.substr(0, 12) +
                        "...); copy the bundle again from its source, or export it again");
    }
  }
  for (const auto& member : manifest.members) {
    if (contents.member_digests.count(member.name) == 0) {
      return user_error("the member '" + member.name + "' is missing, but is listed in " + kFirst +
                        "; export the bundle again");
    }
  }
  return Done{};
}

Result<FullManifest> read_first(const File& file, const Contents& contents,
                                const std::string& path) {
  const auto& first = contents.entries.front();
  if (first.name != kFirst || first.size > kMaxJson) {
    return user_error(path + ": it has no " + kFirst +
                      " a bundle could have; this is not a bundle");
  }
  const auto data = file.read(first.data(), first.size);
  if (sha256(Bytes(data)) != contents.member_digests.at(kFirst)) {
    return user_error(path + ": the file changed while it was read; try again");
  }
  auto manifest = read_manifest(data);
  if (!manifest) return user_error(path + ": " + manifest.error().sentence);
  if (const auto same = compare_members(contents, *manifest); !same) {
    return user_error(path + ": " + same.error().sentence);
  }
  return manifest;
}

}  // namespace

Result<std::shared_ptr<const Bundle>> Bundle::open(const std::string& path, const Trust& trust) {
  auto file = File::open(path, "a bundle");
  if (!file) return file.error();
  auto contents = check_zip(*file, path);
  if (!contents) return contents.error();
  auto manifest = read_first(*file, *contents, path);
  if (!manifest) return manifest.error();
  if (const auto trusted = require_trusted(path, contents->digest, trust); !trusted) {
    return trusted.error();
  }
  return std::shared_ptr<const Bundle>(std::make_shared<const OpenBundle>(
      path, *std::move(file), *std::move(contents), *std::move(manifest)));
}

Result<const Variant*> Bundle::variant(const std::string& name,
                                       const std::vector<std::string>& kinds) const {
  std::string known;
  for (const auto& kind : kinds) {
    for (const auto& one : manifest().variants) {
      if (one.kind == kind && (name.empty() || one.name == name)) return &one;
    }
  }
  for (const auto& one : manifest().variants) known += (known.empty() ? "" : ", ") + one.name;
  if (!name.empty()) {
    return user_error(path() + ": there is no variant '" + name +
                      "' that this backend takes; the bundle has " + known);
  }
  return user_error(path() + ": no variant is for this backend (the bundle has " + known +
                    "); export it with the matching --target");
}

}  // namespace pv
