// cli/prompt.cpp: menus with escape sequences that every terminal has.
#include "cli/prompt.h"

#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "accelerate/config/parse_flag.h"
#include "accelerate/config/parse_number.h"
#include "accelerate/error.h"

namespace accelerate::cli {
namespace {

/// Keys arrive one by one, unseen, until it dies.
class RawTerminal {
 public:
  RawTerminal() {
    ::tcgetattr(STDIN_FILENO, &before_);
    termios raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    ::tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;
  ~RawTerminal() {
    ::tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
  }

 private:
  termios before_{};
};

/// @return the next byte of standard input; nullopt at its end
std::optional<char> read_byte() {
  char byte = 0;
  while (true) {
    const ssize_t got = ::read(STDIN_FILENO, &byte, 1);
    if (got == 1) {
      return byte;
    }
    if (got == 0 || errno != EINTR) {
      return std::nullopt;
    }
  }
}

[[noreturn]] void fail_at_end() {
  throw ConfigError(
      "the input ended before all questions were answered; nothing was "
      "written");
}

enum class Key { kUp, kDown, kEnter, kInterrupt, kDigit, kOther };

struct Pressed {
  Key key = Key::kOther;
  std::size_t digit = 0;
};

/// The rest of `ESC [ A` and the like.
Pressed read_escape() {
  const auto bracket = read_byte();
  if (bracket != '[' && bracket != 'O') {
    return {};
  }
  const auto letter = read_byte();
  return {letter == 'A' ? Key::kUp : letter == 'B' ? Key::kDown : Key::kOther};
}

Pressed read_key() {
  const auto byte = read_byte();
  constexpr char kCtrlC = 3;
  constexpr char kCtrlD = 4;
  constexpr char kEscape = 27;
  if (!byte || *byte == kCtrlD) {
    fail_at_end();
  }
  switch (*byte) {
    case kCtrlC:
      return {Key::kInterrupt};
    case '\n':
    case '\r':
      return {Key::kEnter};
    case kEscape:
      return read_escape();
    case 'k':
      return {Key::kUp};
    case 'j':
      return {Key::kDown};
    default:
      break;
  }
  return *byte >= '0' && *byte <= '9'
      ? Pressed{Key::kDigit, static_cast<std::size_t>(*byte - '0')}
      : Pressed{};
}

std::size_t moved(std::size_t place, Pressed pressed, std::size_t count) {
  switch (pressed.key) {
    case Key::kUp:
      return place == 0 ? 0 : place - 1;
    case Key::kDown:
      return std::min(place + 1, count - 1);
    case Key::kDigit:
      return pressed.digit < count ? pressed.digit : place;
    default:
      return place;
  }
}

bool may_use_colours() {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return !(no_colour && *no_colour) &&
      !(terminal && std::string(terminal) == "dumb");
}

/// Lines that the terminal shows; 24 when it does not say.
std::size_t terminal_height() {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0
      ? size.ws_row
      : 24;
}

} // namespace

Prompt::Prompt()
    : is_terminal_(::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1),
      has_colours_(is_terminal_ && may_use_colours()) {}

void Prompt::print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

std::string Prompt::read_line() {
  // Nobody types so much; a pipe without lines must not fill the memory.
  constexpr std::size_t kLongest = 4096;
  std::string line;
  while (true) {
    const auto byte = read_byte();
    if (byte == '\n') {
      break;
    }
    if (!byte && line.empty()) {
      fail_at_end();
    }
    if (!byte) {
      break;
    }
    ACCELERATE_CHECK(
        line.size() < kLongest,
        ConfigError,
        "config",
        "an answer has more than ",
        kLongest,
        " bytes");
    line += *byte;
  }
  const std::size_t begin =
      std::min(line.find_first_not_of(" \t\r"), line.size());
  line.erase(0, begin);
  line.erase(line.find_last_not_of(" \t\r") + 1);
  return line;
}

void Prompt::reject(const std::string& reason) {
  if (!is_terminal_) {
    throw ConfigError(reason + "; nothing was written");
  }
  print("  " + reason + '\n');
}

std::string Prompt::ask(
    const std::string& question,
    const std::string& preset) {
  print(question + (preset.empty() ? "" : " [" + preset + "]") + ": ");
  const std::string line = read_line();
  if (!is_terminal_) {
    print("\n");
  }
  return line.empty() ? preset : line;
}

bool Prompt::confirm(const std::string& question, bool preset) {
  while (true) {
    const std::string answer =
        ask(question + " (yes or no)", preset ? "yes" : "no");
    if (const auto flag = config::parse_flag(answer)) {
      return *flag;
    }
    reject("'" + answer + "' is neither yes nor no");
  }
}

std::size_t Prompt::choose(
    const std::string& question,
    const std::vector<std::string>& choices,
    std::size_t preset) {
  return is_terminal_ && choices.size() + 2 < terminal_height()
      ? choose_from_menu(question, choices, preset)
      : choose_by_line(question, choices, preset);
}

std::size_t Prompt::choose_by_line(
    const std::string& question,
    const std::vector<std::string>& choices,
    std::size_t preset) {
  std::string text = question + '\n';
  for (std::size_t i = 0; i < choices.size(); ++i) {
    text += concat("  ", i, ": ", choices[i], '\n');
  }
  print(text);
  while (true) {
    const std::string answer = ask("Number", std::to_string(preset));
    const auto number = config::parse_number<std::size_t>(answer);
    if (number && *number < choices.size()) {
      return *number;
    }
    const auto named = std::find(choices.begin(), choices.end(), answer);
    if (named != choices.end()) {
      return static_cast<std::size_t>(named - choices.begin());
    }
    reject(concat(
        "'", answer, "' is no choice, expected 0 to ", choices.size() - 1));
  }
}

std::size_t Prompt::choose_from_menu(
    const std::string& question,
    const std::vector<std::string>& choices,
    std::size_t preset) {
  const RawTerminal raw;
  const std::string start = has_colours_ ? "\x1b[32m" : "";
  const std::string end = has_colours_ ? "\x1b[0m" : "";
  const std::string up = concat("\x1b[", choices.size() + 1, "A");
  std::size_t place = preset;
  for (bool is_first = true;; is_first = false) {
    std::string text = is_first ? "" : up;
    text += "\r\x1b[2K" + question + " (arrow keys or a number, Enter)\n";
    for (std::size_t i = 0; i < choices.size(); ++i) {
      const std::string line = concat(i, ": ", choices[i]);
      text += "\x1b[2K";
      text += i == place ? " > " + start + line + end : "   " + line;
      text += '\n';
    }
    print(text);
    const Pressed pressed = read_key();
    if (pressed.key == Key::kInterrupt) {
      throw Interrupted();
    }
    if (pressed.key == Key::kEnter) {
      // The menu gives way to what was chosen.
      print(up + "\x1b[J" + question + ": " + choices[place] + '\n');
      return place;
    }
    place = moved(place, pressed, choices.size());
  }
}

} // namespace accelerate::cli
