// Command lines: what a program takes, its help, and what it was given.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "result.h"

namespace pv::programs {

struct Option {
  const char* name;   // "--batch", "-o"
  const char* value;  // what its help calls the value; null: a switch
  const char* help;
};

struct Command {
  const char* name;     // "pv-embed"
  const char* usage;    // what stands behind the name
  const char* summary;  // sentences
  const char* example;
  std::vector<Option> options;
};

std::string help_of(const Command& command);

class Arguments {
 public:
  // Options may stand anywhere; behind "--" all are words, and "-" always is one.
  static Result<Arguments> parse(const Command& command, const std::vector<std::string>& given);

  const std::vector<std::string>& words() const { return words_; }
  bool has(const char* option) const;
  // The last that was given.
  std::string text(const char* option, const std::string& otherwise = "") const;
  std::vector<std::string> all(const char* option) const;
  Result<int> whole(const char* option, int otherwise, int low, int high) const;
  Result<double> number(const char* option, double otherwise, double low, double high) const;
  // A complaint about the command line, which sends the reader to --help.
  Error refusal(const std::string& sentence) const;
  // The command line that says the same again.
  std::string reproducing() const;

 private:
  struct Given {
    std::string option, value;
  };
  std::string name_;
  std::vector<std::string> line_;
  std::vector<std::string> words_;
  std::vector<Given> given_;
};

}  // namespace pv::programs
