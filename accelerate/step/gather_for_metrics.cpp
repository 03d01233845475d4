// accelerate/step/gather_for_metrics.cpp: sizes first, then padded tensors,
// then the rows to keep of each rank.
#include "accelerate/step/gather_for_metrics.h"

#include <algorithm>
#include <sstream>
#include <string>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <nlohmann/json.hpp>

#include "accelerate/comm/debug_mode.h"
#include "accelerate/comm/exchange.h"
#include "accelerate/error.h"

namespace accelerate::step {
namespace {

constexpr const char* kWhere = "step.gather_for_metrics";

/// Whether the current batch may hold repeated samples: only the last one of a
/// loader does, and only when the data does not fill the last round.
bool is_tail(const GradientState& state) {
  return state.end_of_dataloader() && state.remainder() != 0;
}

/// What one rank brings.
struct RankRows {
  std::int64_t valid = -1; ///< samples of a tail, -1: unknown or no tail
  std::int64_t remainder = 0; ///< of a tail, -1: unknown, 0: no tail
  std::vector<std::int64_t> rows; // [tensor]
};

/// A tensor without dimensions is one value, and so one row.
std::int64_t rows_of(const at::Tensor& tensor) {
  return tensor.dim() == 0 ? 1 : tensor.size(0);
}

/// The position of this rank's batch, as RankRows begins.
std::string position_text(const GradientState& state) {
  return is_tail(state) ? concat(state.valid_samples(), ' ', state.remainder())
                        : "-1 0";
}

/// As text, because ranks that disagree bring lists of different lengths.
std::string to_text(
    const std::vector<at::Tensor>& tensors,
    const GradientState& state) {
  std::string text = position_text(state);
  for (const at::Tensor& tensor : tensors) {
    text += ' ' + std::to_string(rows_of(tensor));
  }
  return text;
}

RankRows from_text(const std::string& text) {
  RankRows result;
  std::istringstream stream(text);
  stream >> result.valid >> result.remainder;
  for (std::int64_t rows = 0; stream >> rows;) {
    result.rows.push_back(rows);
  }
  return result;
}

std::vector<RankRows> // [global_rank]
exchange_rows(
    const ProcessGroup& group,
    const GradientState& state,
    const std::vector<at::Tensor>& tensors) {
  std::vector<RankRows> ranks;
  for (const auto& text : gather_strings(group, to_text(tensors, state))) {
    ranks.push_back(from_text(text));
    ACCELERATE_CHECK(
        ranks.back().rows.size() == ranks.front().rows.size(),
        DisagreementError,
        kWhere,
        "rank 0 passes ",
        ranks.front().rows.size(),
        " tensors and rank ",
        ranks.size() - 1,
        " passes ",
        ranks.back().rows.size(),
        "; all ranks must pass the same nested value");
  }
  return ranks;
}

/// Whether rows beyond the valid ones are to be dropped. A loader that drops
/// its tail does not know its remainder; its ranks have equally many valid
/// samples.
bool has_repetitions(const std::vector<RankRows>& ranks) {
  return std::any_of(ranks.begin(), ranks.end(), [&](const RankRows& rank) {
    return rank.remainder > 0 || rank.valid != ranks.front().valid;
  });
}

/// Rows to keep of each rank's part of tensor `index`.
std::vector<std::int64_t> // [global_rank]
rows_to_keep(
    const std::vector<RankRows>& ranks,
    std::size_t index,
    bool has_samples) {
  const bool is_per_sample = has_samples && has_repetitions(ranks) &&
      std::all_of(ranks.begin(), ranks.end(), [&](const RankRows& rank) {
                               return rank.rows[index] >= rank.valid;
                             });
  std::vector<std::int64_t> keep;
  keep.reserve(ranks.size());
  for (const RankRows& rank : ranks) {
    keep.push_back(
        is_per_sample && rank.valid >= 0 ? rank.valid : rank.rows[index]);
  }
  return keep;
}

/// Appends rows, so that ranks with different numbers of rows can be gathered.
at::Tensor pad_to(const at::Tensor& tensor, std::int64_t rows) {
  if (rows_of(tensor) == rows) {
    return tensor;
  }
  // Pairs (before, after) from the last dimension to the first.
  std::vector<std::int64_t> padding(
      static_cast<std::size_t>(2 * tensor.dim()), 0);
  padding.back() = rows - tensor.size(0);
  return at::constant_pad_nd(tensor, padding, 0);
}

/// The first rows of each of the equally long blocks of the ranks.
at::Tensor keep_rows(
    const at::Tensor& blocks,
    const std::vector<std::int64_t>& keep) {
  const std::int64_t block =
      blocks.size(0) / static_cast<std::int64_t>(keep.size());
  if (std::all_of(keep.begin(), keep.end(), [&](std::int64_t rows) {
        return rows == block;
      })) {
    return blocks;
  }
  std::vector<at::Tensor> parts;
  for (std::size_t rank = 0; rank < keep.size(); ++rank) {
    parts.push_back(
        blocks.narrow(0, static_cast<std::int64_t>(rank) * block, keep[rank]));
  }
  return at::cat(parts);
}

/// The position and the number of values, their lengths in a second line, then
/// the values one after the other.
std::string join_values(
    const std::vector<std::string>& values,
    const GradientState& state) {
  std::string text = concat(position_text(state), ' ', values.size(), '\n');
  for (const std::string& value : values) {
    text += std::to_string(value.size()) + ' ';
  }
  text += '\n';
  for (const std::string& value : values) {
    text += value;
  }
  return text;
}

std::vector<std::string> split_values(const std::string& text) {
  const std::size_t first_end = text.find('\n');
  const std::size_t lengths_end = text.find('\n', first_end + 1);
  std::istringstream lengths(
      text.substr(first_end + 1, lengths_end - first_end - 1));
  std::vector<std::string> values;
  std::size_t begin = lengths_end + 1;
  for (std::size_t length = 0; lengths >> length; begin += length) {
    values.push_back(text.substr(begin, length));
  }
  return values;
}

void check_json(const std::vector<std::string>& values, std::size_t rank) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    ACCELERATE_CHECK(
        nlohmann::json::accept(values[i]),
        ConfigError,
        kWhere,
        "value ",
        i,
        " of rank ",
        rank,
        " is not valid JSON: '",
        values[i].substr(0, 60),
        "'");
  }
}

} // namespace

