// The manifest of a bundle, with what only its checks need.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bundle.h"

namespace pv {

struct Member {
  std::string name;
  std::int64_t size = 0;
  std::string sha256;
};

struct FullManifest : Manifest {
  std::string model_name;
  std::string model_height, model_width;  // as the configuration spells them; empty where absent
  bool projects = false;  // a student that answers in its teacher's space
  std::string lineage, neck, metric;
  std::string preprocess_digest;
  std::string calibration;                            // empty: none
  std::string probe_source;                           // empty: none
  std::vector<std::string> recipes;                   // of each variant; empty: none
  std::vector<std::vector<std::string>> output_ends;  // of each variant's outputs: the last axis
  std::vector<Member> members;

  const Member* member(const std::string& wanted) const;
};

// Parses and checks; the only accepted spelling is the one that Python writes.
Result<FullManifest> read_manifest(Bytes data);

// The first way in which a manifest contradicts itself, or nothing.
std::string contradiction(const FullManifest& manifest);

std::string graph_member(const Variant& variant);
std::string golden_member(const Variant& variant);
std::string probe_member(const Variant& variant);

inline constexpr const char* kGoldenCrops = "golden/crops.npy";
inline constexpr const char* kEmbedding = "embedding";

}  // namespace pv
