// Engines: which one is opened, drift, chunks, what a plan's sidecar says, what a processor can do.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <numeric>

#include "bundle/digest.h"
#include "bundle/json.h"
#include "engine/backends.h"
#include "engine/bundle_graphs.h"
#include "engine/cpu_precision.h"
#include "engine/half.h"
#include "engine/l4t.h"
#include "engine/tensorrt_plan.h"

namespace {

constexpr int kHeight = 8, kWidth = 4, kDimension = 12, kGolden = 16;
constexpr std::size_t kCrop = std::size_t{kHeight} * kWidth * 3;

bool says(const pv::Error& error, const std::string& part) {
  CAPTURE(error.sentence);
  return error.sentence.find(part) != std::string::npos;
}

pv::Variant made_variant(const std::string& name, const std::string& kind,
                         const std::string& precision) {
  pv::Variant made;
  made.name = name;
  made.kind = kind;
  made.precision = precision;
  made.inputs = {{"images", "uint8", {-1, kHeight, kWidth, 3}, "crops", ""}};
  made.outputs = {{"embedding", "float32", {-1, kDimension}, "embedding", "space-1"}};
  made.bounds = {0.999, 0.01};
  made.encoder_id = "encoder-" + name;
  return made;
}

// A bundle in memory, whose golden embeddings are whatever a test says.
class MemoryBundle final : public pv::Bundle {
 public:
  MemoryBundle() {
    manifest_.preprocess.height = kHeight;
    manifest_.preprocess.width = kWidth;
    manifest_.dimension = kDimension;
    manifest_.space_id = "space-1";
    manifest_.variants = {made_variant("cpu", "cpu", "int8"),
                          made_variant("cpu-fp16", "cpu", "fp32"),
                          made_variant("trt-decomposed", "trt-decomposed", "int8")};
    golden_.count = kGolden;
    golden_.crops.resize(kGolden * kCrop);
    std::uint32_t state = 1;
    for (auto& value : golden_.crops) {
      state = state * 1664525U + 1013904223U;
      value = static_cast<std::uint8_t>(state >> 24);
    }
    golden_.embeddings.resize(kGolden * kDimension);
  }

  const std::string& path() const override { return path_; }
  const std::string& digest() const override { return path_; }
  const pv::Manifest& manifest() const override { return manifest_; }
  std::vector<std::string> members() const override { return {}; }
  pv::Result<std::vector<unsigned char>> read(const std::string& member) const override {
    return std::vector<unsigned char>(graph_.begin(), graph_.end() - (member.size() % 2 ? 1 : 0));
  }
  pv::Result<pv::Golden> golden(const pv::Variant&) const override { return golden_; }
  pv::Result<std::vector<pv::Threshold>> thresholds(const pv::Variant&) const override {
    return std::vector<pv::Threshold>{};
  }

  std::string path_ = "memory.pvb";
  std::string graph_ = "the graph";
  pv::Manifest manifest_;
  pv::Golden golden_;
};

pv::EngineOptions fake(int batch = 8) {
  pv::EngineOptions options;
  options.backend = "fake";
  options.batch = batch;
  return options;
}

std::unique_ptr<pv::Engine> opened(const std::shared_ptr<MemoryBundle>& bundle,
                                   const pv::EngineOptions& options) {
  auto engine = pv::Engine::open(bundle, options);
  if (!engine) FAIL(engine.error().sentence);
  return *std::move(engine);
}

// Its golden embeddings are what the fake engine gives.
std::shared_ptr<MemoryBundle> proven_bundle() {
  auto bundle = std::make_shared<MemoryBundle>();
  auto options = fake();
  options.replay = false;
  auto& golden = bundle->golden_;
  const auto done =
      opened(bundle, options)->embed(golden.crops.data(), kGolden, golden.embeddings.data());
  REQUIRE(done);
  return bundle;
}

std::string drift_of(const std::shared_ptr<MemoryBundle>& bundle) {
  const auto engine = pv::Engine::open(bundle, fake());
  REQUIRE_FALSE(engine);
  CHECK(engine.error().code == pv::Code::environment);
  return engine.error().sentence;
}

// Answers rightly, but for batches of one size.
class WrongAt final : public pv::Engine {
 public:
  WrongAt(std::unique_ptr<pv::Engine> right, int size, float value)
      : right_(std::move(right)), size_(size), value_(value) {}
  const pv::EngineInfo& info() const override { return right_->info(); }
  const pv::Preprocess& preprocess() const override { return right_->preprocess(); }
  int dimension() const override { return right_->dimension(); }
  int batch() const override { return right_->batch(); }
  pv::Bounds bounds() const override { return right_->bounds(); }

