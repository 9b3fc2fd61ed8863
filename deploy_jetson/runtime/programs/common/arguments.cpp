// Command lines.
#include "common/arguments.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace pv::programs {

namespace {

constexpr std::size_t kHelpColumn = 24;

const Option* find(const Command& command, const std::string& name) {
  const auto found = std::find_if(command.options.begin(), command.options.end(),
                                  [&](const Option& option) { return name == option.name; });
  return found == command.options.end() ? nullptr : &*found;
}

// As a shell reads it back.
std::string quoted(const std::string& word) {
  const char* const plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./-_";
  if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) return word;
  std::string out = "'";
  for (const char letter : word) {
    if (letter == '\'') {
      out += "'\"'\"'";
    } else {
      out += letter;
    }
  }
  return out + "'";
}

std::string range(double low, double high) {
  const auto spelled = [](double value) {
    std::string text = std::to_string(value);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
    return text;
  };
  return spelled(low) + " to " + spelled(high);
}

}  // namespace

std::string help_of(const Command& command) {
  std::string text = std::string("Usage: ") + command.name + " " + command.usage + "\n\n" +
                     command.summary + "\n\nExample: " + command.example + "\n\nOptions:\n";
  auto options = command.options;
  options.push_back({"--version", nullptr, "Show the version."});
  options.push_back({"-h, --help", nullptr, "Show this text."});
  for (const auto& option : options) {
    std::string line = std::string("  ") + option.name;
    if (option.value != nullptr) line += std::string(" ") + option.value;
    line.resize(std::max(line.size() + 2, kHelpColumn), ' ');
    text += line + option.help + "\n";
  }
  return text;
}

Result<Arguments> Arguments::parse(const Command& command, const std::vector<std::string>& given) {
  Arguments read;
  read.name_ = command.name;
  read.line_ = given;
  bool all_words = false;
  for (std::size_t nth = 0; nth < given.size(); ++nth) {
    const std::string& word = given[nth];
    if (all_words || word == "-" || word.empty() || word.front() != '-') {
      read.words_.push_back(word);
      continue;
    }
    if (word == "--") {
      all_words = true;
      continue;
    }
    const auto equals = word.rfind("--", 0) == 0 ? word.find('=') : std::string::npos;
    const std::string name = word.substr(0, equals);
    const Option* const option = find(command, name);
    if (option == nullptr) return read.refusal("no such option: " + name);
    if (option->value == nullptr) {
      if (equals != std::string::npos) return read.refusal("option " + name + " takes no value");
      read.given_.push_back({name, ""});
    } else if (equals != std::string::npos) {
      read.given_.push_back({name, word.substr(equals + 1)});
    } else if (nth + 1 < given.size()) {
      read.given_.push_back({name, given[++nth]});
    } else {
      return read.refusal("option " + name + " requires a value");
    }
  }
  return read;
}

bool Arguments::has(const char* option) const {
  return std::any_of(given_.begin(), given_.end(),
                     [&](const Given& one) { return one.option == option; });
}

std::string Arguments::text(const char* option, const std::string& otherwise) const {
  const auto found = all(option);
  return found.empty() ? otherwise : found.back();
}

std::vector<std::string> Arguments::all(const char* option) const {
  std::vector<std::string> found;
  for (const auto& one : given_) {
    if (one.option == option) found.push_back(one.value);
  }
  return found;
}

Result<int> Arguments::whole(const char* option, int otherwise, int low, int high) const {
  if (!has(option)) return otherwise;
  const std::string value = text(option);
  int found = 0;
  const auto end = std::from_chars(value.data(), value.data() + value.size(), found);
  if (end.ec != std::errc() || end.ptr != value.data() + value.size() || found < low ||
      found > high) {
    return refusal(std::string(option) + " takes a whole number from " + range(low, high) +
                   ", not '" + value + "'");
  }
  return found;
}

Result<double> Arguments::number(const char* option, double otherwise, double low,
                                 double high) const {
  if (!has(option)) return otherwise;
  const std::string value = text(option);
  double found = 0.0;
  const auto end = std::from_chars(value.data(), value.data() + value.size(), found);
  if (end.ec != std::errc() || end.ptr != value.data() + value.size() ||
      !(found >= low && found <= high)) {
    return refusal(std::string(option) + " takes a number from " + range(low, high) + ", not '" +
                   value + "'");
  }
  return found;
}

Error Arguments::refusal(const std::string& sentence) const {
  return user_error(sentence + " (see '" + name_ + " --help')");
}

std::string Arguments::reproducing() const {
  std::string line = name_;
  for (const auto& word : line_) line += " " + quoted(word);
  return line;
}

}  // namespace pv::programs
