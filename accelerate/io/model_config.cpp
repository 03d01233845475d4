// accelerate/io/model_config.cpp: what config.json says about the shape of a
// model.
#include "accelerate/io/model_config.h"

#include "accelerate/error.h"
#include "accelerate/io/mapped_file.h"
#include "accelerate/io/strict_json_impl.h"

#include <initializer_list>
#include <limits>
#include <stdexcept>

namespace accelerate::io {
namespace {

using nlohmann::json;

constexpr const char* kWhere = "io.model_config";
constexpr std::size_t kMaxBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxDepth = 32;

template <typename... Parts>
void require(
    bool condition,
    const std::filesystem::path& path,
    const Parts&... parts) {
  ACCELERATE_CHECK(
      condition, CheckpointError, kWhere, "'", path.string(), "': ", parts...);
}

json parse(const std::filesystem::path& path) {
  const MappedFile file(path);
  require(
      file.bytes().size() <= kMaxBytes,
      path,
      "has ",
      file.bytes().size(),
      " bytes, the limit is ",
      kMaxBytes);
  try {
    json root = parse_strict_json(file.bytes(), kMaxDepth);
    require(root.is_object(), path, "expected a JSON object");
    return root;
  } catch (const std::runtime_error& e) {
    require(false, path, "not valid: ", e.what());
    throw;
  }
}

/// The first of the names that is there; 0 when none is, or it is null.
std::int64_t number_of(
    const json& root,
    const std::filesystem::path& path,
    std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const auto found = root.find(name);
    if (found == root.end() || found->is_null()) {
      continue;
    }
    require(
        found->is_number_unsigned() &&
            found->get<std::uint64_t>() <=
                std::numeric_limits<std::int32_t>::max(),
        path,
        "'",
        name,
        "' is ",
        found->dump(-1, ' ', true, json::error_handler_t::replace),
        ", expected an integer from 0 to 2^31 - 1");
    return found->get<std::int64_t>();
  }
  return 0;
}

} // namespace

ModelConfig read_model_config(const std::filesystem::path& path) {
  const json root = parse(path);
  ModelConfig config;
  const auto type = root.find("model_type");
  if (type != root.end() && type->is_string()) {
    config.model_type = type->get<std::string>();
  }
  const auto number = [&](std::initializer_list<const char*> names) {
    return number_of(root, path, names);
  };
  config.hidden_size = number({"hidden_size", "n_embd", "dim"});
  config.num_layers = number({"num_hidden_layers", "n_layer", "n_layers"});
  config.num_attention_heads =
      number({"num_attention_heads", "n_head", "n_heads"});
  config.intermediate_size =
      number({"intermediate_size", "n_inner", "hidden_dim"});
  config.max_position_embeddings =
      number({"max_position_embeddings", "n_positions"});
  return config;
}

} // namespace accelerate::io