 protected:
  pv::Status run(const std::uint8_t* crops, int count, float* out) override {
    auto done = right_->embed(crops, static_cast<std::size_t>(count), out);
    if (count == size_) out[0] = value_;
    return done;
  }

 private:
  std::unique_ptr<pv::Engine> right_;
  int size_;
  float value_;
};

std::unique_ptr<pv::Engine> wrong_at(const std::shared_ptr<MemoryBundle>& bundle, int size,
                                     float value) {
  return std::make_unique<WrongAt>(opened(bundle, fake()), size, value);
}

pv::Cpu cpu_with(std::vector<std::string> flags) { return {"A processor", std::move(flags)}; }

}  // namespace

TEST_CASE("an engine that answers as proven is opened, and says what it is") {
  const auto bundle = proven_bundle();
  const auto engine = opened(bundle, fake());
  CHECK(engine->info().variant == "cpu");
  CHECK(engine->info().encoder_id == "encoder-cpu");
  CHECK(engine->info().space_id == "space-1");
  CHECK(engine->dimension() == kDimension);
  CHECK(engine->batch() == 8);
}

TEST_CASE("any number of crops gives what one by one gives, and none gives nothing") {
  const auto bundle = proven_bundle();
  const auto engine = opened(bundle, fake(3));
  const auto& golden = bundle->golden_;
  for (const int number : {0, 1, 2, 3, 4, 7, 16}) {
    const auto count = static_cast<std::size_t>(number);
    CAPTURE(count);
    std::vector<float> found((count + 1) * kDimension, -7.0F);
    REQUIRE(engine->embed(golden.crops.data(), count, found.data()));
    for (std::size_t at = 0; at < count * kDimension; ++at) {
      CHECK(found[at] == golden.embeddings[at]);
    }
    for (std::size_t at = count * kDimension; at < found.size(); ++at) CHECK(found[at] == -7.0F);
  }
}

TEST_CASE("permuted golden embeddings are refused, with the crop and the cosine") {
  const auto bundle = proven_bundle();
  auto& values = bundle->golden_.embeddings;
  std::rotate(values.begin(), values.begin() + kDimension, values.end());
  const auto sentence = drift_of(bundle);
  CHECK(sentence.find("fake (memory.pvb, variant 'cpu') does not compute here what it was proven "
                      "to compute: at batch 1, golden crop") == 0);
  CHECK(sentence.find("has cosine") != std::string::npos);
  CHECK(sentence.find("the bound is 0.99900") != std::string::npos);
}

TEST_CASE("a scaled answer is refused, though its direction is right") {
  const auto bundle = proven_bundle();
  for (int at = 0; at < kDimension; ++at) {
    bundle->golden_.embeddings[static_cast<std::size_t>(5 * kDimension + at)] *= 0.5F;
  }
  CHECK(drift_of(bundle).find("golden crop 5 has a length 100.00% away from the expected one, and "
                              "the bound is 1.00%") != std::string::npos);
}

TEST_CASE("other weights are refused") {
  const auto bundle = proven_bundle();
  bundle->graph_ = "another graph";
  CHECK(drift_of(bundle).find("has cosine") != std::string::npos);
}

