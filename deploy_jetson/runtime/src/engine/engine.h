// One model ready to run, behind one interface (engines/base.py).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "../bundle/bundle.h"
#include "../result.h"

namespace pv {

struct EngineOptions {
  std::string backend = "auto";  // openvino, tensorrt, fake
  std::string variant;           // empty: the first that the backend takes
  std::string precision;         // empty: the best that is exact here
  int batch = 8;                 // the largest batch of one call
  int threads = 0;               // 0: all
  std::string cache;             // a folder for compiled models; empty: none
  std::string plan;              // tensorrt: a plan beside its sidecar, or a folder of such
  bool replay = true;            // golden crops at batch 1 and at the largest batch
};

struct EngineInfo {
  std::string backend;
  std::string version;
  std::string device;
  std::string precision;
  std::string variant;
  std::string encoder_id;
  std::string space_id;
  std::vector<std::string> notes;
};

// Not thread-safe: one thread at a time may call it. After opening, embed allocates nothing.
class Engine {
 public:
  // Opens the bundle's graph with the backend asked for, and refuses drift on golden crops.
  static Result<std::unique_ptr<Engine>> open(const std::shared_ptr<const Bundle>& bundle,
                                              const EngineOptions& options);
  virtual ~Engine() = default;

  virtual const EngineInfo& info() const = 0;
  virtual const Preprocess& preprocess() const = 0;
  virtual int dimension() const = 0;
  virtual int batch() const = 0;

  // How far answers may lie from the golden ones: the variant's own, but for coarser arithmetic.
  virtual Bounds bounds() const { return {}; }
  // The batch sizes whose code differs, each of which the golden crops are replayed at.
  virtual std::vector<int> sizes() const { return {1, batch()}; }

  // `count` crops of height x width x 3 bytes each, any number; `out` takes count x dimension.
  Status embed(const std::uint8_t* crops, std::size_t count, float* out);

 protected:
  // One batch of 1 to batch() crops.
  virtual Status run(const std::uint8_t* crops, int count, float* out) = 0;
};

// What a backend's source file gives to the registry; absent backends say what is missing.
struct Backend {
  const char* name;
  bool by_itself;  // whether "auto" may choose it
  // Why it cannot run here, and what to install; empty where it can.
  std::string (*missing)(const EngineOptions& options);
  Result<std::unique_ptr<Engine>> (*open)(const std::shared_ptr<const Bundle>& bundle,
                                          const EngineOptions& options);
};

// Of this build, in the order in which "auto" tries them.
const std::vector<Backend>& backends();

// Refuses an engine whose answers to the golden crops drift at any of its sizes(); `name` begins
// the sentence.
Status replay_golden(Engine& engine, const Golden& golden, const std::string& name);

}  // namespace pv
