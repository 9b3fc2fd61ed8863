// How every program begins and ends.
#include "common/run.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <new>
#include <system_error>

namespace pv::programs {

namespace {

// More may wait for a reader: a pipe that can be written to takes as much at once.
constexpr std::size_t kPipeBlock = 4096;

// A file that we open must not become the standard output or input that the caller closed: what
// is printed would be written into it. Opened the wrong way round, these tell of every use.
void hold_closed_streams() {
  for (const int handle : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(handle, F_GETFD) >= 0 || errno != EBADF) continue;
    static_cast<void>(::open("/dev/null", handle == STDIN_FILENO ? O_WRONLY : O_RDONLY));
  }
}

// A closed pipe ends a program quietly.
Error unwritable() {
  if (errno == EPIPE) return user_error("");
  return user_error(std::string("standard output cannot be written (") + std::strerror(errno) +
                    "); check where it leads");
}

// An error that is told by its code alone: nobody is there to read a sentence.
bool is_quiet(const Error& error) { return error.sentence.empty(); }

int complain(const Error& error) {
  if (!is_quiet(error)) std::fprintf(stderr, "error: %s\n", error.sentence.c_str());
  switch (error.code) {
    case Code::user:
    case Code::environment:
      return static_cast<int>(error.code);
    default:
      break;
  }
  if (static_cast<int>(error.code) == kInterrupted) return kInterrupted;
  std::fputs("This is a bug of PersonViT-Edge; please report it with the line above.\n", stderr);
  return static_cast<int>(Code::internal);
}

bool asks_for(const std::vector<std::string>& words, const char* one, const char* two) {
  for (const auto& word : words) {
    if (word == "--") return false;
    if (word == one || word == two) return true;
  }
  return false;
}

Status answer(const Part& part, const std::vector<std::string>& words) {
  const std::string program =
      std::string(part.command.name).substr(0, std::strcspn(part.command.name, " "));
  if (asks_for(words, "-h", "--help")) return print(help_of(part.command));
  if (asks_for(words, "--version", "--version")) {
    return print(program + ", version " + version() + "\n");
  }
  const auto given = Arguments::parse(part.command, words);
  if (!given) return given.error();
  return part.body(*given);
}

Status refuse_no_part(const char* program, const std::vector<Part>& parts) {
  std::string names;
  for (const auto& part : parts) {
    names += (names.empty() ? "" : " or ") + std::string(part.command.name);
  }
  return user_error("say what to do: " + names + " (see '" + program + " --help')");
}

Status choose(const char* program, const std::vector<Part>& parts, std::vector<std::string> words) {
  if (parts.size() == 1) return answer(parts.front(), words);
  for (const auto& part : parts) {
    if (words.empty() || std::string(program) + " " + words.front() != part.command.name) continue;
    words.erase(words.begin());
    return answer(part, words);
  }
  if (words.empty() || !(asks_for(words, "-h", "--help") || asks_for(words, "--version", ""))) {
    return refuse_no_part(program, parts);
  }
  if (asks_for(words, "--version", ""))
    return print(std::string(program) + ", version " + version() + "\n");
  std::string text;
  for (const auto& part : parts) text += (text.empty() ? "" : "\n") + help_of(part.command);
  return print(text);
}

Status finished(Status status) {
  if (auto flushed = flush_output(); !flushed && status) return flushed;
  return status;
}

}  // namespace

std::string version() { return PV_VERSION; }

Error interrupted() {
  return {static_cast<Code>(kInterrupted), "interrupted; nothing half-written was left"};
}

Status print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size()) return Done{};
  return unwritable();
}

Status print(const std::string& text, const StopSignals& stop) {
  for (std::size_t done = 0; done < text.size();) {
    if (!stop.lets_write(STDOUT_FILENO)) return interrupted();
    const auto put =
        ::write(STDOUT_FILENO, text.data() + done, std::min(text.size() - done, kPipeBlock));
    if (put < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (put < 0) return unwritable();
    done += static_cast<std::size_t>(put);
  }
  return Done{};
}

Status flush_output() {
  if (std::fflush(stdout) == 0) return Done{};
  return unwritable();
}

int run(const char* program, const std::vector<Part>& parts, int count, char** words) try {
  hold_closed_streams();
  std::signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string> given(words + (count > 0 ? 1 : 0), words + count);
  const auto status = finished(choose(program, parts, given));
  return status ? 0 : complain(status.error());
} catch (const std::bad_alloc&) {
  return complain(environment_error(
      "there is not enough memory for this; ask for less, or use a larger machine"));
} catch (const std::system_error& problem) {
  return complain(environment_error(std::string("the operating system refused (") + problem.what() +
                                    "); raise its limits, as 'ulimit -a' lists"));
} catch (const std::exception& problem) {
  return complain({Code::internal, problem.what()});
}

}  // namespace pv::programs
