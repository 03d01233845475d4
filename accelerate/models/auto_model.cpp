// accelerate/models/auto_model.cpp
#include "accelerate/models/auto_model.h"

#include "accelerate/error.h"
#include "accelerate/log.h"
#include "accelerate/models/bert.h"
#include "accelerate/models/pretrained_weights.h"
#include "accelerate/nested/named_tensor.h"
#include "accelerate/text/pretrained_folder.h"

#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <vector>

namespace accelerate {
namespace {

std::optional<at::Generator> generator_of(std::optional<std::uint64_t> seed) {
  if (!seed) {
    return std::nullopt;
  }
  return at::detail::createCPUGenerator(*seed);
}

std::vector<NamedTensor> named_parameters(const torch::nn::Module& module) {
  std::vector<NamedTensor> result;
  for (const auto& item : module.named_parameters()) {
    result.push_back({item.key(), item.value()});
  }
  return result;
}

BertConfig with_options(BertConfig config, const PretrainedModelOptions& o) {
  config.num_labels = o.num_labels.value_or(config.num_labels);
  config.problem_type = o.problem_type.value_or(config.problem_type);
  config.hidden_dropout_prob =
      o.hidden_dropout_prob.value_or(config.hidden_dropout_prob);
  config.attention_probs_dropout_prob = o.attention_probs_dropout_prob.value_or(
      config.attention_probs_dropout_prob);
  if (o.classifier_dropout) {
    config.classifier_dropout = o.classifier_dropout;
  }
  config.validate();
  return config;
}

std::filesystem::path folder_of(
    const std::string& name,
    const PretrainedModelOptions& options) {
  return resolve_pretrained(name, {.revision = options.revision});
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    text += concat(text.empty() ? "" : ", ", name);
  }
  return text;
}

/// Tells what was not taken from the checkpoint as it stood.
void log_report(
    const models::LoadReport& report,
    const std::filesystem::path& folder) {
  if (!report.missing.empty() || !report.mismatched.empty()) {
    std::vector<std::string> fresh = report.missing;
    fresh.insert(
        fresh.end(), report.mismatched.begin(), report.mismatched.end());
    log_main(
        LogLevel::kInfo,
        "models",
        concat(
            "newly initialised, not in '",
            folder.string(),
            "': ",
            joined(fresh),
            "; train the model before you use it"));
  }
  if (!report.unexpected.empty()) {
    log_main(
        LogLevel::kInfo,
        "models",
        concat(
            "left out, not in this model, from '",
            folder.string(),
            "': ",
            joined(report.unexpected)));
  }
}

void initialize(
    const std::vector<NamedTensor>& parameters,
    const BertConfig& config,
    std::optional<std::uint64_t> seed) {
  const std::optional<at::Generator> generator = generator_of(seed);
  for (const NamedTensor& parameter : parameters) {
    models::initialize_parameter(parameter, config, generator);
  }
}

/// The parameters whose names are in the report's lists, in model order.
std::vector<NamedTensor> not_loaded(
    const std::vector<NamedTensor>& parameters,
    const models::LoadReport& report) {
  std::vector<NamedTensor> result;
  for (const NamedTensor& parameter : parameters) {
    for (const auto* names : {&report.missing, &report.mismatched}) {
      if (std::find(names->begin(), names->end(), parameter.name) !=
          names->end()) {
        result.push_back(parameter);
      }
    }
  }
  return result;
}

/// Base is what the holder holds: the class that all families share.
template <typename Model, typename Base>
std::shared_ptr<Base> load_model(
    const std::string& name,
    const PretrainedModelOptions& options) {
  const std::filesystem::path folder = folder_of(name, options);
  const auto model = std::make_shared<Model>(
      with_options(BertConfig::from_folder(folder), options));
  const std::vector<NamedTensor> parameters = named_parameters(*model);
  const models::LoadReport report = models::load_weights(
      folder,
      parameters,
      options.ignore_mismatched_sizes ? models::OtherShapes::kReport
                                      : models::OtherShapes::kReject);
  initialize(not_loaded(parameters, report), model->config(), options.seed);
  log_report(report, folder);
  model->eval();
  if (options.gradient_checkpointing) {
    model->gradient_checkpointing_enable();
  }
  return model;
}

template <typename Model, typename Base>
std::shared_ptr<Base> random_model(
    const BertConfig& config,
    const RandomModelOptions& options) {
  config.validate();
  const auto model = std::make_shared<Model>(config);
  initialize(named_parameters(*model), config, options.seed);
  return model;
}

} // namespace

BertConfig AutoConfig::from_pretrained(
    const std::string& name_or_folder,
    const PretrainedModelOptions& options) {
  return with_options(
      BertConfig::from_folder(folder_of(name_or_folder, options)), options);
}

EncoderModel AutoModel::from_pretrained(
    const std::string& name_or_folder,
    const PretrainedModelOptions& options) {
  return EncoderModel(
      load_model<BertModelImpl, EncoderModelImpl>(name_or_folder, options));
}

EncoderModel AutoModel::from_config(
    const BertConfig& config,
    const RandomModelOptions& options) {
  return EncoderModel(
      random_model<BertModelImpl, EncoderModelImpl>(config, options));
}

SequenceClassifier AutoModelForSequenceClassification::from_pretrained(
    const std::string& name_or_folder,
    const PretrainedModelOptions& options) {
  return SequenceClassifier(
      load_model<BertForSequenceClassificationImpl, SequenceClassifierImpl>(
          name_or_folder, options));
}

SequenceClassifier AutoModelForSequenceClassification::from_config(
    const BertConfig& config,
    const RandomModelOptions& options) {
  return SequenceClassifier(
      random_model<BertForSequenceClassificationImpl, SequenceClassifierImpl>(
          config, options));
}

} // namespace accelerate
