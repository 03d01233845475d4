// tests/unit/cli/foreign_flags_test.cpp: the original's flags by any spelling,
// no others.
#include "cli/foreign_flags.h"
#include "accelerate/error.h"

#include <gtest/gtest.h>

namespace accelerate::cli {
namespace {

TEST(ForeignFlags, SayNothingOfOtherWords) {
  for (const char* flag :
       {"", "-", "--", "--tea", "--cpu", "-x", "--=", "--num_processes"}) {
    EXPECT_EQ(explain_foreign_flag(flag), "") << flag;
  }
}

TEST(ForeignFlags, KnowTheOriginalsByAnySpelling) {
  // First and last of the table and some between: it must be sorted.
  for (const char* flag :
       {"--aws_access_key_id",
        "--zero_stage",
        "--config_file",
        "--config-file",
        "--fsdp_version",
        "--megatron_lm_tp_degree",
        "--parallelism_config_cp_size",
        "--tpu",
        "--tpu_cluster",
        "-t",
        "-q"}) {
    EXPECT_EQ(
        explain_foreign_flag(flag),
        concat("'", flag, "' is not supported yet"));
  }
}

TEST(ForeignFlags, GiveAdviceWhereThereIsSome) {
  EXPECT_EQ(
      explain_foreign_flag("--num-cpu-threads-per-process"),
      "'--num-cpu-threads-per-process' is not supported yet; set "
      "OMP_NUM_THREADS");
  EXPECT_NE(
      explain_foreign_flag("--multi_gpu").find("the GPU of its local rank"),
      std::string::npos);
}

TEST(ForeignFlags, TranslateThoseOfOtherLaunchers) {
  for (const char* flag :
       {"-n", "-np", "--nproc", "--nproc-per-node", "--num_gpus"}) {
    EXPECT_EQ(
        explain_foreign_flag(flag),
        "unknown flag '" + std::string(flag) +
            "'; did you mean '--num_processes'?");
  }
}

} // namespace
} // namespace accelerate::cli
