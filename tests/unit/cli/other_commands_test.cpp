// tests/unit/cli/other_commands_test.cpp: env, estimate-memory, merge-weights:
// their flags, output and exit codes, run as programs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>

#include "accelerate/io/safetensors_layout.h"
#include "accelerate/launch/exit_code.h"
#include "cli/text_table.h"
#include "tests/support/started_program.h"

namespace accelerate::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

struct Outcome {
  int code;
  std::string out;
  std::string err;
};

Outcome run(
    const std::vector<std::string>& args,
    const std::map<std::string, std::string>& env = {}) {
  test::StartedProgram program(
      {.program = ACCELERATE_CLI, .args = args, .env = env});
  const int code = program.wait_code(std::chrono::seconds{60});
  return {code, program.out(), program.err()};
}

/// A model of one block, 10 + 24 + 24 bytes.
void write_model(const fs::path& folder) {
  fs::create_directories(folder);
  io::SafetensorsLayout layout;
  layout.names = {"layer.0.w", "layer.1.w", "norm.w"};
  layout.tensors["layer.0.w"] = {io::TensorDtype::kF32, {3, 2}, 0, 24};
  layout.tensors["layer.1.w"] = {io::TensorDtype::kF32, {6}, 24, 48};
  layout.tensors["norm.w"] = {io::TensorDtype::kBF16, {5}, 48, 58};
  std::ofstream(folder / "model.safetensors", std::ios::binary)
      << io::render_safetensors_layout(layout) << std::string(58, 'x');
  std::ofstream(folder / "config.json")
      << R"({"model_type":"x","hidden_size":4,"num_hidden_layers":1,
             "num_attention_heads":2,"max_position_embeddings":8})";
}

TEST(EnvCommand, PrintsTheSameInTextAndJson) {
  const test::TempDir home;
  const auto without = run({"env"}, {{"HF_HOME", home.path()}});
  EXPECT_EQ(without.code, kExitSuccess) << without.err;
  EXPECT_THAT(
      without.out,
      AllOf(
          HasSubstr("- accelerate: "),
          HasSubstr("- Processor: "),
          HasSubstr("- Configuration: not found (")));
  fs::create_directories(home / "accelerate");
  const fs::path file = home / "accelerate/default_config.yaml";
  std::ofstream(file) << "num_processes: 3\n";
  const auto text = run({"env"}, {{"HF_HOME", home.path()}});
  EXPECT_THAT(text.out, HasSubstr(file.string() + "\n    num_processes: 3\n"));
  const auto parsed =
      json::parse(run({"env", "--json"}, {{"HF_HOME", home.path()}}).out);
  EXPECT_EQ(parsed["config"]["path"], file.string());
  EXPECT_EQ(parsed["config"]["text"], "num_processes: 3\n");
  EXPECT_GT(parsed["machine"]["memory_bytes"], 1 << 20);
  std::vector<std::string> keys;
  for (const auto& [key, value] : parsed.items()) {
    keys.push_back(key);
  }
  EXPECT_THAT(
      keys,
      testing::ElementsAre(
          "accelerate",
          "config",
          "machine",
          "program",
          "python",
          "torch",
          "torch_dir"));
}

TEST(EnvCommand, RefusesAConfigurationThatIsNotThere) {
  const auto missing = run({"env", "--config-file", "/missing.yaml"});
  EXPECT_EQ(missing.code, kExitUsage);
  EXPECT_THAT(missing.err, HasSubstr("'/missing.yaml' cannot be read"));
}

TEST(EstimateCommand, PrintsTables) {
  const test::TempDir dir;
  write_model(dir / "m");
  const auto plain = run({"estimate-memory", dir / "m"});
  EXPECT_EQ(plain.code, kExitSuccess) << plain.err;
  EXPECT_THAT(
      plain.out,
      HasSubstr(
          ": 17 parameters in 3 tensors; largest layer: layer.0 and 1 others\n"
          "\n"
          "          Largest layer  Total size  Training with Adam\n"
          "float32        24 bytes    68 bytes           272 bytes\n"
          "float16        12 bytes    34 bytes           136 bytes\n"
          "bfloat16       12 bytes    34 bytes           136 bytes\n"
          "int8            6 bytes    17 bytes                 N/A\n"
          "int4            3 bytes     8 bytes                 N/A\n"));
  const auto full = run(
      {"estimate-memory",
       dir / "m",
       "--num-processes",
       "2",
       "--batch_size",
       "3",
       "--dtypes",
       "float32",
       "int8"});
  EXPECT_THAT(
      full.out,
      AllOf(
          HasSubstr("ZeRO stage 3   136 bytes\n"),
          HasSubstr("batch of 3 x 8 tokens on a rank"),
          testing::Not(HasSubstr("float16"))));
}