TEST_CASE("what is wrong at one batch size only is found at that size") {
  const auto bundle = proven_bundle();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const int size : {1, 8}) {
    for (const float value : {1e6F, nan}) {
      const auto engine = pv::Engine::proven(wrong_at(bundle, size, value), *bundle, 0);
      REQUIRE_FALSE(engine);
      CHECK(says(engine.error(), "at batch " + std::to_string(size)));
    }
  }
  CHECK(pv::Engine::proven(wrong_at(bundle, 3, nan), *bundle, 0));
}

TEST_CASE("a quick start proves a batch size before its first answer, and refuses it for good") {
  const auto bundle = proven_bundle();
  const auto& crops = bundle->golden_.crops;
  std::vector<float> out(kGolden * kDimension);
  for (const int wrong : {1, 8}) {
    const int right = 9 - wrong;
    CHECK_FALSE(pv::Engine::proven(wrong_at(bundle, wrong, 1e6F), *bundle, wrong));
    const auto engine = pv::Engine::proven(wrong_at(bundle, wrong, 1e6F), *bundle, right);
    REQUIRE(engine);
    for (int times = 0; times < 2; ++times) {
      CHECK((*engine)->embed(crops.data(), static_cast<std::size_t>(right), out.data()));
      const auto refused =
          (*engine)->embed(crops.data(), static_cast<std::size_t>(wrong), out.data());
      REQUIRE_FALSE(refused);
      CHECK(refused.error().code == pv::Code::environment);
      CHECK(says(refused.error(), "at batch " + std::to_string(wrong)));
    }
  }
  auto options = fake();
  options.first = 1;
  CHECK(opened(bundle, options)->embed(crops.data(), kGolden, out.data()));
  CHECK(out == bundle->golden_.embeddings);
}

TEST_CASE("golden crops fill batches that do not divide them") {
  const auto bundle = proven_bundle();
  for (const int batch : {1, 5, 16, 33}) CHECK(opened(bundle, fake(batch))->batch() == batch);
}

TEST_CASE("a backend, batch or variant that is not there is named") {
  const auto bundle = proven_bundle();
  auto options = fake();
  options.backend = "onnxruntime";
  auto refused = pv::Engine::open(bundle, options);
  REQUIRE_FALSE(refused);
  CHECK(says(refused.error(), "there is no backend 'onnxruntime'; choose one of auto, tensorrt"));
  refused = pv::Engine::open(bundle, fake(0));
  REQUIRE_FALSE(refused);
  CHECK(says(refused.error(), "batch must be 1 to 4096"));
  options = fake();
  options.variant = "cpu-mixed";
  refused = pv::Engine::open(bundle, options);
  REQUIRE_FALSE(refused);
  CHECK(says(refused.error(), "this bundle has no variant 'cpu-mixed'; it has cpu, cpu-fp16"));
  options.variant = "trt-decomposed";
  refused = pv::Engine::open(bundle, options);
  REQUIRE_FALSE(refused);
  CHECK(says(refused.error(), "no variant is for this runtime (wanted cpu, found cpu, cpu-fp16, "));
  options = fake();
  options.precision = "fp16";
  refused = pv::Engine::open(bundle, options);
  REQUIRE_FALSE(refused);
  CHECK(says(refused.error(), "holds no fp16 graph for this runtime (it has int8, fp32)"));
}

TEST_CASE("an absent backend says what is missing, and a plan is never left aside in silence") {
  const auto bundle = proven_bundle();
  auto options = fake();
  options.backend = "tensorrt";
  auto refused = pv::Engine::open(bundle, options);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == pv::Code::environment);
  CHECK(says(refused.error(), "TensorRT"));
  options.backend = "auto";
  options.plan = "model.plan";
  refused = pv::Engine::open(bundle, options);
  REQUIRE_FALSE(refused);
  CHECK(says(refused.error(), "no backend can run here: tensorrt: "));
}

