// What crosses the C interface instead of exceptions: codes, and sentences cut to their place.
#pragma once

#include <exception>
#include <initializer_list>
#include <new>

#include "../result.h"
#include "personvit/personvit.h"

namespace pv::abi {

// Fills `error` where there is one, always terminated, and returns the code. Allocates nothing.
pv_code tell(pv_error* error, pv_code code, const char* sentence);
pv_code tell(pv_error* error, const Error& problem);

inline pv_code code_of(Code code) { return static_cast<pv_code>(code); }

inline pv_code succeed(pv_error* error) { return tell(error, PV_OK, ""); }

struct Argument {
  const char* name;
  const void* value;
};

// Refuses the first that is null, in the name of the function that was called.
pv_code refuse_null(pv_error* error, const char* function, std::initializer_list<Argument> all);

// Runs the body of a function of the interface; nothing that is thrown in it leaves it.
template <class Body>
pv_code guarded(pv_error* error, const char* function, std::initializer_list<Argument> needed,
                const Body& body) noexcept {
  try {
    if (const pv_code code = refuse_null(error, function, needed); code != PV_OK) return code;
    const Status done = body();
    return done ? succeed(error) : tell(error, done.error());
  } catch (const std::bad_alloc&) {
    return tell(error, PV_ENVIRONMENT,
                "there is not enough memory for this; ask for less, or use a larger machine");
  } catch (const std::exception& problem) {
    return tell(error, PV_INTERNAL, problem.what());
  } catch (...) {
    return tell(error, PV_INTERNAL, "a bug of this library: something unknown was thrown");
  }
}

}  // namespace pv::abi
