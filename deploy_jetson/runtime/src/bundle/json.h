// Plain JSON, read strictly: no repeated names, no NaN, nothing deep, at most 4 MiB.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "../result.h"
#include "../span.h"

namespace pv {

using Json = nlohmann::json;

inline constexpr std::size_t kMaxJson = 4 << 20;

Result<Json> parse_json(Bytes data);

// The one spelling that Python's core/strict_json.py writes: sorted, indented by one, ASCII.
std::string spelled(const Json& value);
// The same on one line, as json.dumps writes without and with tight separators.
std::string spelled_on_a_line(const Json& value, const char* comma = ", ",
                              const char* colon = ": ");

// Reads the fields of one object and remembers the first complaint; every field must be asked
// for, and no other may be there.
class Fields {
 public:
  Fields(const Json& value, std::string where);

  std::string text(const char* name);
  std::string text_or_none(const char* name, bool* none = nullptr);
  std::int64_t whole(const char* name);
  double number(const char* name);
  bool truth(const char* name);
  std::string one_of(const char* name, std::initializer_list<const char*> choices);
  const Json& object(const char* name);
  void each(const char* name, const std::function<std::string(const Json&, std::string)>& read);

  void complain(const std::string& what);
  // About fields nobody asked for, else about those that lack, else the first complaint, or
  // nothing.
  std::string complaint();

 private:
  const Json& field(const char* name);
  std::string place(const char* name) const;

  const Json* value_;
  std::string where_;
  std::string complaint_;
  std::vector<std::string> known_, missing_;
};

}  // namespace pv
