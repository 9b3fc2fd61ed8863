// The ways in which a manifest can contradict itself, in the order of core/manifest.py.
#include <algorithm>
#include <set>

#include "canonical_zip.h"
#include "digest.h"
#include "json.h"
#include "manifest.h"
#include "member_name.h"
#include "text.h"

namespace pv {

namespace {

constexpr std::size_t kMaxText = 200;

std::string identifier(const std::string& kind, std::vector<Json> parts) {
  parts.insert(parts.begin(), Json(kind));
  return kind + "-" + sha256(spelled_on_a_line(Json(parts))).substr(0, 32);
}

std::string space_id(const FullManifest& manifest) {
  return identifier("space",
                    {manifest.lineage, manifest.neck, manifest.dimension, manifest.metric});
}

std::string encoder_id(const FullManifest& manifest, const Variant& variant,
                       const std::string& recipe) {
  const Member* member = recipe.empty() ? nullptr : manifest.member(recipe);
  std::vector<Json> parts = {manifest.space_id, member ? member->sha256 : "",
                             manifest.preprocess_digest, variant.kind, variant.candidate,
                             variant.precision};
  if (manifest.projects) {
    // A space names its own model, but not the student that projects into it.
    const Member* graph = manifest.member(graph_member(variant));
    parts.emplace_back(graph ? graph->sha256 : "");
  }
  return identifier("encoder", std::move(parts));
}

std::string in_text(const std::string& where, const std::string& text) {
  const auto points = code_points(text);
  const bool blank = std::all_of(points.begin(), points.end(), [](char32_t p) { return p == ' '; });
  if (!blank && points.size() <= kMaxText && is_printable(text)) return "";
  return where + ": must be 1 to 200 printable characters";
}

std::string in_space(const FullManifest& manifest) {
  if (!is_hexadecimal(manifest.lineage, 64)) {
    return "space.lineage: must be a sha256 in 64 hexadecimal digits";
  }
  if (manifest.dimension < 1) {
    return "space.dimension: must be above 0, not " + std::to_string(manifest.dimension);
  }
  const auto wanted = space_id(manifest);
  if (manifest.space_id == wanted) return "";
  return "space.id: must be " + wanted + ", which follows from the space";
}

std::string in_size(const FullManifest& manifest) {
  const auto compare = [](const char* key, const std::string& found, int wanted) -> std::string {
    if (found == std::to_string(wanted)) return "";
    return std::string("model.config.") + key + ": is " + (found.empty() ? "None" : found) +
           ", but the preprocessing makes " + std::to_string(wanted);
  };
  const auto height = compare("height_px", manifest.model_height, manifest.preprocess.height);
  if (!height.empty()) return height;
  return compare("width_px", manifest.model_width, manifest.preprocess.width);
}

std::string in_member(const Member& member, const std::string& where) {
  if (const auto reason = bad_name(member.name); !reason.empty()) {
    return where + ".name: '" + member.name + "' " + reason;
  }
  if (member.name == kFirst) return where + ".name: the manifest cannot list itself";
  if (!is_hexadecimal(member.sha256, 64)) {
    return where + ".sha256: must be a sha256 in 64 hexadecimal digits";
  }
  return member.size < 0 ? where + ".size: must not be below 0" : "";
}

// All of a probe, or none of it.
std::string in_probe(const FullManifest& manifest) {
  std::set<std::string> there, every = {"probe/crops.npy", "probe/embeddings.npy"};
  for (const auto& member : manifest.members) {
    if (member.name.rfind("probe/", 0) == 0) there.insert(member.name);
  }
  for (const auto& variant : manifest.variants) every.insert(probe_member(variant));
  if (there.empty() != manifest.probe_source.empty()) {
    return "probe_source: must say where the probe crops are from, and nothing without a probe";
  }
  if (there.empty() || there == every) return "";
  return "members: hold part of a probe, or one that belongs to no variant";
}

std::string in_members(const FullManifest& manifest) {
  const auto& members = manifest.members;
  for (std::size_t nth = 1; nth < members.size(); ++nth) {
    if (members[nth - 1].name >= members[nth].name) {
      return "members: must be sorted by name, each once";
    }
  }
  for (std::size_t nth = 0; nth < members.size(); ++nth) {
    const auto reason = in_member(members[nth], "members[" + std::to_string(nth) + "]");
    if (!reason.empty()) return reason;
  }
  if (!manifest.calibration.empty() && !manifest.member(manifest.calibration)) {
    return "calibration: names '" + manifest.calibration + "', which is not among the members";
  }
  if (!manifest.member(kGoldenCrops)) return std::string("members: lack ") + kGoldenCrops;
  return in_probe(manifest);
}

std::string wanted_precision(const Variant& variant) {
  if (variant.candidate != "fp16") return "int8";
  return variant.kind == "cpu" ? "fp32" : "fp16";
}

std::string in_candidate(const Variant& variant, const std::string& recipe,
                         const std::string& where) {
  const auto wanted = wanted_precision(variant);
  if (variant.precision != wanted) {
    return where + ".precision: the candidate " + variant.candidate + " for " + variant.kind +
           " is " + wanted + ", not " + variant.precision;
  }
  if (variant.kind == "trt-attention" && variant.candidate == "int8-attention") {
    return where + ".candidate: the Attention operator has no place for a quantised softmax";
  }
  if (!recipe.empty() && variant.precision != "int8") {
    return where + ".recipe: a graph in " + variant.precision + " is not quantised";
  }
  return "";
}

std::string in_tensors(const FullManifest& manifest, std::size_t nth, const std::string& where) {
  const auto& variant = manifest.variants[nth];
  if (variant.inputs.empty()) return where + ".inputs: there is none";
  int embeddings = 0;
  for (std::size_t output = 0; output < variant.outputs.size(); ++output) {
    const auto& spec = variant.outputs[output];
    if (spec.meaning != kEmbedding) continue;
    ++embeddings;
    if (manifest.output_ends[nth][output] != std::to_string(manifest.dimension)) {
      return where + ".outputs: '" + spec.name + "' must end in " +
             std::to_string(manifest.dimension) + " values";
    }
    if (spec.space != manifest.space_id) {
      return where + ".outputs: '" + spec.name + "' must lie in the space " + manifest.space_id;
    }
  }
  return embeddings == 1 ? "" : where + ".outputs: must hold one with the meaning 'embedding'";
}

std::string in_variant(const FullManifest& manifest, std::size_t nth) {
  const auto& variant = manifest.variants[nth];
  const auto& recipe = manifest.recipes[nth];
  const std::string where = "variants[" + std::to_string(nth) + "]";
  const auto& first = manifest.variants.front().candidate;
  const auto wanted =
      variant.candidate == first ? variant.kind : variant.kind + "-" + variant.candidate;
  if (variant.name != wanted) {
    return where + ".name: must be '" + wanted + "', not '" + variant.name + "'";
  }
  for (std::size_t other = 0; other < nth; ++other) {
    if (manifest.variants[other].name == variant.name) {
      return where + ".name: '" + variant.name + "' is there twice";
    }
  }
  for (const auto& member : {graph_member(variant), golden_member(variant), recipe}) {
    if (!member.empty() && !manifest.member(member)) {
      return where + ": needs '" + member + "', which is not among the members";
    }
  }
  if (const auto reason = in_candidate(variant, recipe, where); !reason.empty()) return reason;
  if (variant.opset < 1) {
    return where + ".opset: must be above 0, not " + std::to_string(variant.opset);
  }
  const auto& bounds = variant.bounds;
  if (!(bounds.cosine_min > 0 && bounds.cosine_min <= 1)) {
    return where + ".bounds.cosine_min: must be above 0 and at most 1";
  }
  if (!(bounds.norm_tolerance > 0 && bounds.norm_tolerance < 1)) {
    return where + ".bounds.norm_tolerance: must be between 0 and 1";
  }
  if (variant.encoder_id != encoder_id(manifest, variant, recipe)) {
    return where + ".encoder_id: does not follow from the model, recipe and preprocessing";
  }
  return in_tensors(manifest, nth, where);
}

}  // namespace

std::string contradiction(const FullManifest& manifest) {
  for (const auto& reason :
       {in_text("name", manifest.name), in_text("model.name", manifest.model_name),
        in_space(manifest), in_size(manifest), in_members(manifest)}) {
    if (!reason.empty()) return reason;
  }
  if (manifest.variants.empty()) return "variants: there is none; a bundle has at least one";
  for (std::size_t nth = 0; nth < manifest.variants.size(); ++nth) {
    if (const auto reason = in_variant(manifest, nth); !reason.empty()) return reason;
  }
  return "";
}

}  // namespace pv
