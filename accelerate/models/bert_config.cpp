// accelerate/models/bert_config.cpp
#include "accelerate/models/bert_config.h"

#include "accelerate/error.h"

#include <nlohmann/json.hpp>

#include <array>
#include <cmath>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <system_error>
#include <utility>

namespace accelerate {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kWhere = "models.config";
// A config.json is a few KB; label names of large classifiers a few MB.
constexpr std::uintmax_t kMaxConfigBytes = 16u << 20;
// No published BERT comes near; keeps every product of sizes inside 64 bits.
constexpr std::int64_t kMaxSize = std::int64_t{1} << 30;

constexpr std::array<std::pair<std::string_view, HiddenActivation>, 7>
    kActivations{{
        {"gelu", HiddenActivation::kGelu},
        {"gelu_pytorch_tanh", HiddenActivation::kGeluTanh},
        {"gelu_new", HiddenActivation::kGeluTanh},
        {"relu", HiddenActivation::kRelu},
        {"silu", HiddenActivation::kSilu},
        {"swish", HiddenActivation::kSilu},
        {"tanh", HiddenActivation::kTanh},
    }};

constexpr std::array<std::pair<std::string_view, ProblemType>, 3> kProblemTypes{
    {
        {"regression", ProblemType::kRegression},
        {"single_label_classification", ProblemType::kSingleLabel},
        {"multi_label_classification", ProblemType::kMultiLabel},
    }};

/// The value called `name`; ConfigError with all names otherwise.
template <typename Table>
auto by_name(
    const Table& table,
    const std::string& name,
    const char* key,
    const std::string& origin) {
  std::string known;
  for (const auto& [candidate, value] : table) {
    if (candidate == name) {
      return value;
    }
    known += concat(known.empty() ? "" : ", ", candidate);
  }
  throw ConfigError(error_message(
      kWhere,
      concat(
          "'",
          key,
          "' in ",
          origin,
          " is '",
          name,
          "', expected one of ",
          known)));
}

/// The first name of `value`, which is the one transformers writes.
template <typename Table, typename Value>
std::string name_of(const Table& table, Value value) {
  for (const auto& [name, candidate] : table) {
    if (candidate == value) {
      return std::string(name);
    }
  }
  throw InternalError(error_message(kWhere, "an enumerator without a name"));
}

/// Reads typed members of one JSON object; absent ones keep their default.
struct Reader {
  const Json& object;
  const std::string& origin;

  const Json* find(const char* key) const {
    const auto it = object.find(key);
    return it == object.end() ? nullptr : &*it;
  }

  [[noreturn]] void
  reject(const char* key, const Json& value, const char* expected) const {
    throw ConfigError(error_message(
        kWhere,
        concat(
            "'",
            key,
            "' in ",
            origin,
            " is ",
            value.dump().substr(0, 80),
            ", expected ",
            expected)));
  }

  void read(const char* key, std::int64_t& field) const {
    const Json* value = find(key);
    if (value == nullptr) {
      return;
    }
    if (!value->is_number_integer() ||
        (value->is_number_unsigned() &&
         value->get<std::uint64_t>() > static_cast<std::uint64_t>(kMaxSize))) {
      reject(key, *value, "an integer up to 2^30");
    }
    field = value->get<std::int64_t>();
  }

  void read(const char* key, double& field) const {
    const Json* value = find(key);
    if (value == nullptr) {
      return;
    }
    if (!value->is_number()) {
      reject(key, *value, "a number");
    }
    field = value->get<double>();
  }

  template <typename T>
  void read(const char* key, std::optional<T>& field) const {
    const Json* value = find(key);
    if (value == nullptr) {
      return;
    }
    if (value->is_null()) {
      field.reset();
      return;
    }
    T present{};
    read(key, present);
    field = present;
  }

  /// The text under `key`; empty when absent or null.
  std::string text(const char* key) const {
    const Json* value = find(key);
    if (value == nullptr || value->is_null()) {
      return {};
    }
    if (!value->is_string()) {
      reject(key, *value, "a string");
    }
    return value->get<std::string>();
  }