TEST(EstimateCommand, PrintsJsonForAModelOfTheCache) {
  const test::TempDir dir;
  write_model(dir / "hub/models--org--net/snapshots/1234");
  const auto outcome =
      run({"estimate-memory",
           "org/net",
           "--json",
           "--num_processes",
           "4",
           "--batch_size",
           "1",
           "--sequence_length",
           "2"},
          {{"HF_HOME", dir.path()}, {"HF_HUB_CACHE", ""}});
  ASSERT_EQ(outcome.code, kExitSuccess) << outcome.err;
  const auto parsed = json::parse(outcome.out);
  EXPECT_EQ(parsed["dtypes"]["float32"]["total"], 68);
  EXPECT_EQ(parsed["dtypes"]["float32"]["per_rank"]["zero_1"]["optimizer"], 34);
  // s b e (8 h + 2 i), i = 4 h
  EXPECT_EQ(
      parsed["dtypes"]["float32"]["activations"]["fused"],
      2 * 4 * (8 * 4 + 2 * 16));
  EXPECT_EQ(parsed["dtypes"]["int8"]["training_with_adam"], nullptr);
  EXPECT_FALSE(parsed["dtypes"]["int8"].contains("per_rank"));
}

TEST(EstimateCommand, SaysWhatIsWrong) {
  const test::TempDir dir;
  const auto err = [&](std::vector<std::string> args) {
    args.insert(args.begin(), "estimate-memory");
    const auto outcome = run(args, {{"HF_HOME", dir.path()}});
    EXPECT_EQ(outcome.out, "");
    return std::to_string(outcome.code) + ' ' + outcome.err;
  };
  EXPECT_THAT(err({}), AllOf(StartsWith("2 "), HasSubstr("MODEL is required")));
  EXPECT_THAT(
      err({"org/net"}), AllOf(StartsWith("2 "), HasSubstr("models--org--net")));
  EXPECT_THAT(
      err({"m", "--dtypes", "float8"}),
      AllOf(StartsWith("2 "), HasSubstr("--dtypes float8: expected float32")));
  EXPECT_THAT(
      err({"m", "--batch_size", "0"}), HasSubstr("--batch_size 0: expected"));
  EXPECT_THAT(err({"m", "more"}), HasSubstr("'more' is one word too many"));
  EXPECT_THAT(err({"m", "--jsn"}), HasSubstr("did you mean '--json'?"));
  EXPECT_THAT(
      err({dir.path()}), AllOf(StartsWith("1 "), HasSubstr("has neither")));
  write_model(dir / "m");
  fs::remove(dir / "m/config.json");
  EXPECT_THAT(
      err({dir / "m", "--batch_size", "1"}),
      AllOf(StartsWith("2 "), HasSubstr("--sequence_length")));
  EXPECT_THAT(
      err({dir / "m", "--sequence_length", "1"}), HasSubstr("config.json"));
}

TEST(MergeCommand, MergesAndSaysWhatItDid) {
  const test::TempDir dir;
  write_model(dir / "m");
  const auto shards = run(
      {"merge-weights", "--max_shard_size", "30B", dir / "m", dir / "shards"});
  EXPECT_EQ(shards.code, kExitSuccess) << shards.err;
  EXPECT_EQ(
      shards.out,
      "3 tensors, 58 bytes, in " + (dir / "shards").string() +
          ": model-00001-of-00003.safetensors and 3 more files\n");
  const auto back = run(
      {"merge-weights",
       dir / "shards",
       dir / "back",
       "--remove-checkpoint-dir"});
  EXPECT_EQ(back.code, kExitSuccess) << back.err;
  EXPECT_THAT(back.out, HasSubstr(": model.safetensors; removed "));
  EXPECT_FALSE(fs::exists(dir / "shards"));
  EXPECT_TRUE(fs::exists(dir / "back/model.safetensors"));
}

