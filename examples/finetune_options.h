// examples/finetune_options.h: command line, measurements and report
// of finetune_reviews, kept apart so that the loop reads by itself.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <accelerate/accelerate.h>

namespace examples {

/// What a run measured, the same on every rank.
struct Report {
  double seconds = 0;
  double samples_per_second = 0;
  double peak_megabytes = 0; ///< resident memory, the largest of all ranks
  double loss = 0; ///< of training, the mean of the last tenth of the steps
};

struct FinetuneOptions {
  std::string model;
  std::string train;
  std::string test;
  std::string test_split = "test"; ///< such as test[:200]
  std::int64_t epochs = 2;
  std::int64_t max_steps = 0; ///< 0: epochs decide
  std::int64_t batch_size = 16; ///< per rank
  std::int64_t max_length = 64;
  double lr = 5e-5;
  std::uint64_t seed = 0;
  double min_accuracy = 0; ///< below: exit status 1
  std::string json; ///< where rank 0 writes the report; empty: nowhere

  /// Prints usage and exits with 64 when the arguments are wrong.
  static FinetuneOptions parse(int argc, char** argv);

  /// @throws accelerate::ConfigError when an epoch has no steps.
  [[nodiscard]] std::int64_t total_steps(std::int64_t steps_per_epoch) const;
  /// Prints the table, writes the JSON file; the exit status of the program.
  [[nodiscard]] int finish(
      const accelerate::Accelerator& accelerator,
      double accuracy,
      std::int64_t steps,
      const Report& report) const;
};

/// Measures the training loop of all ranks.
class TrainingMeter {
 public:
  explicit TrainingMeter(std::int64_t total_steps);
  /// One step of this rank. @param loss keeps no graph alive
  void add(std::int64_t samples, const at::Tensor& loss);
  [[nodiscard]] std::int64_t steps() const {
    return steps_;
  }
  [[nodiscard]] bool is_done() const {
    return steps_ >= total_steps_;
  }
  /// Collective.
  [[nodiscard]] Report stop(const accelerate::Accelerator& accelerator) const;

 private:
  double start_;
  std::int64_t total_steps_;
  std::int64_t steps_ = 0;
  std::int64_t samples_ = 0;
  std::vector<at::Tensor> last_losses_;
};

} // namespace examples