  /// Rejects anything but absence, null, false and `allowed`.
  void require_off(const char* key, std::string_view allowed = {}) const {
    const Json* value = find(key);
    if (value == nullptr || value->is_null() || *value == false ||
        (value->is_string() && value->get<std::string>() == allowed)) {
      return;
    }
    reject(
        key,
        *value,
        allowed.empty() ? "false; decoders are not supported"
                        : "\"absolute\"; others are not supported");
  }
};

void read_labels(const Reader& reader, BertConfig& config) {
  reader.read("num_labels", config.num_labels);
  const Json* labels = reader.find("id2label");
  if (labels == nullptr || labels->is_null()) {
    return;
  }
  if (!labels->is_object()) {
    reader.reject("id2label", *labels, "an object from index to name");
  }
  config.num_labels = static_cast<std::int64_t>(labels->size());
}

Json default_labels(std::int64_t num_labels) {
  Json labels = Json::object();
  for (std::int64_t i = 0; i < num_labels; ++i) {
    labels[std::to_string(i)] = concat("LABEL_", i);
  }
  return labels;
}

/// Keeps the label names of the source while their number still fits.
void write_labels(Json& object, std::int64_t num_labels) {
  const auto it = object.find("id2label");
  if (it == object.end() || !it->is_object() ||
      it->size() != static_cast<std::size_t>(num_labels)) {
    object["id2label"] = default_labels(num_labels);
  }
  Json inverse = Json::object();
  for (const auto& [index, label] : object["id2label"].items()) {
    if (label.is_string()) {
      inverse[label.get<std::string>()] = std::atoll(index.c_str());
    }
  }
  object["label2id"] = std::move(inverse);
  object.erase("num_labels");
}

struct SizeField {
  const char* name;
  std::int64_t value;
};

void check_sizes(std::initializer_list<SizeField> fields) {
  for (const SizeField& field : fields) {
    ACCELERATE_CHECK(
        field.value >= 1 && field.value <= kMaxSize,
        ConfigError,
        kWhere,
        "'",
        field.name,
        "' is ",
        field.value,
        ", expected 1 to 2^30");
  }
}

void check_probability(const char* name, double value) {
  // Written so that NaN fails.
  ACCELERATE_CHECK(
      value >= 0 && value < 1,
      ConfigError,
      kWhere,
      "'",
      name,
      "' is ",
      value,
      ", expected a probability of at least 0 and below 1");
}

} // namespace

void BertConfig::validate() const {
  check_sizes(
      {{"vocab_size", vocab_size},
       {"hidden_size", hidden_size},
       {"num_hidden_layers", num_hidden_layers},
       {"num_attention_heads", num_attention_heads},
       {"intermediate_size", intermediate_size},
       {"max_position_embeddings", max_position_embeddings},
       {"type_vocab_size", type_vocab_size},
       {"num_labels", num_labels}});
  ACCELERATE_CHECK(
      hidden_size % num_attention_heads == 0,
      ConfigError,
      kWhere,
      "'hidden_size' is ",
      hidden_size,
      ", expected a multiple of ",
      "'num_attention_heads', which is ",
      num_attention_heads);
  check_probability("hidden_dropout_prob", hidden_dropout_prob);
  check_probability(
      "attention_probs_dropout_prob", attention_probs_dropout_prob);
  check_probability("classifier_dropout", classifier_dropout.value_or(0));
  ACCELERATE_CHECK(
      initializer_range >= 0 && std::isfinite(initializer_range),
      ConfigError,
      kWhere,
      "'initializer_range' is ",
      initializer_range,
      ", expected a finite number of at least 0");
  ACCELERATE_CHECK(
      layer_norm_eps >= 0 && layer_norm_eps < 1,
      ConfigError,
      kWhere,
      "'layer_norm_eps' is ",
      layer_norm_eps,
      ", expected at least 0 and below 1");
  ACCELERATE_CHECK(
      !pad_token_id || (*pad_token_id >= 0 && *pad_token_id < vocab_size),
      ConfigError,
      kWhere,
      "'pad_token_id' is ",
      pad_token_id.value_or(0),
      ", expected null or 0 to vocab_size - 1 = ",
      vocab_size - 1);
}