std::vector<std::string> gather_valid_json(
    const ProcessGroup& group,
    const GradientState& state,
    const std::vector<std::string>& values) {
  std::vector<RankRows> ranks;
  std::vector<std::vector<std::string>> parts; // [global_rank]
  for (const auto& text : gather_strings(group, join_values(values, state))) {
    ranks.push_back(from_text(text.substr(0, text.find('\n'))));
    parts.push_back(split_values(text));
    check_json(parts.back(), parts.size() - 1);
  }
  const std::vector<std::int64_t> keep = rows_to_keep(ranks, 0, true);
  std::vector<std::string> result;
  for (std::size_t rank = 0; rank < parts.size(); ++rank) {
    const auto begin = parts[rank].begin();
    result.insert(result.end(), begin, begin + keep[rank]);
  }
  return result;
}

std::int64_t valid_rows(const GradientState& state, std::int64_t rows) {
  const std::int64_t valid = state.valid_samples();
  return valid < 0 || !is_tail(state) ? rows : std::min(rows, valid);
}

std::vector<at::Tensor> gather_valid_rows(
    const ProcessGroup& group,
    const GradientState& state,
    const std::vector<at::Tensor>& tensors) {
  const at::NoGradGuard no_grad;
  const std::vector<RankRows> ranks = exchange_rows(group, state, tensors);
  std::vector<at::Tensor> padded;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    std::int64_t longest = 0;
    for (const RankRows& rank : ranks) {
      longest = std::max(longest, rank.rows[i]);
    }
    // Without dimensions here and with several rows elsewhere: gather() says
    // so.
    padded.push_back(
        tensors[i].dim() == 0 ? tensors[i] : pad_to(tensors[i], longest));
  }
  const std::vector<at::Tensor> gathered = comm::gather(group, padded);
  std::vector<at::Tensor> result;
  for (std::size_t i = 0; i < gathered.size(); ++i) {
    result.push_back(
        keep_rows(gathered[i], rows_to_keep(ranks, i, tensors[i].dim() > 0)));
  }
  return result;
}

} // namespace accelerate::step