TEST_CASE("auto never takes the fake one") {
  for (const auto& backend : pv::backends()) {
    CHECK(backend.by_itself == (std::string(backend.name) != "fake"));
  }
}

TEST_CASE("INT8 is served where the processor computes it exactly, else FP32, and it says so") {
  const auto bundle = proven_bundle();
  const auto graphs = *pv::usable_graphs(*bundle, {"cpu"}, "");
  const auto vnni = cpu_with({"avx2", "avx512f", "avx512_vnni", "avx512_bf16"});
  auto choice = pv::choose_precision(graphs, "", vnni, "");
  REQUIRE(choice);
  CHECK(choice->precision == "int8");
  CHECK(choice->rest == "bf16");

  const auto old = pv::capped(vnni, "AVX2");
  choice = pv::choose_precision(graphs, "", old, "AVX2");
  REQUIRE(choice);
  CHECK(choice->precision == "fp32");
  CHECK(choice->variant->name == "cpu-fp16");
  CHECK(choice->notes.front() ==
        "FP32 is served and not INT8: the CPU's instruction set here is avx2 (capped by AVX2), "
        "which has no VNNI or AMX: INT8 sums saturate in 16 bits or run slower than FP32");

  const auto refused = pv::choose_precision(graphs, "int8", old, "AVX2");
  REQUIRE_FALSE(refused);
  CHECK(says(refused.error(), "leave the precision open and FP32 is served"));
  const auto bare = pv::choose_precision(*pv::usable_graphs(*bundle, {"cpu"}, "cpu"), "", old, "");
  REQUIRE(bare);
  CHECK(bare->dequantise);
}

TEST_CASE("bf16 has bounds of its own, and needs a processor that has it") {
  const auto bundle = proven_bundle();
  const auto graphs = *pv::usable_graphs(*bundle, {"cpu"}, "");
  const auto choice = pv::choose_precision(graphs, "bf16", cpu_with({"avx512_bf16"}), "");
  REQUIRE(choice);
  CHECK(choice->bounds.cosine_min == 0.998);
  CHECK_FALSE(pv::choose_precision(graphs, "bf16", cpu_with({"avx2"}), ""));
  CHECK_FALSE(pv::choose_precision(graphs, "fp8", cpu_with({"avx2"}), ""));
}

TEST_CASE("a cap that nobody knows is an error, not a fall-back") {
  setenv("ONEDNN_MAX_CPU_ISA", "avx512_core_vnni", 1);
  CHECK(*pv::instruction_cap() == "AVX512_CORE_VNNI");
  setenv("ONEDNN_MAX_CPU_ISA", "all", 1);
  CHECK(pv::instruction_cap()->empty());
  setenv("ONEDNN_MAX_CPU_ISA", "AVX3", 1);
  const auto refused = pv::instruction_cap();
  unsetenv("ONEDNN_MAX_CPU_ISA");
  REQUIRE_FALSE(refused);
  CHECK(says(refused.error(), "ONEDNN_MAX_CPU_ISA=AVX3 is not a set this project knows; ALL"));
}

TEST_CASE("what /proc/cpuinfo tells of Intel's, AMD's and Arm's processors") {
  const auto amd = pv::cpu_of(
      "processor\t: 0\nmodel name\t: AMD EPYC\nflags\t\t: fpu avx2 avx512f "
      "avx512_vnni\nbugs\t\t: none\n");
  CHECK(amd.name == "AMD EPYC");
  CHECK(amd.instruction_class() == "avx512-vnni");
  const auto arm = pv::cpu_of("processor : 0\nFeatures : fp asimd asimddp\n");
  CHECK(arm.instruction_class() == "arm-dotprod");
  CHECK(pv::cpu_of("").instruction_class() == "baseline");
}

