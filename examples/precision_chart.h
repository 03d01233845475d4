// examples/precision_chart.h: the table and the picture of compare_precision.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace examples {

/// What one fine-tuning measured.
struct PrecisionResult {
  std::string precision; ///< no, bf16 or fp16
  double samples_per_second = 0; ///< of all ranks
  double peak_megabytes = 0; ///< of one rank
  double loss = 0; ///< of training, at its end
  double accuracy = 0; ///< of the test set, in [0, 1]
};

/// `fp32` for no.
[[nodiscard]] std::string display_name(const std::string& precision);

void print_table(
    std::ostream& out,
    const std::vector<PrecisionResult>& results);

/// Four groups of bars as SVG, one for each column of the table.
/// @throws std::runtime_error when the file cannot be written.
void write_picture(
    const std::string& path,
    const std::vector<PrecisionResult>& results);

} // namespace examples