BertConfig BertConfig::from_json(
    std::string_view text,
    const std::string& origin) {
  const Json object = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  ACCELERATE_CHECK(
      object.is_object(),
      ConfigError,
      kWhere,
      origin,
      " holds no JSON object; was it cut short?");
  const Reader reader{object, origin};
  BertConfig config;
  const std::string model_type = reader.text("model_type");
  ACCELERATE_CHECK(
      model_type.empty() || model_type == "bert",
      ConfigError,
      kWhere,
      "'model_type' in ",
      origin,
      " is '",
      model_type,
      "', expected 'bert'; other families are not supported");
  reader.require_off("is_decoder");
  reader.require_off("add_cross_attention");
  reader.require_off("position_embedding_type", "absolute");
  reader.read("vocab_size", config.vocab_size);
  reader.read("hidden_size", config.hidden_size);
  reader.read("num_hidden_layers", config.num_hidden_layers);
  reader.read("num_attention_heads", config.num_attention_heads);
  reader.read("intermediate_size", config.intermediate_size);
  reader.read("hidden_dropout_prob", config.hidden_dropout_prob);
  reader.read(
      "attention_probs_dropout_prob", config.attention_probs_dropout_prob);
  reader.read("classifier_dropout", config.classifier_dropout);
  reader.read("max_position_embeddings", config.max_position_embeddings);
  reader.read("type_vocab_size", config.type_vocab_size);
  reader.read("initializer_range", config.initializer_range);
  reader.read("layer_norm_eps", config.layer_norm_eps);
  reader.read("pad_token_id", config.pad_token_id);
  read_labels(reader, config);
  if (const std::string name = reader.text("hidden_act"); !name.empty()) {
    config.hidden_act = by_name(kActivations, name, "hidden_act", origin);
  }
  if (const std::string name = reader.text("problem_type"); !name.empty()) {
    config.problem_type = by_name(kProblemTypes, name, "problem_type", origin);
  }
  config.source_json = object.dump();
  config.validate();
  return config;
}

BertConfig BertConfig::from_folder(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "config.json";
  std::error_code error;
  const std::uintmax_t bytes = std::filesystem::file_size(path, error);
  ACCELERATE_CHECK(
      !error,
      ConfigError,
      kWhere,
      "cannot read '",
      path.string(),
      "': ",
      describe_errno(error.value()),
      "; a model folder needs a config.json");
  ACCELERATE_CHECK(
      bytes <= kMaxConfigBytes,
      ConfigError,
      kWhere,
      "'",
      path.string(),
      "' has ",
      bytes,
      " bytes, expected at most ",
      kMaxConfigBytes);
  std::ifstream file(path, std::ios::binary);
  const std::string text(
      (std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  ACCELERATE_CHECK(
      file.good() || file.eof(),
      ConfigError,
      kWhere,
      "cannot read '",
      path.string(),
      "'");
  return from_json(text, concat("'", path.string(), "'"));
}

std::string BertConfig::to_json(std::string_view architecture) const {
  Json object = Json::parse(source_json);
  object["model_type"] = "bert";
  object["architectures"] = Json::array({std::string(architecture)});
  object["vocab_size"] = vocab_size;
  object["hidden_size"] = hidden_size;
  object["num_hidden_layers"] = num_hidden_layers;
  object["num_attention_heads"] = num_attention_heads;
  object["intermediate_size"] = intermediate_size;
  object["hidden_act"] = name_of(kActivations, hidden_act);
  object["hidden_dropout_prob"] = hidden_dropout_prob;
  object["attention_probs_dropout_prob"] = attention_probs_dropout_prob;
  object["classifier_dropout"] =
      classifier_dropout ? Json(*classifier_dropout) : Json(nullptr);
  object["max_position_embeddings"] = max_position_embeddings;
  object["type_vocab_size"] = type_vocab_size;
  object["initializer_range"] = initializer_range;
  object["layer_norm_eps"] = layer_norm_eps;
  object["pad_token_id"] = pad_token_id ? Json(*pad_token_id) : Json(nullptr);
  object["problem_type"] = problem_type == ProblemType::kAuto
      ? Json(nullptr)
      : Json(name_of(kProblemTypes, problem_type));
  object.erase("_name_or_path");
  write_labels(object, num_labels);
  return object.dump(2) + "\n";
}

} // namespace accelerate
