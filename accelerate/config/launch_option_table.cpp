// accelerate/config/launch_option_table.cpp: look-ups in the table.
#include "accelerate/config/launch_option_table.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <vector>

#include "accelerate/config/launch_option_rows_impl.h"
#include "accelerate/config/parse_flag.h"
#include "accelerate/config/parse_number.h"
#include "accelerate/error.h"

namespace accelerate::config {
namespace {

struct Section {
  std::string_view title;
  std::string_view refusal{};
};

// [OptionSection]
constexpr std::array kSections{
    Section{"General"},
    Section{"Hardware"},
    Section{"Resources of each rank"},
    Section{"The job and its machines"},
    Section{"Supervision"},
    Section{"Compiling"},
    Section{"FSDP (with --use_fsdp)"},
    Section{"Parallelism (with --use_parallelism_config)"},
    Section{"fp8 (with --mixed_precision fp8)"},
    Section{"MPI"},
    Section{"TPU", "TPUs need torch_xla, which this version does not use"},
    Section{"DeepSpeed", "this version does not drive DeepSpeed"},
    Section{"Megatron-LM", "this version does not drive Megatron-LM"},
    Section{"AWS", "this version does not start jobs on Amazon SageMaker"}};

/// A value of an option that is supported otherwise.
struct RefusedValue {
  std::string_view option;
  std::string_view value;
  std::string_view reason;
};

constexpr std::string_view kOtherDevice =
    "this version runs on CPUs and on GPUs with CUDA";

constexpr RefusedValue kRefusedValues[] = {
    {"fp8_backend", "msamp", "this version does not drive MS-AMP"},
    {"compute_environment",
     "AMAZON_SAGEMAKER",
     "this version does not start jobs on Amazon SageMaker"},
    {"distributed_type", "DEEPSPEED", "this version does not drive DeepSpeed"},
    {"distributed_type",
     "MEGATRON_LM",
     "this version does not drive Megatron-LM"},
    {"distributed_type", "XLA", kOtherDevice},
    {"distributed_type", "MULTI_XPU", kOtherDevice},
    {"distributed_type", "MULTI_HPU", kOtherDevice},
    {"distributed_type", "MULTI_NPU", kOtherDevice},
    {"distributed_type", "MULTI_MLU", kOtherDevice},
    {"distributed_type", "MULTI_SDAA", kOtherDevice},
    {"distributed_type", "MULTI_MUSA", kOtherDevice},
    {"distributed_type", "MULTI_NEURON", kOtherDevice},
};

const Section& info(OptionSection section) {
  return kSections[static_cast<std::size_t>(section)];
}

std::vector<LaunchOption> all_rows() {
  std::vector<LaunchOption> rows;
  for (const auto part : {job_rows(), program_rows(), foreign_rows()}) {
    rows.insert(rows.end(), part.begin(), part.end());
  }
  return rows;
}

bool same_letters(std::string_view a, std::string_view b) {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  return std::equal(
      a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) {
        return lower(x) == lower(y);
      });
}

std::vector<std::string_view> split(std::string_view text, char mark) {
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t end = std::min(text.find(mark), text.size());
    words.push_back(text.substr(0, end));
    if (end == text.size()) {
      return words;
    }
    text.remove_prefix(end + 1);
  }
}

std::string problem_with_choice(
    std::string_view values,
    std::string_view value) {
  const std::vector<std::string_view> words = split(values, '|');
  std::string expected = "expected ";
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (same_letters(words[i], value)) {
      return "";
    }
    expected += i == 0 ? "" : i + 1 == words.size() ? " or " : ", ";
    expected += words[i];
  }
  return expected;
}

std::string problem_with_count(
    const LaunchOption& option,
    std::string_view value) {
  const auto number = parse_number<int>(value);
  if (number && *number >= option.least && *number <= option.most) {
    return "";
  }
  return option.most == std::numeric_limits<int>::max()
      ? concat("expected a number from ", option.least, " up")
      : concat("expected a number from ", option.least, " to ", option.most);
}

bool is_three_flags(std::string_view value) {
  const std::vector<std::string_view> words = split(value, ',');
  return words.size() == 3 &&
      std::all_of(words.begin(), words.end(), [](std::string_view word) {
           return !word.empty() && parse_flag(word);
         });
}

bool is_real(std::string_view value) {
  double number = 0;
  const char* end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), end, number);
  return error == std::errc{} && stop == end && std::isfinite(number) &&
      number >= 0;
}

} // namespace

std::span<const LaunchOption> launch_option_table() {
  static const std::vector<LaunchOption> rows = all_rows();
  return rows;
}

const LaunchOption* find_launch_option(std::string_view name) {
  const auto same = [](char a, char b) {
    return a == b || (a == '_' && b == '-');
  };
  for (const LaunchOption& option : launch_option_table()) {
    if (std::equal(
            option.name.begin(),
            option.name.end(),
            name.begin(),
            name.end(),
            same)) {
      return &option;
    }
  }
  return nullptr;
}

std::string_view section_title(OptionSection section) {
  return info(section).title;
}

std::string_view refusal_of(const LaunchOption& option) {
  return option.refusal.empty() ? info(option.section).refusal : option.refusal;
}

std::string problem_with(const LaunchOption& option, std::string_view value) {
  switch (option.kind) {
    case OptionKind::kThreeYesNo:
      return is_three_flags(value)
          ? ""
          : "expected true or false three times, `,` between";
    case OptionKind::kSwitch:
    case OptionKind::kYesNo:
      return parse_flag(value) && !value.empty() ? ""
                                                 : "expected true or false";
    case OptionKind::kCount:
      return problem_with_count(option, value);
    case OptionKind::kReal:
      return is_real(value) ? "" : "expected a number, 0 or more";
    case OptionKind::kChoice:
      return problem_with_choice(option.values, value);
    case OptionKind::kText:
      break;
  }
  if (value.find('\0') != std::string_view::npos) {
    return "expected a text without a zero byte";
  }
  // One that is refused may be said to be empty.
  return value.empty() && refusal_of(option).empty() ? "expected a value" : "";
}

std::string refusal_of(const LaunchOption& option, std::string_view value) {
  for (const RefusedValue& refused : kRefusedValues) {
    if (option.name == refused.option && same_letters(value, refused.value)) {
      return std::string(refused.reason);
    }
  }
  const std::string_view reason = refusal_of(option);
  const bool asks_for_nothing = value.empty() ||
      value == option.default_value ||
      (option.kind != OptionKind::kCount && parse_flag(value) == false);
  return reason.empty() || asks_for_nothing ? "" : std::string(reason);
}

} // namespace accelerate::config
