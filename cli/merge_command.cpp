// cli/merge_command.cpp: `accelerate merge-weights FOLDER OUTPUT`.
#include <memory>

#include "accelerate/error.h"
#include "accelerate/io/merge_weights.h"
#include "accelerate/launch/exit_code.h"
#include "cli/plain_command.h"

namespace accelerate::cli {
namespace {

constexpr CommandText kText{
    "merge-weights",
    "[flags] FOLDER OUTPUT",
    "Put a sharded model into one file, or into other shards\n"
    "\n"
    "Reads model.safetensors.index.json and the files that it names, or\n"
    "model.safetensors, and copies the tensors bit by bit with their "
    "metadata.\n"
    "It needs no memory for the weights. Each file appears when it is "
    "complete.",
    "Folders of torch.distributed.checkpoint (files named *.distcp) hold "
    "pickles\n"
    "and are refused.\n"
    "\n"
    "Exit codes: 0 done; 1 a file cannot be read or written, or is not valid;\n"
    "2 wrong flags or folders.\n"
    "\n"
    "Examples:\n"
    "  accelerate merge-weights checkpoint/ merged/\n"
    "  accelerate merge-weights --max_shard_size 2GB model/ shards/"};

struct Flags {
  std::string source;
  std::string output;
  std::string max_shard_size;
  bool remove = false;
};

int merge(const Flags& flags) {
  io::MergeOptions options{.source = flags.source, .output = flags.output};
  if (!flags.max_shard_size.empty()) {
    options.max_shard_bytes = io::parse_byte_size(flags.max_shard_size);
  }
  if (flags.remove) {
    options.after = io::MergedSource::kRemove;
  }
  const io::Merged merged = io::merge_weights(options);
  const std::size_t files = merged.files.size();
  print_all(concat(
      merged.tensors,
      " tensors, ",
      merged.bytes,
      " bytes, in ",
      flags.output,
      ": ",
      merged.files.front(),
      files > 1 ? concat(" and ", files - 1, " more files") : "",
      flags.remove ? concat("; removed ", flags.source) : "",
      '\n'));
  return kExitSuccess;
}

} // namespace

void add_merge_command(CLI::App& app, Commands& commands) {
  auto flags = std::make_shared<Flags>();
  CLI::App& command = add_plain_command(
      app, commands, kText, [flags] { return merge(*flags); });
  add_argument(
      command,
      "FOLDER",
      flags->source,
      "The sharded model: a folder or a *.index.json");
  add_argument(
      command,
      "OUTPUT",
      flags->output,
      "Folder of the result; made if missing");
  command
      .add_option(
          both_spellings("max_shard_size"),
          flags->max_shard_size,
          "Most bytes of tensors in a file, such as 5GB or 500MiB\n"
          "(default: all in one)")
      ->type_name("SIZE");
  command.add_flag(
      both_spellings("remove_checkpoint_dir"),
      flags->remove,
      "Remove FOLDER when the result is on the disk");
  command
      .add_flag_callback(
          both_spellings("unsafe_serialization"),
          [] {
            throw CLI::ValidationError(
                "--unsafe_serialization: pickled .bin files are not written, "
                "since loading one runs what is in it; leave it out for "
                "safetensors");
          })
      ->group("");
}

} // namespace accelerate::cli