TEST_CASE("half-precision numbers") {
  CHECK(pv::from_half(0x3C00) == 1.0F);
  CHECK(pv::from_half(0xC000) == -2.0F);
  CHECK(pv::from_half(0x3555) == doctest::Approx(0.33325195F));
  CHECK(pv::from_half(0x7BFF) == 65504.0F);
  CHECK(pv::from_half(0x0001) == 0x1p-24F);
  CHECK(pv::from_half(0x0400) == 0x1p-14F);
  CHECK(std::signbit(pv::from_half(0x8000)));
  CHECK(std::isinf(pv::from_half(0xFC00)));
  CHECK(std::isnan(pv::from_half(0x7E00)));
}

namespace {

const pv::PlanPlace kHere{"10.3.0.30", "Orin (nvgpu)", "8.7", "36.4.3"};

// A folder that goes with the test.
struct Folder {
  Folder() : path(std::filesystem::temp_directory_path() / ("pv-engine-test-XXXXXX")) {
    std::string pattern = path.string();
    path = mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((path / name).parent_path());
    std::ofstream(path / name, std::ios::binary) << text;
    return (path / name).string();
  }
  std::filesystem::path path;
};

// As engines/tensorrt_plan.py writes it.
pv::Json sidecar(const std::string& plan, const std::string& graph) {
  const pv::Json tensor = {{"name", "images"},
                           {"dtype", "uint8"},
                           {"meaning", "crops"},
                           {"shape", {nullptr, kHeight, kWidth, 3}},
                           {"space", nullptr}};
  const pv::Json found = {{"name", "embedding"},
                          {"dtype", "float32"},
                          {"meaning", "embedding"},
                          {"shape", {nullptr, kDimension}},
                          {"space", "space-1"}};
  const pv::Json preprocess = {
      {"height", kHeight}, {"width", kWidth},  {"filter", "bilinear"},    {"antialias", true},
      {"colour", "rgb"},   {"layout", "nchw"}, {"mean", {0.5, 0.5, 0.5}}, {"std", {0.5, 0.5, 0.5}}};
  return {{"schema", 2},
          {"runtime", "tensorrt"},
          {"versions", {{"tensorrt", "10.3.0"}, {"personvit", "0.1.0"}}},
          {"plan_sha256", pv::sha256(plan)},
          {"onnx_sha256", pv::sha256(graph)},
          {"built_for", {{"capabilities", {"8.7"}}, {"gpu", "Orin (nvgpu)"}, {"l4t", "36.4.3"}}},
          {"batch", {1, 8, 8}},
          {"typing", "strong"},
          {"static", false},
          {"fp32_layernorm", false},
          {"level", nullptr},
          {"warnings", pv::Json::array()},
          {"seconds", 12.5},
          {"model",
           {{"precision", "int8"},
            {"preprocess", preprocess},
            {"inputs", pv::Json::array({tensor})},
            {"outputs", pv::Json::array({found})}}}};
}

pv::PlanSidecar read(const Folder& folder, const pv::Json& document) {
  const auto plan = folder.write("model.plan", "a plan");
  folder.write("model.plan.json", document.dump());
  const auto found = pv::read_sidecar(plan);
  if (!found) FAIL(found.error().sentence);
  return *found;
}

}  // namespace

TEST_CASE("a plan fits the machine it was built on, and no other") {
  const Folder folder;
  const auto fits = read(folder, sidecar("a plan", "g"));
  CHECK(fits.misfit(kHere).empty());
  auto other = kHere;
  other.version = "10.30.1.1";
  CHECK(fits.misfit(other) == "it was built by TensorRT 10.3.0, and here is 10.30.1.1");
  other = kHere;
  other.capability = "8.9";
  CHECK(fits.misfit(other) == "it was built for SM 8.7, and Orin (nvgpu) is SM 8.9");
  other = kHere;
  other.gpu = "Another";
  CHECK(fits.misfit(other) == "it was built on Orin (nvgpu), and here is Another");
  other = kHere;
  other.l4t = "";
  CHECK(fits.misfit(other) == "it was built under L4T 36.4.3, and here is None");

  auto document = sidecar("a plan", "g");
  document["runtime"] = "tensorrt_rtx";
  CHECK(read(folder, document).misfit(kHere) == "it is a plan of TensorRT-RTX, not of TensorRT");
}

