// accelerate/io/merge_weights.cpp: the weights of a model in other files: many
// into one, or into shards of another size, without loading them.
#include "accelerate/io/merge_weights.h"

#include "accelerate/config/parse_number.h"
#include "accelerate/error.h"
#include "accelerate/io/atomic_file.h"
#include "accelerate/io/mapped_file.h"
#include "accelerate/io/safetensors_layout.h"
#include "accelerate/io/weight_index.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <system_error>
#include <tuple>
#include <utility>

namespace accelerate::io {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWhere = "io.merge";
constexpr const char* kBaseName = "model";
constexpr std::size_t kBufferBytes = std::size_t{4} << 20;

template <typename... Parts>
void require(bool condition, const fs::path& path, const Parts&... parts) {
  ACCELERATE_CHECK(
      condition, CheckpointError, kWhere, "'", path.string(), "': ", parts...);
}

/// One tensor and where it lies.
struct Piece {
  std::string name;
  TensorPlace place;
  std::size_t file = 0; ///< position in Source::files
  std::uint64_t start = 0; ///< first byte, counted from that of the file

  [[nodiscard]] std::uint64_t bytes() const {
    return place.end_byte - place.begin_byte;
  }
};

struct Source {
  std::vector<fs::path> files;
  std::vector<Piece> pieces; // by file, then as they lie in it
  std::map<std::string, std::string> metadata;
};

void add_metadata(
    Source& source,
    const fs::path& path,
    const std::map<std::string, std::string>& metadata) {
  for (const auto& [key, value] : metadata) {
    const auto [known, is_new] = source.metadata.emplace(key, value);
    require(
        is_new || known->second == value,
        path,
        "metadata '",
        key,
        "' is '",
        value,
        "', in the files before it '",
        known->second,
        "'; merged they could have only one");
  }
}

/// @param weight_map null for a checkpoint of one file
void add_file(
    Source& source,
    const fs::path& path,
    const std::map<std::string, std::string>* weight_map) {
  const MappedFile file(path);
  SafetensorsLayout layout =
      parse_safetensors_layout(file.bytes(), file.path());
  add_metadata(source, path, layout.metadata);
  for (const std::string& name : layout.names) {
    if (weight_map != nullptr) {
      const auto listed = weight_map->find(name);
      require(
          listed != weight_map->end(),
          path,
          "tensor '",
          name,
          "' is not in the index, so it would be lost");
      require(
          listed->second == path.filename().string(),
          path,
          "tensor '",
          name,
          "' is in '",
          listed->second,
          "' too, says the index");
    }
    TensorPlace& place = layout.tensors.at(name);
    const std::uint64_t start = layout.data_start + place.begin_byte;
    source.pieces.push_back(
        {name, std::move(place), source.files.size(), start});
  }
  source.files.push_back(path);
}

Source read_source(const fs::path& checkpoint) {
  Source source;
  if (!is_weight_index(checkpoint)) {
    add_file(source, checkpoint, nullptr);
    return source;
  }
  const auto weight_map = read_weight_map(checkpoint);
  for (const fs::path& file : weight_files(checkpoint)) {
    add_file(source, file, &weight_map);
  }
  // Each tensor found is listed, in this file: equal numbers mean equal sets.
  for (const auto& [tensor, file] : weight_map) {
    const bool is_there = source.pieces.size() == weight_map.size() ||
        std::any_of(source.pieces.begin(),
                    source.pieces.end(),
                    [&name = tensor](const Piece& piece) {
                      return piece.name == name;
                    });
    require(
        is_there, checkpoint, "tensor '", tensor, "' is not in '", file, "'");
  }
  return source;
}

/// Copies pieces from the source; keeps the file open that it read last.
class Copier {
 public:
  explicit Copier(const Source& source)
      : source_(source), buffer_(kBufferBytes, '\0') {}

  void copy(const Piece& piece, AtomicFile& target) {
    if (piece.bytes() == 0) {
      return;
    }
    if (!file_ || open_ != piece.file) {
      file_.emplace(source_.files[piece.file]);
      open_ = piece.file;
    }
    for (std::uint64_t done = 0; done < piece.bytes();) {
      const std::size_t count = static_cast<std::size_t>(
          std::min<std::uint64_t>(piece.bytes() - done, buffer_.size()));
      file_->read(buffer_.data(), count, piece.start + done);
      target.write({buffer_.data(), count});
      done += count;
    }
  }

