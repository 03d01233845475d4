// cli/estimate_command.cpp: `accelerate estimate-memory MODEL`.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <sstream>

#include <nlohmann/json.hpp>

#include "accelerate/error.h"
#include "accelerate/inspect/model_memory.h"
#include "accelerate/io/hub_cache.h"
#include "accelerate/io/weight_index.h"
#include "accelerate/launch/exit_code.h"
#include "cli/plain_command.h"
#include "cli/text_table.h"

namespace accelerate::cli {
namespace {

namespace fs = std::filesystem;
using inspect::WeightDtype;
using nlohmann::ordered_json;

constexpr CommandText kText{
    "estimate-memory",
    "[flags] MODEL",
    "Say how much memory a model needs, without loading it\n"
    "\n"
    "Reads config.json and the headers of the safetensors files. MODEL is a\n"
    "folder, a *.safetensors or *.index.json file, or the name of a model "
    "that\n"
    "is in the cache of the Hugging Face hub; nothing is downloaded.",
    "Sizes are in units of 1024. 'Training with Adam' is the largest of "
    "weights,\n"
    "gradients and optimizer state, as the original shows it; the table for\n"
    "ranks shows their sum. Activations depend on the implementation: 'plain'\n"
    "keeps attention matrices and masks of dropout, 'fused' keeps neither.\n"
    "docs/cli.md has the formulas.\n"
    "\n"
    "Examples:\n"
    "  accelerate estimate-memory sentence-transformers/all-MiniLM-L6-v2\n"
    "  accelerate estimate-memory model/ --dtypes float32 bfloat16 \\\n"
    "    --num_processes 4 --batch_size 32 --sequence_length 128"};

struct Flags {
  std::string model;
  std::vector<std::string> dtypes;
  std::string library;
  int batch_size = 0;
  int sequence_length = 0;
  int num_processes = 0;
  bool json = false;
  bool trust_remote_code = false;
};

struct Estimate {
  io::ModelConfig config;
  inspect::WeightSizes sizes;
  std::vector<WeightDtype> dtypes;
};

constexpr std::pair<const char*, inspect::Sharding> kStages[] = {
    {"data parallel", inspect::Sharding::kNone},
    {"ZeRO stage 1", inspect::Sharding::kOptimizer},
    {"ZeRO stage 2", inspect::Sharding::kGradients},
    {"ZeRO stage 3", inspect::Sharding::kWeights}};
constexpr const char* kStageKeys[] = {
    "data_parallel",
    "zero_1",
    "zero_2",
    "zero_3"};

std::vector<WeightDtype> chosen_dtypes(const std::vector<std::string>& names) {
  std::vector<WeightDtype> chosen;
  for (const WeightDtype dtype : inspect::kWeightDtypes) {
    const std::string name = inspect::weight_dtype_name(dtype);
    if (names.empty() ||
        std::find(names.begin(), names.end(), name) != names.end()) {
      chosen.push_back(dtype);
    }
  }
  return chosen;
}

Estimate estimate(const Flags& flags) {
  fs::path path = flags.model;
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {
    path = io::find_in_hub_cache(
        flags.model, io::hub_cache_folder(process_environment()));
  }
  const fs::path checkpoint = io::find_checkpoint(path);
  const fs::path config = checkpoint.parent_path() / "config.json";
  Estimate result;
  if (fs::exists(config, ignored)) {
    result.config = io::read_model_config(config);
  }
  result.sizes =
      inspect::measure_weights(io::weight_files(checkpoint), result.config);
  result.dtypes = chosen_dtypes(flags.dtypes);
  return result;
}

/// The batch asked for; a length that is not given is the model's longest.
std::optional<inspect::BatchShape> batch_of(
    const Flags& flags,
    const Estimate& found) {
  if (flags.batch_size == 0 && flags.sequence_length == 0) {
    return std::nullopt;
  }
  const auto longest = found.config.max_position_embeddings;
  ACCELERATE_CHECK(
      flags.sequence_length > 0 || longest > 0,
      ConfigError,
      "estimate-memory",
      "config.json gives no max_position_embeddings; give --sequence_length");
  const inspect::BatchShape batch{
      std::max(flags.batch_size, 1),
      flags.sequence_length > 0 ? flags.sequence_length : longest};
  ACCELERATE_CHECK(
      inspect::activation_memory(found.config, batch, WeightDtype::kFloat32),
      ConfigError,
      "estimate-memory",
      "activations need hidden_size, num_hidden_layers and "
      "num_attention_heads, but there is no config.json with all of them "
      "beside the weights");
  return batch;
}

ordered_json rank_json(
    const inspect::TrainingMemory& whole,
    int num_processes) {
  ordered_json ranks;
  for (std::size_t stage = 0; stage < std::size(kStages); ++stage) {
    const auto memory =
        inspect::rank_memory(whole, kStages[stage].second, num_processes);
    ranks[kStageKeys[stage]] = {
        {"weights", memory.weights},
        {"gradients", memory.gradients},
        {"optimizer", memory.optimizer},
        {"total", memory.sum()}};
  }
  return ranks;
}

std::string as_json(const Flags& flags, const Estimate& found) {
  const auto batch = batch_of(flags, found);
  ordered_json root;
  root["model"] = flags.model;
  root["model_type"] = found.config.model_type;
  root["tensors"] = found.sizes.tensors;
  root["parameters"] = found.sizes.elements;
  root["largest_layers"] = found.sizes.largest_layers;
  root["num_processes"] = std::max(flags.num_processes, 1);
  for (const WeightDtype dtype : found.dtypes) {
    const std::uint64_t total = found.sizes.total_bytes;
    ordered_json entry;
    entry["largest_layer"] =
        inspect::bytes_in(found.sizes.largest_layer_bytes, dtype);
    entry["total"] = inspect::bytes_in(total, dtype);
    const auto training = inspect::original_training_bytes(total, dtype);
    entry["training_with_adam"] =
        training ? ordered_json(*training) : ordered_json(nullptr);
    if (const auto whole = inspect::training_memory(total, dtype)) {
      entry["per_rank"] = rank_json(*whole, std::max(flags.num_processes, 1));
      if (batch) {
        const auto kept =
            inspect::activation_memory(found.config, *batch, dtype);
        entry["activations"] = {{"plain", kept->plain}, {"fused", kept->fused}};
      }
    }
    root["dtypes"][inspect::weight_dtype_name(dtype)] = entry;
  }
  return root.dump(2, ' ', true, ordered_json::error_handler_t::replace) + '\n';
}

std::string weights_table(const Estimate& found) {
  TextTable table{{"", "Largest layer", "Total size", "Training with Adam"}};
  for (const WeightDtype dtype : found.dtypes) {
    const std::uint64_t total = found.sizes.total_bytes;
    const auto training = inspect::original_training_bytes(total, dtype);
    table.add(
        {inspect::weight_dtype_name(dtype),
         inspect::format_bytes(
             inspect::bytes_in(found.sizes.largest_layer_bytes, dtype)),
         inspect::format_bytes(inspect::bytes_in(total, dtype)),
         training ? inspect::format_bytes(*training) : "N/A"});
  }
  return table.render();
}

/// One column for each dtype that is trained in.
template <typename Cell>
void add_columns(
    TextTable& table,
    const Estimate& found,
    const char* name,
    Cell cell) {
  std::vector<std::string> row{name};
  for (const WeightDtype dtype : found.dtypes) {
    if (inspect::training_memory(0, dtype)) {
      row.push_back(cell(dtype));
    }
  }
  table.add(std::move(row));
}

std::string ranks_table(const Estimate& found, int num_processes) {
  TextTable table;
  add_columns(table, found, "", inspect::weight_dtype_name);
  for (const auto& [name, stage] : kStages) {
    add_columns(table, found, name, [&, s = stage](WeightDtype dtype) {
      const auto whole =
          inspect::training_memory(found.sizes.total_bytes, dtype);
      return inspect::format_bytes(
          inspect::rank_memory(*whole, s, num_processes).sum());
    });
  }
  return concat(
      "\nWeights, gradients and Adam's state on each of ",
      num_processes,
      num_processes == 1 ? " rank:\n" : " ranks:\n",
      table.render());
}

std::string activations_table(
    const Estimate& found,
    const inspect::BatchShape& batch) {
  TextTable table;
  const auto kept = [&](WeightDtype dtype) {
    return *inspect::activation_memory(found.config, batch, dtype);
  };
  add_columns(table, found, "", inspect::weight_dtype_name);
  add_columns(table, found, "plain", [&](WeightDtype dtype) {
    return inspect::format_bytes(kept(dtype).plain);
  });
  add_columns(table, found, "fused", [&](WeightDtype dtype) {
    return inspect::format_bytes(kept(dtype).fused);
  });
  return concat(
      "\nActivations of a batch of ",
      batch.batch_size,
      " x ",
      batch.sequence_length,
      " tokens on a rank:\n",
      table.render());
}

std::string as_text(const Flags& flags, const Estimate& found) {
  const auto& layers = found.sizes.largest_layers;
  std::string text = concat(
      flags.model,
      ": ",
      found.sizes.elements,
      " parameters in ",
      found.sizes.tensors,
      " tensors",
      layers.empty() ? "" : "; largest layer: " + layers.front(),
      layers.size() > 1 ? concat(" and ", layers.size() - 1, " others") : "",
      "\n\n",
      weights_table(found));
  const bool can_train =
      inspect::training_memory(0, found.dtypes.front()).has_value();
  if (flags.num_processes > 0 && can_train) {
    text += ranks_table(found, flags.num_processes);
  }
  if (const auto batch = batch_of(flags, found); batch && can_train) {
    text += activations_table(found, *batch);
  }
  return text;
}

void add_number(
    CLI::App& command,
    const std::string& name,
    int& value,
    const char* description) {
  command
      .add_option_function<std::string>(
          both_spellings(name),
          [name, &value](const std::string& text) {
            value = parse_positive(name, text);
          },
          description)
      ->type_name("N");
}

void check_dtypes(const std::vector<std::string>& names) {
  const auto known = chosen_dtypes({});
  for (const std::string& name : names) {
    const bool is_known =
        std::any_of(known.begin(), known.end(), [&](WeightDtype dtype) {
          return name == inspect::weight_dtype_name(dtype);
        });
    if (!is_known) {
      throw CLI::ValidationError(concat(
          "--dtypes ",
          name,
          ": expected float32, float16, bfloat16, int8 or int4"));
    }
  }
}

void add_original_flags(CLI::App& command, Flags& flags) {
  command
      .add_option(
          both_spellings("library_name"),
          flags.library,
          "transformers or timm; not needed, the files say enough")
      ->check(CLI::IsMember({"transformers", "timm"}))
      ->type_name("NAME");
  command.add_flag(
      both_spellings("trust_remote_code"),
      flags.trust_remote_code,
      "Not needed, no code of the model is run");
}

} // namespace

void add_estimate_command(CLI::App& app, Commands& commands) {
  auto flags = std::make_shared<Flags>();
  CLI::App& command = add_plain_command(app, commands, kText, [flags] {
    const Estimate found = estimate(*flags);
    print_all(flags->json ? as_json(*flags, found) : as_text(*flags, found));
    return kExitSuccess;
  });
  add_argument(command, "MODEL", flags->model, "Folder, file or name");
  command
      .add_option_function<std::vector<std::string>>(
          "--dtypes",
          [flags](const std::vector<std::string>& names) {
            check_dtypes(names);
            flags->dtypes = names;
          },
          "Of float32, float16, bfloat16, int8 and int4 (default:\nall)")
      ->type_name("TYPE...");
  add_number(
      command,
      "num_processes",
      flags->num_processes,
      "Ranks to divide the training over, with data parallelism and ZeRO");
  add_number(
      command,
      "batch_size",
      flags->batch_size,
      "Rows of a rank's batch, for the activations (default 1)");
  add_number(
      command,
      "sequence_length",
      flags->sequence_length,
      "Tokens of a row (default: the longest that the model takes)");
  command.add_flag("--json", flags->json, "Print JSON; sizes are bytes");
  add_original_flags(command, *flags);
}

} // namespace accelerate::cli