TEST(MergeCommand, RefusesWithTheReason) {
  const auto err = [](std::vector<std::string> args) {
    args.insert(args.begin(), "merge-weights");
    const auto outcome = run(args);
    EXPECT_EQ(outcome.code, kExitUsage);
    return outcome.err;
  };
  EXPECT_THAT(
      err({"--unsafe_serialization", "a", "b"}), HasSubstr("pickled .bin"));
  EXPECT_THAT(err({"a"}), HasSubstr("OUTPUT is required"));
  EXPECT_THAT(
      err({"a", "b"}),
      AllOf(
          StartsWith("accelerate merge-weights: "),
          HasSubstr("'a' does not exist")));
  EXPECT_THAT(
      err({"a", "b", "--max_shard_size", "1.5GB"}), HasSubstr("is no size"));
}

TEST(TestCommand, LaunchesTheProgramBesideItself) {
  const test::TempDir dir;
  fs::copy_file(ACCELERATE_CLI, dir / "accelerate");
  const std::map<std::string, std::string> env{{"HF_HOME", dir.path()}};
  const auto test = [&] {
    test::StartedProgram program(
        {.program = dir / "accelerate", .args = {"test"}, .env = env});
    const int code = program.wait_code(std::chrono::seconds{60});
    return Outcome{code, program.out(), program.err()};
  };
  const auto missing = test();
  EXPECT_EQ(missing.code, kExitUsage);
  EXPECT_THAT(missing.err, HasSubstr("accelerate-self-test' is not installed"));
  const fs::path self_test = dir / "accelerate-self-test";
  std::ofstream(self_test) << "#!/bin/sh\necho world $WORLD_SIZE\nexit 1\n";
  fs::permissions(self_test, fs::perms::owner_all);
  const auto failed = test();
  EXPECT_EQ(failed.code, 1);
  EXPECT_EQ(failed.out, "world 1\n");
}

TEST(ToFsdp2Command, WritesWhereItMay) {
  const test::TempDir dir;
  const std::string old = dir / "old.yaml";
  std::ofstream(old) << "distributed_type: FSDP\nfsdp_config:\n"
                        "  fsdp_sharding_strategy: SHARD_GRAD_OP\n"
                        "  fsdp_use_orig_params: true\n";
  const auto convert = [&](std::vector<std::string> args) {
    args.insert(args.begin(), {"to-fsdp2", "--config-file", old});
    return run(args);
  };
  EXPECT_THAT(convert({}).err, HasSubstr("no --output_file"));
  EXPECT_THAT(convert({"--output_file", old}).err, HasSubstr("exists; give"));
  const auto done = convert({"--output_file", dir / "new.yaml"});
  EXPECT_EQ(done.code, kExitSuccess);
  EXPECT_THAT(done.err, HasSubstr(":4: 'fsdp_use_orig_params' has no"));
  const std::string text = test::read_text(dir / "new.yaml");
  EXPECT_THAT(
      text,
      AllOf(
          HasSubstr("fsdp_reshard_after_forward: \"false\"\n"),
          HasSubstr("fsdp_version: 2\n"),
          testing::Not(HasSubstr("orig_params"))));
  EXPECT_EQ(convert({"--overwrite"}).code, kExitSuccess);
  EXPECT_EQ(test::read_text(old), text);
}

TEST(OtherCommands, FailWhenNobodyReadsTheirOutput) {
  test::StartedProgram shell(
      {.program = "sh",
       .args = {"-c", "exec \"$0\" env >/dev/full", ACCELERATE_CLI}});
  EXPECT_EQ(shell.wait_code(), kExitFailure);
  EXPECT_THAT(shell.err(), HasSubstr("standard output: errno 28"));
}

TEST(TextTable, AlignsRaggedRows) {
  TextTable table{{"", "long name"}};
  table.add({"row", "1"});
  table.add({"other", "", "x"});
  EXPECT_EQ(
      table.render(),
      "       long name\n"
      "row            1\n"
      "other             x\n");
  EXPECT_EQ(TextTable().render(), "");
}

} // namespace
} // namespace accelerate::cli
