// A plan and what is told beside it: what it was made from, where it runs, what it computes.
#include "tensorrt_plan.h"

#include <algorithm>
#include <filesystem>

#include "../bundle/digest.h"
#include "../bundle/file.h"
#include "../bundle/json.h"
#include "../bundle/manifest.h"
#include "../bundle/preprocess_settings.h"
#include "bundle_graphs.h"

namespace pv {

namespace {

constexpr std::int64_t kSchema = 2;
constexpr std::size_t kMostPlan = std::size_t{4} << 30;

std::string title(const std::string& runtime) {
  return runtime == "tensorrt" ? "TensorRT" : "TensorRT-RTX";
}

std::string read_texts(Fields& fields, const char* name, std::vector<std::string>& out) {
  fields.each(name, [&](const Json& value, const std::string& where) -> std::string {
    if (!value.is_string()) return where + ": expected a text";
    out.push_back(value.get<std::string>());
    return "";
  });
  return "";
}

// A free axis is null.
std::string read_axis(const Json& value, const std::string& where, PlanTensor& tensor) {
  if (!value.is_null() && !value.is_number_integer()) return where + ": expected a whole number";
  tensor.shape.push_back(value.is_null() ? -1 : value.get<std::int64_t>());
  return "";
}

std::string read_tensor(const Json& value, const std::string& where, PlanTensor& tensor) {
  Fields fields(value, where);
  tensor.name = fields.text("name");
  tensor.dtype = fields.text("dtype");
  tensor.meaning = fields.text("meaning");
  fields.text_or_none("space");
  fields.each("shape", [&](const Json& axis, const std::string& place) {
    return read_axis(axis, place, tensor);
  });
  return fields.complaint();
}

void read_tensors(Fields& fields, const char* name, std::vector<PlanTensor>& out) {
  fields.each(name, [&](const Json& value, const std::string& where) {
    return read_tensor(value, where, out.emplace_back());
  });
}

std::string read_model(const Json& value, PlanSidecar& out) {
  Fields fields(value, "model");
  out.precision = fields.text("precision");
  Preprocess unused;
  const auto& preprocess = fields.object("preprocess");
  read_tensors(fields, "inputs", out.inputs);
  read_tensors(fields, "outputs", out.outputs);
  if (const auto complaint = fields.complaint(); !complaint.empty()) return complaint;
  return read_preprocess(preprocess, "model.preprocess", unused);
}

std::string read_built_for(const Json& value, PlanSidecar& out) {
  Fields fields(value, "built_for");
  read_texts(fields, "capabilities", out.capabilities);
  out.gpu = fields.text_or_none("gpu");
  out.l4t = fields.text_or_none("l4t");
  return fields.complaint();
}

// What only the compiler needs to know; it is read for its form alone.
void read_making(Fields& fields) {
  std::vector<std::string> warnings;
  fields.each("batch", [](const Json& value, const std::string& where) -> std::string {
    return value.is_number_integer() ? "" : where + ": expected a whole number";
  });
  fields.one_of("typing", {"strong", "weak"});
  fields.truth("static");
  fields.truth("fp32_layernorm");
  read_texts(fields, "warnings", warnings);
  fields.number("seconds");
}

std::string read_document(Json document, PlanSidecar& out) {
  if (!document.is_object()) return "the document: expected an object";
  const auto schema = document.value("schema", Json());
  if (schema != Json(kSchema)) {
    return "schema: is " + schema.dump() + ", not " + std::to_string(kSchema);
  }
  // A whole number or null, which no field reader takes.
  const auto level = document.find("level");
  if (level == document.end()) return "the document: lacks level";
  if (!level->is_null() && !level->is_number_integer()) return "level: expected a whole number";
  document.erase("level");
  Fields fields(document, "");
  fields.whole("schema");
  out.runtime = fields.one_of("runtime", {"tensorrt", "tensorrt_rtx"});
  const auto& versions = fields.object("versions");
  out.plan_sha256 = fields.text("plan_sha256");
  out.onnx_sha256 = fields.text("onnx_sha256");
  read_making(fields);
  const auto& built_for = fields.object("built_for");
  const auto& model = fields.object("model");
  if (const auto complaint = fields.complaint(); !complaint.empty()) return complaint;
  if (const auto version = versions.find(out.runtime); version != versions.end()) {
    if (!version->is_string()) return "versions." + out.runtime + ": expected a text";
    out.version = version->get<std::string>();
  }
  if (const auto complaint = read_built_for(built_for, out); !complaint.empty()) return complaint;
  return read_model(model, out);
}

// Python's package says 10.13.3.9 where the library's parts are asked for; JetPack's says 10.3.0.
bool same_version(const std::string& one, const std::string& two) {
  const auto& shorter = one.size() < two.size() ? one : two;
  const auto& longer = one.size() < two.size() ? two : one;
  const bool begins = longer.rfind(shorter, 0) == 0 &&
                      (longer.size() == shorter.size() || longer[shorter.size()] == '.');
  return begins && std::count(shorter.begin(), shorter.end(), '.') >= 2;
}

}  // namespace

std::string PlanSidecar::misfit(const PlanPlace& here) const {
  if (runtime != "tensorrt") return "it is a plan of " + title(runtime) + ", not of TensorRT";
  if (!same_version(version, here.version)) {
    return "it was built by TensorRT " + (version.empty() ? "None" : version) + ", and here is " +
           here.version;
  }
  if (std::find(capabilities.begin(), capabilities.end(), here.capability) == capabilities.end()) {
    return "it was built for SM " + joined(capabilities) + ", and " + here.gpu + " is SM " +
           here.capability;
  }
  if (!gpu.empty() && gpu != here.gpu)
    return "it was built on " + gpu + ", and here is " + here.gpu;
  if (!gpu.empty() && l4t != here.l4t) {
    const auto told = [](const std::string& text) { return text.empty() ? "None" : text; };
    return "it was built under L4T " + told(l4t) + ", and here is " + told(here.l4t);
  }
  return "";
}

Result<PlanSidecar> read_sidecar(const std::string& plan) {
  const auto place = plan + ".json";
  const auto refused = [&](const std::string& problem) {
    return user_error(plan + " needs its sidecar " +
                      std::filesystem::path(place).filename().string() + " beside it (" + problem +
                      "); build the plan again");
  };
  const auto data = read_small(place, "the sidecar of a plan", kMaxJson);
  if (!data) return refused(data.error().sentence);
  const auto document = parse_json(*data);
  if (!document) return refused(document.error().sentence);
  PlanSidecar sidecar;
  const auto complaint = read_document(*document, sidecar);
  if (!complaint.empty()) return refused(complaint);
  return sidecar;
}

Result<Plan> read_plan(const std::string& path, PlanSidecar sidecar) {
  const auto file = File::open(path, "a plan");
  if (!file) return file.error();
  if (file->size() > kMostPlan) return user_error(path + " is too large to be a plan of ours");
  Plan plan{path, std::move(sidecar), file->read(0, static_cast<std::size_t>(file->size()))};
  if (sha256(Bytes(plan.data)) != plan.sidecar.plan_sha256) {
    const auto name = std::filesystem::path(path).filename().string();
    return user_error(path + " is not the plan that " + name +
                      ".json describes; copy both again, or build it again");
  }
  return plan;
}

Result<std::vector<std::string>> plans_at(const std::string& place) {
  std::error_code problem;
  if (!std::filesystem::is_directory(place, problem)) return std::vector<std::string>{place};
  std::vector<std::string> found;
  for (std::filesystem::directory_iterator entry(place, problem), end; !problem && entry != end;
       entry.increment(problem)) {
    if (entry->path().extension() == ".plan") found.push_back(entry->path().string());
  }
  std::sort(found.begin(), found.end());
  if (!found.empty()) return found;
  return user_error(place + ": there is no plan (*.plan) in this folder; build one here");
}

Result<const Variant*> variant_of(const Bundle& bundle, const std::string& path,
                                  const PlanSidecar& sidecar) {
  for (const auto& variant : bundle.manifest().variants) {
    const auto graph = bundle.read(graph_member(variant));
    if (!graph) return graph.error();
    if (sha256(Bytes(*graph)) == sidecar.onnx_sha256) return &variant;
  }
  return user_error(path + " was built from a graph that is not in " + bundle.path() +
                    "; build it again from this bundle");
}

}  // namespace pv
