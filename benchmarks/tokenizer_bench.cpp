// benchmarks/tokenizer_bench.cpp: megabytes of text that one core turns into
// ids in a second.
//
//   tokenizer_bench <tokenizer folder> <text file> [seconds]
//
// Every line of the file is one text. One thread encodes all of them with
// special tokens, again and again; the best round counts, in processor time, so
// that neighbours on the machine matter little. Prints one line of JSON.
// Twin: benchmarks/reference/tokenizer.py
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <exception>
#include <fstream>
#include <string>
#include <vector>

#include "accelerate/data/table.h"
#include "accelerate/error.h"
#include "accelerate/text/column_encoder.h"
#include "accelerate/text/tokenizer.h"

namespace {

double processor_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) +
      1e-9 * static_cast<double>(now.tv_nsec);
}

std::vector<std::string> read_lines(const std::string& path) {
  std::ifstream stream(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  ACCELERATE_CHECK(
      !lines.empty(),
      accelerate::ConfigError,
      "bench.tokenizer",
      "no text in '",
      path,
      "'");
  return lines;
}

/// Seconds of the fastest call within `seconds`, three calls at least.
template <typename F>
double best_of(double seconds, F&& f) {
  double best = 1e300;
  const double start = processor_seconds();
  for (int round = 0; round < 3 || processor_seconds() - start < seconds;
       ++round) {
    const double before = processor_seconds();
    f();
    best = std::min(best, processor_seconds() - before);
  }
  return best;
}

int run(const std::string& folder, const std::string& file, double seconds) {
  using accelerate::Column;
  const auto lines = read_lines(file);
  double megabytes = 0;
  for (const std::string& line : lines) {
    megabytes += 1e-6 * static_cast<double>(line.size());
  }
  const double before = processor_seconds();
  const auto tokenizer = accelerate::AutoTokenizer::from_pretrained(folder);
  const double load_seconds = processor_seconds() - before;

  std::vector<std::int32_t> ids;
  const double bare = best_of(seconds, [&] {
    ids.clear();
    for (const std::string& line : lines) {
      tokenizer.append_ids(line, ids);
    }
  });
  const auto encoder = tokenizer.encoder({.column = "text"});
  const accelerate::Table table({{"text", Column::of(lines)}});
  const double columns =
      best_of(seconds, [&] { static_cast<void>(encoder(table)); });
  std::printf(
      "{\"benchmark\": \"tokenizer\", \"texts\": %zu, \"megabytes\": %.3f, "
      "\"ids\": %zu, \"load_ms\": %.1f, \"ids_mb_per_s\": %.1f, "
      "\"table_mb_per_s\": %.1f}\n",
      lines.size(),
      megabytes,
      ids.size(),
      1e3 * load_seconds,
      megabytes / bare,
      megabytes / columns);
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(
        stderr, "usage: tokenizer_bench <folder> <text file> [seconds]\n");
    return 2;
  }
  try {
    return run(argv[1], argv[2], argc > 3 ? std::stod(argv[3]) : 1.0);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