TEST_CASE("a sidecar that is absent, older, cut or strange is refused with its place") {
  const Folder folder;
  const auto plan = folder.write("model.plan", "a plan");
  auto refused = pv::read_sidecar(plan);
  REQUIRE_FALSE(refused);
  CHECK(says(refused.error(), "needs its sidecar model.plan.json beside it"));
  const auto good = sidecar("a plan", "g");
  const auto complaint = [&](const std::string& text) {
    folder.write("model.plan.json", text);
    const auto found = pv::read_sidecar(plan);
    REQUIRE_FALSE(found);
    return found.error().sentence;
  };
  auto broken = good;
  broken["schema"] = 1;
  CHECK(complaint(broken.dump()).find("schema: is 1, not 2") != std::string::npos);
  broken = good;
  broken["surprise"] = true;
  CHECK(complaint(broken.dump()).find("unknown surprise") != std::string::npos);
  broken = good;
  broken["model"]["inputs"][0]["shape"] = "wide";
  CHECK(complaint(broken.dump()).find("shape: expected a list") != std::string::npos);
  CHECK(complaint(good.dump().substr(0, 200)).find("build the plan again") != std::string::npos);
  for (const auto& [name, unused] : good.items()) {
    broken = good;
    broken.erase(name);
    CAPTURE(name);
    CHECK(complaint(broken.dump()).find("build the plan again") != std::string::npos);
    broken[name] = pv::Json::array({pv::Json::object()});
    CHECK_FALSE(complaint(broken.dump()).empty());
  }
}

TEST_CASE("a plan must be the one that its sidecar describes, and of a graph of this bundle") {
  const Folder folder;
  const auto bundle = proven_bundle();
  const auto told = read(folder, sidecar("a plan", "the graph"));
  const auto path = (folder.path / "model.plan").string();
  CHECK(pv::read_plan(path, told));
  folder.write("model.plan", "another plan");
  const auto swapped = pv::read_plan(path, told);
  REQUIRE_FALSE(swapped);
  CHECK(says(swapped.error(), "is not the plan that model.plan.json describes"));
  CHECK(pv::variant_of(*bundle, path, told));
  bundle->graph_ = "another graph";
  const auto strange = pv::variant_of(*bundle, path, told);
  REQUIRE_FALSE(strange);
  CHECK(says(strange.error(), "was built from a graph that is not in memory.pvb"));
}

TEST_CASE("a folder gives the plans in it") {
  const Folder folder;
  folder.write("b.plan", "");
  folder.write("a.plan", "");
  folder.write("a.plan.json", "");
  const auto found = pv::plans_at(folder.path.string());
  REQUIRE(found);
  CHECK(found->size() == 2);
  CHECK(pv::plans_at((folder.path / "a.plan").string())->size() == 1);
  folder.write("empty/readme", "");
  CHECK_FALSE(pv::plans_at((folder.path / "empty").string()));
}

TEST_CASE("the release of a Jetson's Linux, from its file or its package") {
  const Folder folder;
  CHECK(pv::l4t_release(folder.path.string()).empty());
  folder.write("var/lib/dpkg/status",
               "Package: other\nStatus: install ok installed\nVersion: 1\n\nPackage: "
               "nvidia-l4t-core\nStatus: install ok installed\nVersion: 36.4.07-2025\n\n");
  CHECK(pv::l4t_release(folder.path.string()) == "36.4.7");
  folder.write("etc/nv_tegra_release", "# R36 (release), REVISION: 4.3, GCID: 1, BOARD: generic\n");
  CHECK(pv::l4t_release(folder.path.string()) == "36.4.3");
}
