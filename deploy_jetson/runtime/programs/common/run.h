// How every program begins and ends: help, version, one sentence on stderr, the exit codes.
#pragma once

#include <string>
#include <vector>

#include "common/arguments.h"
#include "common/stop_signals.h"
#include "result.h"

namespace pv::programs {

inline constexpr int kInterrupted = 130;

using Body = Status (*)(const Arguments&);

// A program, or one of its sub-commands, whose names are the words before the options.
struct Part {
  Command command;
  Body body;
};

// The exit code. Of several parts the one is run whose last word is the first argument.
int run(const char* program, const std::vector<Part>& parts, int count, char** words);

// What a body returns when it was asked to stop.
Error interrupted();

std::string version();

// Writes to standard output and sees to it that it went out; a closed pipe ends a program quietly.
Status print(const std::string& text);
Status flush_output();
// The same at once, for long output: ends where a stop is asked for while nobody reads.
Status print(const std::string& text, const StopSignals& stop);

}  // namespace pv::programs