 private:
  const Source& source_;
  std::string buffer_;
  std::optional<MappedFile> file_;
  std::size_t open_ = 0;
};

void write_shard(
    const fs::path& path,
    std::vector<const Piece*> pieces,
    const Source& source,
    Copier& copier) {
  std::sort(pieces.begin(), pieces.end(), [](const Piece* a, const Piece* b) {
    return std::tie(b->place.dtype, a->name) <
        std::tie(a->place.dtype, b->name);
  });
  SafetensorsLayout layout;
  layout.metadata = source.metadata;
  std::uint64_t offset = 0;
  for (const Piece* piece : pieces) {
    TensorPlace place = piece->place;
    place.begin_byte = offset;
    place.end_byte = offset += piece->bytes();
    layout.names.push_back(piece->name);
    layout.tensors.emplace(piece->name, std::move(place));
  }
  AtomicFile file(path);
  file.write(render_safetensors_layout(layout));
  for (const Piece* piece : pieces) {
    copier.copy(*piece, file);
  }
  file.commit();
}

/// As save_safetensors_sharded(): while shards are being replaced there is no
/// index, so that those of two saves are never read as one.
Merged write_all(const Source& source, const MergeOptions& options) {
  std::vector<std::uint64_t> bytes;
  Merged merged;
  for (const Piece& piece : source.pieces) {
    bytes.push_back(piece.bytes());
    merged.bytes += piece.bytes();
  }
  merged.tensors = source.pieces.size();
  const auto shards = plan_shards(bytes, options.max_shard_bytes);
  merged.files = shard_file_names(kBaseName, shards.size());
  const std::string index_name = weight_index_name(kBaseName);
  fs::create_directories(options.output);
  if (shards.size() > 1) {
    fs::remove(options.output / index_name);
  }
  Copier copier(source);
  std::map<std::string, std::string> weight_map;
  for (std::size_t shard = 0; shard < shards.size(); ++shard) {
    std::vector<const Piece*> pieces;
    for (const std::size_t position : shards[shard]) {
      pieces.push_back(&source.pieces[position]);
      weight_map.emplace(pieces.back()->name, merged.files[shard]);
    }
    write_shard(
        options.output / merged.files[shard],
        std::move(pieces),
        source,
        copier);
  }
  if (shards.size() > 1) {
    write_file_atomically(
        options.output / index_name,
        render_weight_index(weight_map, merged.bytes));
  } else {
    fs::remove(options.output / index_name);
  }
  remove_stale_shards(options.output, kBaseName, merged.files);
  if (shards.size() > 1) {
    merged.files.push_back(index_name);
  }
  return merged;
}

void refuse_distributed_checkpoint(const fs::path& folder) {
  const char* const advice =
      " is a checkpoint of torch.distributed.checkpoint, whose tensors are "
      "pickled; this program reads safetensors only: save the model with "
      "Accelerator.save_model, or merge it with the Python library";
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const fs::path path = entry.path();
    const bool is_found = path.filename() == ".metadata" ||
        path.extension() == ".distcp" ||
        fs::exists(path / ".metadata", ignored);
    ACCELERATE_CHECK(
        !is_found,
        ConfigError,
        kWhere,
        "'",
        (path.has_extension() || path.filename() == ".metadata" ? folder : path)
            .string(),
        "'",
        advice);
  }
}

/// Whether `inner` is `outer` or lies in it.
bool lies_in(const fs::path& inner, const fs::path& outer) {
  const fs::path a = fs::weakly_canonical(inner);
  const fs::path b = fs::weakly_canonical(outer);
  return std::mismatch(b.begin(), b.end(), a.begin(), a.end()).first == b.end();
}

/// The folder that holds the source.
fs::path check_places(const MergeOptions& options) {
  ACCELERATE_CHECK(
      options.max_shard_bytes > 0,
      ConfigError,
      kWhere,
      "max_shard_bytes is 0, expected at least 1");
  ACCELERATE_CHECK(
      fs::exists(options.source),
      ConfigError,
      kWhere,
      "'",
      options.source.string(),
      "' does not exist");
  const bool is_folder = fs::is_directory(options.source);
  const fs::path folder =
      is_folder ? options.source : fs::absolute(options.source).parent_path();
  refuse_distributed_checkpoint(folder);
  ACCELERATE_CHECK(
      !fs::exists(options.output) || !fs::equivalent(options.output, folder),
      ConfigError,
      kWhere,
      "the result would replace files of its source '",
      folder.string(),
      "'; name another folder");
  if (options.after == MergedSource::kRemove) {
    ACCELERATE_CHECK(
        is_folder,
        ConfigError,
        kWhere,
        "'",
        options.source.string(),
        "' is a file; only a whole folder can be removed");
    ACCELERATE_CHECK(
        !lies_in(options.output, folder),
        ConfigError,
        kWhere,
        "the result in '",
        options.output.string(),
        "' would be removed with its source '",
        folder.string(),
        "'; name another folder");
  }
  return folder;
}

} // namespace

Merged merge_weights(const MergeOptions& options) {
  try {
    const fs::path folder = check_places(options);
    const Source source = read_source(find_checkpoint(options.source));
    Merged merged = write_all(source, options);
    if (options.after == MergedSource::kRemove) {
      fs::remove_all(folder);
    }
    return merged;
  } catch (const fs::filesystem_error& e) {
    throw CheckpointError(error_message(kWhere, e.what()));
  }
}

std::uint64_t parse_byte_size(const std::string& text) {
  constexpr std::pair<std::string_view, std::uint64_t> kUnits[] = {
      {"", 1},
      {"B", 1},
      {"KB", 1'000},
      {"MB", 1'000'000},
      {"GB", 1'000'000'000},
      {"TB", 1'000'000'000'000},
      {"KIB", std::uint64_t{1} << 10},
      {"MIB", std::uint64_t{1} << 20},
      {"GIB", std::uint64_t{1} << 30},
      {"TIB", std::uint64_t{1} << 40}};
  const std::size_t digits =
      std::min(text.find_first_not_of("0123456789"), text.size());
  std::string unit = text.substr(digits);
  std::transform(unit.begin(), unit.end(), unit.begin(), [](unsigned char c) {
    return static_cast<char>(std::toupper(c));
  });
  const auto number =
      config::parse_number<std::uint64_t>(text.substr(0, digits));
  for (const auto& [name, factor] : kUnits) {
    std::uint64_t bytes = 0;
    if (number && name == unit && *number > 0 &&
        !__builtin_mul_overflow(*number, factor, &bytes) && bytes >> 63 == 0) {
      return bytes;
    }
  }
  throw ConfigError(error_message(
      "io.parse_byte_size",
      concat("'", text, "' is no size, expected such as 5GB, 500MB or 2GiB")));
}

} // namespace accelerate::io
