// examples/compare_precision.cpp: the same fine-tuning in fp32, bf16 and fp16,
// each by a job of its own, so that speed and memory are not mixed up.
//
//   compare_precision --program ./finetune_reviews --num_processes 2
//       --picture precision.svg -- --model .deps/assets/minilm
//       --train .deps/assets/reviews/train.csv
//       --test .deps/assets/reviews/test.csv --max_steps 100
//
// prints at the end (here on two cores without 16-bit instructions):
//   precision  samples/s  peak MB per rank  training loss  test accuracy
//   fp32            87.9               717          0.457          0.801
//   bf16            86.6               698          0.457          0.801
//   fp16            83.8               707          0.457          0.801
//
// Everything after `--` belongs to the program. It learns its precision from
// ACCELERATE_MIXED_PRECISION, as after `accelerate launch --mixed_precision`,
// and writes what it measured into the file behind --json.
#include <accelerate/error.h>
#include <accelerate/launch/launcher.h>

#include <nlohmann/json.hpp>

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "precision_chart.h"

using namespace accelerate;

namespace {

int parse_count(const std::string& text) {
  int count = 0;
  std::istringstream words(text);
  ACCELERATE_CHECK(
      words >> count && words.eof() && count > 0,
      ConfigError,
      "compare_precision",
      "--num_processes is '",
      text,
      "', expected a number from 1");
  return count;
}

struct Options {
  std::string program;
  int num_processes = 2;
  std::string precisions = "no,bf16,fp16";
  std::string picture;
  std::vector<std::string> args; // of the program

  static Options parse(int argc, char** argv) {
    Options options;
    int i = 1;
    for (; i + 1 < argc && std::string_view(argv[i]) != "--"; i += 2) {
      const std::string_view name = argv[i];
      if (name == "--program") {
        options.program = argv[i + 1];
      } else if (name == "--num_processes") {
        options.num_processes = parse_count(argv[i + 1]);
      } else if (name == "--precisions") {
        options.precisions = argv[i + 1];
      } else if (name == "--picture") {
        options.picture = argv[i + 1];
      } else {
        throw ConfigError(concat("unknown option '", name, "'"));
      }
    }
    ACCELERATE_CHECK(
        !options.program.empty() && i < argc,
        ConfigError,
        "compare_precision",
        "needs --program FILE, and the arguments of that program after --");
    options.args.assign(argv + i + 1, argv + argc);
    return options;
  }
};

/// One fine-tuning from start to end.
examples::PrecisionResult measure(
    const Options& options,
    const std::string& precision) {
  const auto report = std::filesystem::temp_directory_path() /
      concat("compare_precision-", getpid(), ".json");
  LaunchOptions job;
  job.program = options.program;
  job.args = options.args;
  job.args.insert(job.args.end(), {"--json", report.string()});
  job.num_processes = options.num_processes;
  job.cpu = true;
  job.environment["ACCELERATE_MIXED_PRECISION"] = precision;
  const LaunchResult result = Launcher(job).run();
  ACCELERATE_CHECK(
      result.exit_code == 0,
      ConfigError,
      "compare_precision",
      "the training in ",
      precision,
      " ended with status ",
      result.exit_code);
  std::ifstream file(report);
  ACCELERATE_CHECK(
      file,
      ConfigError,
      "compare_precision",
      "'",
      options.program,
      "' wrote no report; it has to take --json FILE, as finetune_reviews "
      "does");
  const auto measured = nlohmann::json::parse(file);
  std::filesystem::remove(report);
  return {
      .precision = precision,
      .samples_per_second = measured.at("samples_per_second"),
      .peak_megabytes = measured.at("peak_megabytes"),
      .loss = measured.at("loss"),
      .accuracy = measured.at("accuracy")};
}

} // namespace

int main(int argc, char** argv) try {
  const Options options = Options::parse(argc, argv);
  std::vector<examples::PrecisionResult> results;
  std::istringstream precisions(options.precisions);
  for (std::string word; std::getline(precisions, word, ',');) {
    std::cout << "training in " << examples::display_name(word) << std::endl;
    results.push_back(measure(options, word));
  }
  std::cout << '\n';
  examples::print_table(std::cout, results);
  if (!options.picture.empty()) {
    examples::write_picture(options.picture, results);
    std::cout << "picture: " << options.picture << '\n';
  }
} catch (const std::exception& error) {
  std::cerr << "compare_precision: " << error.what() << '\n';
  return 1;
}
