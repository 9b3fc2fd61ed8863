// Bundles: what is handed out, what is refused, and the strict readers beneath.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "bundle/bundle.h"

#include <doctest/doctest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "bundle/digest.h"
#include "bundle/json.h"
#include "bundle/member_name.h"
#include "bundle/npy.h"
#include "temporary_folder.h"

namespace {

using pv_test::TemporaryFolder;

const std::string kTiny = std::string(PV_TEST_DATA) + "/tiny.pvb";
const std::string kKey = std::string(PV_TEST_DATA) + "/tiny.pub";

std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

void put_text(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

std::string refusal(const std::string& path, const pv::Trust& trust = {}) {
  const auto bundle = pv::Bundle::open(path, trust);
  return bundle ? "" : bundle.error().sentence;
}

pv::Bytes bytes_of(const std::string& text) {
  return {reinterpret_cast<const unsigned char*>(text.data()), text.size()};
}

std::string json_refusal(const std::string& text) {
  const auto found = pv::parse_json(bytes_of(text));
  return found ? "" : found.error().sentence;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

pv::Trust trusting(const std::string& signature, std::int64_t least = 0) {
  return {{kKey}, signature, least};
}

}  // namespace

TEST_CASE("a bundle hands out what its manifest says") {
  const auto bundle = pv::Bundle::open(kTiny);
  if (!bundle) FAIL(bundle.error().sentence);
  const auto& manifest = (*bundle)->manifest();
  CHECK(manifest.name == "tiny");
  CHECK(manifest.dimension == 4);
  CHECK(manifest.preprocess.height == 8);
  CHECK((*bundle)->digest() == pv::sha256(text_of(kTiny)));
  const auto variant = (*bundle)->variant("", {"trt-attention", "cpu"});
  REQUIRE(variant);
  CHECK((*variant)->inputs[0].shape == std::vector<std::int64_t>{-1, 8, 4, 3});
  const auto golden = (*bundle)->golden(**variant);
  REQUIRE(golden);
  CHECK(golden->crops.size() == 16 * 8 * 4 * 3);
  CHECK(golden->embeddings.size() == 16 * 4);
  const auto thresholds = (*bundle)->thresholds(**variant);
  REQUIRE(thresholds);
  CHECK(thresholds->front().threshold == 0.5);
  CHECK(has((*bundle)->variant("gpu", {"cpu"}).error().sentence, "the bundle has cpu"));
  CHECK_FALSE((*bundle)->variant("", {"deepstream"}));
  CHECK_FALSE((*bundle)->read("golden/none.npy"));
}

TEST_CASE("every changed byte, every cut and every addition is refused") {
  const TemporaryFolder folder;
  const auto whole = text_of(kTiny);
  const auto path = folder / "bad.pvb";
  for (std::size_t place = 0; place < whole.size(); ++place) {
    auto bad = whole;
    bad[place] = static_cast<char>(bad[place] ^ (1 << (place % 8)));
    put_text(path, bad);
    INFO(place);
    REQUIRE(has(refusal(path), path));
    if (place % 7 != 0) continue;
    put_text(path, whole.substr(0, place));
    REQUIRE(has(refusal(path), path));
  }
  for (const auto& more : {std::string(1, '\0'), std::string(70000, ' '), whole}) {
    put_text(path, whole + more);
    CHECK(has(refusal(path), path));
  }
  CHECK(has(refusal(folder / "none.pvb"), "missing"));
  CHECK(has(refusal(folder.path()), "a folder"));
}

TEST_CASE("a member that changes after the bundle was opened is refused when it is read") {
  const TemporaryFolder folder;
  const auto path = folder / "tiny.pvb";
  std::filesystem::copy_file(kTiny, path);
  const auto bundle = pv::Bundle::open(path);
  REQUIRE(bundle);
  auto data = text_of(path);
  const auto place = data.find("no graph");
  data[place] = 'N';
  std::fstream(path, std::ios::binary | std::ios::in | std::ios::out) << data;
  const auto member = (*bundle)->read("variants/cpu/model.onnx");
  REQUIRE_FALSE(member);
  CHECK(has(member.error().sentence, "changed since the bundle was opened"));
}

TEST_CASE("a pinned key asks for its signature") {
  const TemporaryFolder folder;
  const auto signature = kTiny + ".sig";
  CHECK(refusal(kTiny, {{kKey}, "", 0}).empty());
  CHECK(refusal(kTiny, trusting(signature, 7)).empty());
  CHECK(has(refusal(kTiny, trusting(signature, 8)), "has serial 7, older than 8"));
  CHECK(has(refusal(kTiny, trusting(folder / "none.sig")), "missing"));
  const auto text = text_of(signature);
  for (std::size_t place = 0; place < text.size(); ++place) {
    auto bad = text;
    bad[place] = static_cast<char>(bad[place] ^ (1 << (place % 7)));
    put_text(folder / "bad.sig", bad);
    INFO(place);
    REQUIRE_FALSE(refusal(kTiny, trusting(folder / "bad.sig")).empty());
  }
  put_text(folder / "other.pub", text);
  CHECK(has(refusal(kTiny, {{folder / "other.pub"}, "", 0}), "not an Ed25519 public key"));
}

TEST_CASE("JSON that two readers could take differently is refused") {
  CHECK(json_refusal("{\"a\": [1, 2.5, null, true, \"x\"]}").empty());
  CHECK(has(json_refusal("{\"a\": 1, \"a\": 1}"), "'a' is there twice"));
  CHECK(has(json_refusal(std::string(100000, '[')), "nested too deeply"));
  CHECK(has(json_refusal(std::string("{}\0", 3)), "a zero byte"));
  CHECK(has(json_refusal(std::string(5 << 20, ' ')), "bytes are more than"));
  for (const char* bad : {"", "{", "NaN", "[1,]", "{'a': 1}", "01", "1e999", "\"\xff\"", "1 2",
                          "\xef\xbb\xbf{}", "// no\n1"}) {
    INFO(bad);
    CHECK_FALSE(json_refusal(bad).empty());
  }
}

TEST_CASE("JSON is spelled as Python spells it") {
  const auto same = [](const std::string& text) {
    return pv::spelled(*pv::parse_json(bytes_of(text))) == text + "\n";
  };
  CHECK(same("{\n \"a\": [],\n \"b\": {},\n \"c\": [\n  1,\n  -0.5\n ]\n}"));
  CHECK(same("[\n 1e-05,\n 0.0001,\n 1e+16,\n 123456789.125,\n 1000000000000000.0\n]"));
  CHECK(same("\"\\u00e9\\n\\\"\""));
  CHECK(pv::spelled_on_a_line(pv::Json{{"b", 1}, {"a", {1, 2}}}) == "{\"a\": [1, 2], \"b\": 1}");
}

TEST_CASE("names that leave the bundle or clash on some file system are refused") {
  for (const char* bad : {"", "/a", "../a", "a/../b", "a\\b", "c:a", "a//b", ".a", "a.", "nul.txt",
                          "COM1", "a b", "a/"}) {
    INFO(bad);
    CHECK_FALSE(pv::bad_name(bad).empty());
  }
  CHECK(pv::bad_name("variants/cpu/model.onnx").empty());
  CHECK(has(pv::clash_among({"a", "A"}), "cannot stand beside"));
  CHECK(has(pv::clash_among({"a", "a"}), "there twice"));
  CHECK(has(pv::clash_among({"a", "a/b"}), "a file and a folder"));
}

TEST_CASE("arrays are read in the one spelling they are written in") {
  auto data = pv::npy_header("<f4", {2, 3});
  data.resize(data.size() + 24);
  const auto header = pv::read_npy(data, "x");
  REQUIRE(header);
  CHECK(header->shape == std::vector<std::int64_t>{2, 3});
  for (std::size_t place = 0; place < header->data; ++place) {
    auto bad = data;
    bad[place] ^= 16;
    CHECK_FALSE(pv::read_npy(bad, "x"));
  }
  data.pop_back();
  CHECK_FALSE(pv::read_npy(data, "x"));
  CHECK_FALSE(pv::read_npy(pv::npy_header("<f4", {1LL << 31, 1LL << 31, 1LL << 31}), "x"));
}
