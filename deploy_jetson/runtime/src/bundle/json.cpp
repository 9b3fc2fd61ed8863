// Strict JSON: parsing, and the reading of objects field by field.
#include "json.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "text.h"

namespace pv {

namespace {

constexpr int kMaxDepth = 64;

// Sees what a finished document no longer shows: names that are there twice, and great depth.
struct Watch {
  std::vector<std::set<std::string>> names;
  std::string complaint;

  bool operator()(int depth, Json::parse_event_t event, const Json& parsed) {
    if (depth > kMaxDepth) complaint = "it is nested too deeply";
    if (event == Json::parse_event_t::object_start) names.emplace_back();
    if (event == Json::parse_event_t::object_end && !names.empty()) names.pop_back();
    if (event == Json::parse_event_t::key && !names.empty()) {
      const auto& name = parsed.get_ref<const std::string&>();
      if (!names.back().insert(name).second) complaint = "the name '" + name + "' is there twice";
    }
    return complaint.empty();
  }
};

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

const Json& nothing() {
  static const Json none;
  return none;
}

}  // namespace

Result<Json> parse_json(Bytes data) {
  if (data.size() > kMaxJson) {
    return user_error("the document: " + std::to_string(data.size()) + " bytes are more than the " +
                      std::to_string(kMaxJson) + " that are read");
  }
  if (data.size() >= 3 && data[0] == 0xef && data[1] == 0xbb && data[2] == 0xbf) {
    return user_error("the document: this is not JSON (it begins with a byte order mark)");
  }
  if (!data.empty() && std::memchr(data.data(), 0, data.size())) {
    return user_error("the document: this is not JSON (it holds a zero byte)");  // ends the parser
  }
  Watch watch;
  try {
    auto parsed = Json::parse(data.begin(), data.end(), std::ref(watch));
    if (!watch.complaint.empty()) return user_error("the document: " + watch.complaint);
    return parsed;
  } catch (const Json::exception& problem) {
    if (!watch.complaint.empty()) return user_error("the document: " + watch.complaint);
    return user_error("the document: this is not JSON (" + as_ascii(problem.what()) + ")");
  }
}

Fields::Fields(const Json& value, std::string where) : value_(&value), where_(std::move(where)) {
  if (!value.is_object())
    complain((where_.empty() ? "the document" : where_) + ": expected an object");
}

std::string Fields::place(const char* name) const {
  return where_.empty() ? name : where_ + "." + name;
}

const Json& Fields::field(const char* name) {
  known_.emplace_back(name);
  if (!value_->is_object()) return nothing();
  const auto found = value_->find(name);
  if (found != value_->end()) return *found;
  missing_.emplace_back(name);
  return nothing();
}

void Fields::complain(const std::string& what) {
  if (complaint_.empty()) complaint_ = what;
}

std::string Fields::text(const char* name) {
  const Json& found = field(name);
  if (found.is_string()) return found.get<std::string>();
  complain(place(name) + ": expected a text");
  return "";
}

std::string Fields::text_or_none(const char* name, bool* none) {
  const Json& found = field(name);
  if (none) *none = found.is_null();
  if (found.is_string()) return found.get<std::string>();
  if (!found.is_null()) complain(place(name) + ": expected a text");
  return "";
}

std::int64_t Fields::whole(const char* name) {
  const Json& found = field(name);
  const bool fits = found.is_number_integer() &&
                    (!found.is_number_unsigned() || found.get<std::uint64_t>() <= INT64_MAX);
  if (fits) return found.get<std::int64_t>();
  complain(place(name) + ": expected a whole number");
  return 0;
}

double Fields::number(const char* name) {
  const Json& found = field(name);
  // Python writes these as 1.0; "1" is another tool's spelling.
  if (found.is_number_float()) return found.get<double>();
  complain(place(name) + (found.is_number() ? ": it was edited or written by another tool"
                                            : ": expected a number"));
  return 0.0;
}

bool Fields::truth(const char* name) {
  const Json& found = field(name);
  if (found.is_boolean()) return found.get<bool>();
  complain(place(name) + ": expected true or false");
  return false;
}

std::string Fields::one_of(const char* name, std::initializer_list<const char*> choices) {
  const std::string found = text(name);
  std::string known;
  for (const char* choice : choices) {
    if (found == choice) return found;
    known += (known.empty() ? "" : ", ") + std::string(choice);
  }
  complain(place(name) + ": must be one of " + known + ", not '" + found.substr(0, 60) + "'");
  return "";
}

const Json& Fields::object(const char* name) {
  const Json& found = field(name);
  if (!found.is_object()) complain(place(name) + ": expected an object");
  return found;
}

void Fields::each(const char* name,
                  const std::function<std::string(const Json&, std::string)>& read) {
  const Json& found = field(name);
  if (!found.is_array()) return complain(place(name) + ": expected a list");
  for (std::size_t nth = 0; nth < found.size() && complaint_.empty(); ++nth) {
    const auto reason = read(found[nth], place(name) + "[" + std::to_string(nth) + "]");
    if (!reason.empty()) complain(reason);
  }
}

// In Python's order: what should not be there, what should, and only then the values.
std::string Fields::complaint() {
  std::sort(known_.begin(), known_.end());
  std::vector<std::string> unknown;
  for (const auto& [name, unused] : value_->items()) {
    if (value_->is_object() && !std::binary_search(known_.begin(), known_.end(), name)) {
      unknown.push_back(name);
    }
  }
  const std::string place = where_.empty() ? "the document" : where_;
  if (!unknown.empty()) {
    known_.erase(std::unique(known_.begin(), known_.end()), known_.end());
    return place + ": unknown " + joined(unknown) + "; known are " + joined(known_);
  }
  return value_->is_object() && !missing_.empty() ? place + ": lacks " + joined(missing_)
                                                  : complaint_;
}

}  // namespace pv
