// tests/fuzz/fuzz_driver.cpp: runs a fuzz target without libFuzzer, on inputs
// that are the same in every run.
//
//   fuzz_<name> COUNT CORPUS_FOLDER [SEED]     mutates the corpus COUNT times
//   fuzz_<name> FILE                           replays one input
//
// A crash or an input that takes longer than ten seconds ends the program; the
// input is left in fuzz_<name>.crash in the current folder.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size);

namespace {

constexpr unsigned kSecondsPerInput = 10;
constexpr std::size_t kMaxInputBytes = 65536;

// Read by the signal handler.
const std::string* current_input = nullptr;
char crash_file[256] = "";

extern "C" void leave_input(int signal_number) {
  const int fd = ::open(crash_file, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  if (fd >= 0 && current_input != nullptr) {
    // Nothing can be done about a failed write here.
    [[maybe_unused]] const auto wrote =
        ::write(fd, current_input->data(), current_input->size());
    ::close(fd);
  }
  ::signal(signal_number, SIG_DFL);
  ::raise(signal_number);
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> read_corpus(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> corpus;
  std::transform(
      paths.begin(), paths.end(), std::back_inserter(corpus), read_file);
  return corpus;
}

/// Changes inputs in ways that parsers trip over. Uses no distribution of the
/// standard library: their results differ between implementations.
class Mutator {
 public:
  Mutator(std::vector<std::string> corpus, std::uint64_t seed)
      : corpus_(std::move(corpus)), random_(seed) {}

  std::string next() {
    std::string input = corpus_[below(corpus_.size())];
    for (std::size_t count = 1 + below(4); count > 0; --count) {
      mutate(input);
    }
    input.resize(std::min(input.size(), kMaxInputBytes));
    return input;
  }

 private:
  std::size_t below(std::size_t limit) {
    return limit == 0 ? 0 : static_cast<std::size_t>(random_() % limit);
  }

  std::string chunk_of(const std::string& text) {
    const std::size_t start = below(text.size());
    return text.substr(start, 1 + below(64));
  }

  void mutate(std::string& input) {
    static const std::vector<std::string> kTokens = {
        "\"",
        "\\",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\n",
        "\r\n",
        "\t",
        " ",
        "-1",
        "0",
        "1e999",
        "null",
        "true",
        "\xff",
        "\xef\xbb\xbf",
        "\xe2\x80\x8b",
        "\xf0\x9f\x98\x80",
        "%s",
        "=",
        "4294967296",
        "9223372036854775808",
        "18446744073709551616",
        std::string(1, '\0'),
        std::string(8, '\xff'),
        std::string(300, '[')};
    const std::size_t at = below(input.size() + 1);
    switch (below(8)) {
      case 0: // flip a bit
        if (at < input.size()) {
          input[at] = static_cast<char>(input[at] ^ (1 << below(8)));
        }
        break;
      case 1: // any byte
        if (at < input.size()) {
          input[at] = static_cast<char>(below(256));
        }
        break;
      case 2:
        input.insert(at, kTokens[below(kTokens.size())]);
        break;
      case 3: // remove
        input.erase(at, 1 + below(32));
        break;
      case 4: // cut off
        input.resize(at);
        break;
      case 5: // repeat a part of itself
        input.insert(at, chunk_of(input.empty() ? " " : input));
        break;
      case 6: // a part of another input
        input.insert(at, chunk_of(corpus_[below(corpus_.size())] + " "));
        break;
      default: { // another digit, or another letter's case
        const auto found = std::find_if(
            input.begin() + static_cast<std::ptrdiff_t>(at),
            input.end(),
            [](unsigned char c) { return std::isalnum(c) != 0; });
        if (found != input.end()) {
          const auto c = static_cast<unsigned char>(*found);
          *found = static_cast<char>(
              std::isdigit(c) != 0 ? '0' + static_cast<char>(below(10))
                                   : c ^ 0x20);
        }
      }
    }
  }

  std::vector<std::string> corpus_;
  std::mt19937_64 random_;
};

void run(const std::string& input) {
  current_input = &input;
  ::alarm(kSecondsPerInput);
  // A copy of the exact size, so that AddressSanitizer sees reads behind it.
  const std::vector<std::uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  ::alarm(0);
}

int run_all(const std::string& program, int argc, char** argv) {
  if (argc == 2) {
    run(read_file(argv[1]));
    return EXIT_SUCCESS;
  }
  if (argc != 3 && argc != 4) {
    std::cerr << "usage: " << program << " COUNT CORPUS_FOLDER [SEED] | FILE\n";
    return 2;
  }
  const std::vector<std::string> corpus = read_corpus(argv[2]);
  if (corpus.empty()) {
    std::cerr << program << ": no files in " << argv[2] << "\n";
    return 2;
  }
  std::for_each(corpus.begin(), corpus.end(), run);
  const std::uint64_t count = std::stoull(argv[1]);
  Mutator mutator(corpus, argc == 4 ? std::stoull(argv[3]) : 1);
  for (std::uint64_t done = 0; done < count; ++done) {
    run(mutator.next());
  }
  std::cout << program << ": " << corpus.size() << " corpus files and " << count
            << " mutations, no crash\n";
  return EXIT_SUCCESS;
}

} // namespace

int main(int argc, char** argv) {
  const std::string program = std::filesystem::path(argv[0]).filename();
  (program + ".crash").copy(crash_file, sizeof crash_file - 1);
  for (const int number : {SIGSEGV, SIGABRT, SIGFPE, SIGILL, SIGBUS, SIGALRM}) {
    ::signal(number, leave_input);
  }
  return run_all(program, argc, argv);
}
