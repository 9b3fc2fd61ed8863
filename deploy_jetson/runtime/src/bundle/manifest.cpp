// Reads manifest.json field by field, as core/manifest.py does.
#include "manifest.h"

#include "canonical_zip.h"
#include "preprocess_settings.h"

namespace pv {

namespace {

constexpr std::int64_t kSchema = 1;
constexpr const char* kMend = "export the bundle again, or copy it again from its source";

std::string read_shape(const Json& value, const std::string& where, TensorSpec& out) {
  if (value.is_string()) {
    out.shape.push_back(-1);
    return "";
  }
  if (!value.is_number_integer()) return where + ": expected a whole number or a text";
  out.shape.push_back(value.get<std::int64_t>());
  return "";
}

std::string read_tensor(const Json& value, const std::string& where, TensorSpec& out) {
  Fields fields(value, where);
  out.name = fields.text("name");
  out.dtype = fields.text("dtype");
  out.meaning = fields.text("meaning");
  out.space = fields.text_or_none("space");
  fields.each("shape", [&](const Json& axis, const std::string& place) {
    return read_shape(axis, place, out);
  });
  return fields.complaint();
}

std::string read_bounds(const Json& value, const std::string& where, Bounds& out) {
  Fields fields(value, where);
  out.cosine_min = fields.number("cosine_min");
  out.norm_tolerance = fields.number("norm_tolerance");
  return fields.complaint();
}

std::string last_axis(const Json& tensor) {
  if (!tensor.is_object() || !tensor.contains("shape")) return "";
  const Json& shape = tensor["shape"];
  return shape.is_array() && !shape.empty() ? shape.back().dump() : "";
}

std::string read_variant(const Json& value, const std::string& where, FullManifest& manifest) {
  Fields fields(value, where);
  Variant variant;
  variant.name = fields.text("name");
  variant.kind = fields.one_of("kind", {"cpu", "trt-decomposed", "trt-attention", "deepstream"});
  variant.candidate = fields.one_of("candidate", {"int8", "fp16", "int8-attention", "mixed"});
  variant.precision = fields.one_of("precision", {"int8", "fp16", "fp32"});
  variant.opset = static_cast<int>(fields.whole("opset"));
  variant.encoder_id = fields.text("encoder_id");
  manifest.recipes.push_back(fields.text_or_none("recipe"));
  std::vector<std::string> ends;
  fields.each("inputs", [&](const Json& tensor, const std::string& place) {
    return read_tensor(tensor, place, variant.inputs.emplace_back());
  });
  fields.each("outputs", [&](const Json& tensor, const std::string& place) {
    ends.push_back(last_axis(tensor));
    return read_tensor(tensor, place, variant.outputs.emplace_back());
  });
  if (const auto reason = read_bounds(fields.object("bounds"), where + ".bounds", variant.bounds);
      !reason.empty()) {
    fields.complain(reason);
  }
  manifest.output_ends.push_back(std::move(ends));
  manifest.variants.push_back(std::move(variant));
  return fields.complaint();
}

std::string read_member(const Json& value, const std::string& where, FullManifest& manifest) {
  Fields fields(value, where);
  Member member;
  member.name = fields.text("name");
  member.size = fields.whole("size");
  member.sha256 = fields.text("sha256");
  manifest.members.push_back(std::move(member));
  return fields.complaint();
}

std::string read_space(const Json& value, FullManifest& out) {
  Fields fields(value, "space");
  out.lineage = fields.text("lineage");
  out.neck = fields.one_of("neck", {"before", "after"});
  out.dimension = static_cast<int>(fields.whole("dimension"));
  out.metric = fields.one_of("metric", {"cosine", "euclidean"});
  out.space_id = fields.text("id");
  return fields.complaint();
}

std::string read_model(const Json& value, FullManifest& out) {
  Fields fields(value, "model");
  out.model_name = fields.text("name");
  const Json& config = fields.object("config");
  if (config.is_object()) {
    if (config.contains("height_px")) out.model_height = config["height_px"].dump();
    if (config.contains("width_px")) out.model_width = config["width_px"].dump();
    const auto said = config.contains("projection") ? config["projection"].dump() : "null";
    out.projects = said != "0" && said != "null" && said != "false";
  }
  return fields.complaint();
}

std::string read_fields(const Json& document, FullManifest& out) {
  Fields fields(document, "");
  const auto schema = fields.whole("schema");
  if (schema != kSchema) {
    fields.complain("schema: must be " + std::to_string(kSchema) + ", not " +
                    std::to_string(schema));
  }
  out.tool = fields.text("tool");
  out.name = fields.text("name");
  fields.one_of("golden_source", {"synthetic", "data"});
  bool no_probe = false;
  out.probe_source = fields.text_or_none("probe_source", &no_probe);
  if (!no_probe && out.probe_source != "synthetic" && out.probe_source != "data") {
    fields.complain("probe_source: must be one of synthetic, data");
  }
  out.calibration = fields.text_or_none("calibration");
  const Json& preprocess = fields.object("preprocess");
  for (const auto& reason :
       {read_model(fields.object("model"), out), read_space(fields.object("space"), out),
        read_preprocess(preprocess, "preprocess", out.preprocess)}) {
    if (!reason.empty()) fields.complain(reason);
  }
  out.preprocess_digest = digest_of(preprocess);
  fields.each("variants", [&](const Json& value, const std::string& where) {
    return read_variant(value, where, out);
  });
  fields.each("members", [&](const Json& value, const std::string& where) {
    return read_member(value, where, out);
  });
  return fields.complaint();
}

std::string newer(const Json& document) {
  if (!document.is_object() || !document.contains("schema")) return "";
  const Json& schema = document["schema"];
  if (!schema.is_number_integer() || schema <= kSchema) return "";
  return "schema: the bundle has schema " + schema.dump() + ", and this version reads up to " +
         std::to_string(kSchema) +
         "; upgrade personvit, or export the bundle again with this version";
}

}  // namespace

const Member* FullManifest::member(const std::string& wanted) const {
  for (const auto& one : members) {
    if (one.name == wanted) return &one;
  }
  return nullptr;
}

std::string graph_member(const Variant& variant) {
  return "variants/" + variant.name + "/model.onnx";
}
std::string golden_member(const Variant& variant) { return "golden/" + variant.name + ".npy"; }
std::string probe_member(const Variant& variant) { return "probe/" + variant.name + ".npy"; }

Result<FullManifest> read_manifest(Bytes data) {
  const std::string first = std::string(kFirst) + ": ";
  const auto document = parse_json(data);
  if (!document) return user_error(first + document.error().sentence + "; " + kMend);
  if (const auto reason = newer(*document); !reason.empty()) return user_error(first + reason);
  FullManifest manifest;
  if (const auto reason = read_fields(*document, manifest); !reason.empty()) {
    return user_error(first + reason + "; " + kMend);
  }
  if (const auto reason = contradiction(manifest); !reason.empty()) {
    return user_error(first + reason + "; " + kMend);
  }
  const auto wanted = spelled(*document);
  if (wanted.size() != data.size() ||
      !std::equal(data.begin(), data.end(),
                  reinterpret_cast<const unsigned char*>(wanted.data()))) {
    return user_error(first + "it was edited or written by another tool; " + kMend);
  }
  return manifest;
}

}  // namespace pv
