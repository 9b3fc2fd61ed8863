// Decodes and resizes the files named on standard input, for comparison with Python.
//
// A line `decode PATH`, `crop PATH HEIGHT WIDTH FILTER ANTIALIAS` or the same with `LEFT TOP RIGHT
// BOTTOM` behind it is answered with a line `ok HEIGHT WIDTH` and the pixels, or with `error` and
// the sentence. Fields are separated by tabs.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "image/image.h"

namespace {

std::vector<unsigned char> bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields;
  std::istringstream stream(line);
  for (std::string field; std::getline(stream, field, '\t');) fields.push_back(field);
  return fields;
}

void say(const pv::Error& error) { std::cout << "error\t" << error.sentence << "\n"; }

void give(int height, int width, const std::vector<std::uint8_t>& pixels) {
  std::cout << "ok\t" << height << "\t" << width << "\n";
  std::cout.write(reinterpret_cast<const char*>(pixels.data()),
                  static_cast<std::streamsize>(pixels.size()));
}

pv::Status resized(const pv::Image& image, const std::vector<std::string>& fields, pv::Image& out) {
  pv::Preprocess preprocess;
  preprocess.height = out.height = std::stoi(fields[2]);
  preprocess.width = out.width = std::stoi(fields[3]);
  preprocess.filter = fields[4];
  preprocess.antialias = fields[5] == "1";
  out.pixels.resize(static_cast<std::size_t>(out.height) * static_cast<std::size_t>(out.width) * 3);
  pv::Resizer resizer(preprocess);
  if (fields.size() < 10) return resizer.resize(image, out.pixels.data());
  const pv::Box box{std::stoi(fields[6]), std::stoi(fields[7]), std::stoi(fields[8]),
                    std::stoi(fields[9])};
  return resizer.resize(image.pixels.data(), image.height, image.width,
                        static_cast<std::size_t>(image.width) * 3, box, out.pixels.data());
}

void answer(pv::Decoder& decoder, pv::Image& image, const std::vector<std::string>& fields) {
  const std::vector<unsigned char> data = bytes_of(fields[1]);
  const pv::Status decoded = decoder.decode(data, fields[1], image);
  if (!decoded) return say(decoded.error());
  if (fields[0] == "decode") return give(image.height, image.width, image.pixels);
  pv::Image out;
  const pv::Status status = resized(image, fields, out);
  if (!status) return say(status.error());
  give(out.height, out.width, out.pixels);
}

}  // namespace

int main() {
  pv::Decoder decoder;  // one for all, as a service would: nothing of a file may reach the next
  pv::Image image;
  for (std::string line; std::getline(std::cin, line);) {
    const std::vector<std::string> fields = fields_of(line);
    if (fields.size() != 2 && fields.size() != 6 && fields.size() != 10) return 2;
    answer(decoder, image, fields);
  }
  std::cout.flush();
  return 0;
}
