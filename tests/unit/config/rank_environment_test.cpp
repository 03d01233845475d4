// tests/unit/config/rank_environment_test.cpp: every launcher's variables,
// half-set and contradicting ones first.
#include "accelerate/config/rank_environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "accelerate/error.h"

namespace accelerate {
namespace {

using Variables = std::map<std::string, std::string>;
using testing::HasSubstr;

RankEnvironment read(const Variables& variables) {
  return read_rank_environment(
      [&](const std::string& name) -> std::optional<std::string> {
        const auto found = variables.find(name);
        return found == variables.end() ? std::nullopt
                                        : std::optional(found->second);
      });
}

std::string error_of(const Variables& variables) {
  try {
    (void)read(variables);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

Variables with(Variables base, const Variables& changes) {
  for (const auto& [name, value] : changes) {
    base[name] = value;
  }
  return base;
}

Variables without(Variables base, const std::string& name) {
  base.erase(name);
  return base;
}

const Variables kTorchrun{
    {"RANK", "5"},
    {"WORLD_SIZE", "8"},
    {"LOCAL_RANK", "1"},
    {"LOCAL_WORLD_SIZE", "4"},
    {"GROUP_RANK", "1"},
    {"MASTER_ADDR", "node-a"},
    {"MASTER_PORT", "4567"},
    {"TORCHELASTIC_RUN_ID", "none"}};
const Variables kOurs{
    {"ACCELERATE_LAUNCHER", "0.1.0"},
    {"ACCELERATE_STORE_FD", "7"},
    {"ACCELERATE_STORE_PORT", "40002"},
    {"RANK", "0"},
    {"WORLD_SIZE", "2"},
    {"LOCAL_RANK", "0"},
    {"LOCAL_WORLD_SIZE", "2"},
    {"MASTER_ADDR", "127.0.0.1"},
    {"MASTER_PORT", "40001"}};
const Variables kOpenMpi{
    {"OMPI_COMM_WORLD_RANK", "3"},
    {"OMPI_COMM_WORLD_SIZE", "4"},
    {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
    {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"},
    {"MASTER_ADDR", "10.0.0.1"}};
const Variables kMvapich{
    {"MV2_COMM_WORLD_RANK", "2"},
    {"MV2_COMM_WORLD_SIZE", "3"},
    {"MV2_COMM_WORLD_LOCAL_RANK", "2"},
    {"MV2_COMM_WORLD_LOCAL_SIZE", "3"}};
const Variables kHydra{
    {"PMI_RANK", "1"},
    {"PMI_SIZE", "2"},
    {"MPI_LOCALRANKID", "1"},
    {"MPI_LOCALNRANKS", "2"}};
const Variables kSlurm{
    {"SLURM_JOB_ID", "1234"},
    {"SLURM_STEP_ID", "0"},
    {"SLURM_STEP_NUM_TASKS", "5"},
    {"SLURM_STEP_TASKS_PER_NODE", "2(x2),1"},
    {"SLURM_STEP_NODELIST", "gpu[07-09]"},
    {"SLURM_PROCID", "3"},
    {"SLURM_LOCALID", "1"},
    {"SLURM_NODEID", "1"}};

TEST(RankEnvironment, NamesWhatIsMissingWhenVariablesAreHalfSet) {
  for (const char* name :
       {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"}) {
    const std::string error = error_of(without(kTorchrun, name));
    EXPECT_THAT(error, HasSubstr("half set"));
    EXPECT_THAT(error, HasSubstr(std::string("missing ") + name));
  }
  EXPECT_THAT(
      error_of({{"LOCAL_RANK", "0"}}),
      HasSubstr("got LOCAL_RANK; missing RANK, WORLD_SIZE, LOCAL_WORLD_SIZE"));
  for (const auto& family : {kOpenMpi, kMvapich, kHydra, kSlurm}) {
    for (const auto& [name, value] : family) {
      if (name == "MASTER_ADDR" || name == "SLURM_JOB_ID" ||
          name == "SLURM_STEP_ID" || name == "SLURM_STEP_NUM_TASKS") {
        continue;
      }
      const std::string error = error_of(without(family, name));
      EXPECT_THAT(error, HasSubstr("half set")) << name;
      EXPECT_THAT(error, HasSubstr(name));
    }
  }
}

TEST(RankEnvironment, RejectsWhatIsNoNumber) {
  for (const char* value :
       {"",
        " 1",
        "1 ",
        "-1",
        "+1",
        "0x1",
        "1.0",
        "one",
        "99999999999",
        "16777217"}) {
    for (const char* name :
         {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"}) {
      EXPECT_THAT(error_of(with(kTorchrun, {{name, value}})), HasSubstr(name))
          << name << "='" << value << "'";
    }
  }
  for (const char* value : {"", "0", "65536", "http", "-1"}) {
    EXPECT_THAT(
        error_of(with(kTorchrun, {{"MASTER_PORT", value}})),
        HasSubstr("MASTER_PORT"))
        << value;
    EXPECT_THAT(
        error_of(with(kOurs, {{"ACCELERATE_STORE_PORT", value}})),
        HasSubstr("ACCELERATE_STORE_PORT"))
        << value;
  }
  EXPECT_THAT(
      error_of(with(kTorchrun, {{"MASTER_ADDR", ""}})),
      HasSubstr("MASTER_ADDR is set but empty"));
}

TEST(RankEnvironment, RejectsContradictions) {
  const std::vector<std::pair<Variables, const char*>> rows{
      {with(kTorchrun, {{"RANK", "8"}}), "RANK=8 contradicts WORLD_SIZE=8"},
      {with(kTorchrun, {{"WORLD_SIZE", "0"}}),
       "RANK=5 contradicts WORLD_SIZE=0"},
      {with(kTorchrun, {{"LOCAL_RANK", "4"}}),
       "LOCAL_RANK=4 contradicts LOCAL_WORLD_SIZE=4"},
      {with(kTorchrun, {{"LOCAL_WORLD_SIZE", "9"}}),
       "LOCAL_WORLD_SIZE=9 contradicts WORLD_SIZE=8"},
      {with(kTorchrun, {{"GROUP_RANK", "5"}}), "GROUP_RANK=5 contradicts"},
      {with(kOurs, {{"GROUP_RANK", "1"}}), "GROUP_RANK=1 contradicts"},
      {with(kOurs, {{"RANK", "1"}, {"LOCAL_RANK", "1"}}),
       "ACCELERATE_STORE_FD=7 contradicts RANK=1"},
      {with(kOurs, {{"ACCELERATE_STORE_FD", "1"}}), "ACCELERATE_STORE_FD=1"},
      {without(kOurs, "ACCELERATE_STORE_PORT"),
       "ACCELERATE_STORE_FD=7 is set, but ACCELERATE_STORE_PORT is not"},
      {without(kOurs, "ACCELERATE_LAUNCHER"),
       "ACCELERATE_STORE_PORT is set, but ACCELERATE_LAUNCHER is not"},
      {without(kOurs, "WORLD_SIZE"),
       "ACCELERATE_STORE_PORT is set, but WORLD_SIZE is not"},
      {{{"ACCELERATE_STORE_PORT", "40002"}},
       "ACCELERATE_STORE_PORT is set, but WORLD_SIZE is not"},
      {{{"ACCELERATE_STORE_FD", "7"}},
       "ACCELERATE_STORE_FD is set, but WORLD_SIZE is not"},
      {with(kOpenMpi, {{"OMPI_COMM_WORLD_RANK", "4"}}),
       "OMPI_COMM_WORLD_RANK=4 contradicts OMPI_COMM_WORLD_SIZE=4"},
      {with(kSlurm, {{"SLURM_PROCID", "5"}}), "SLURM_PROCID=5"},
      {with(kSlurm, {{"SLURM_NODEID", "3"}}), "SLURM_NODEID=3"},
      {with(kSlurm, {{"SLURM_LOCALID", "2"}}), "SLURM_LOCALID=2"},
      {with(kSlurm, {{"SLURM_STEP_NUM_TASKS", "6"}}), "SLURM_STEP_NUM_TASKS=6"},
      {with(kSlurm, {{"SLURM_STEP_NODELIST", "gpu[07-08]"}}), "gpu[07-08]"},
      {with(kSlurm, {{"SLURM_STEP_ID", "x"}}), "SLURM_STEP_ID='x'"}};
  for (const auto& [variables, expected] : rows) {
    EXPECT_THAT(error_of(variables), HasSubstr(expected));
  }
}

TEST(RankEnvironment, NeedsTheMainAddressOnSeveralMachines) {
  EXPECT_THAT(
      error_of(without(kTorchrun, "MASTER_ADDR")),
      HasSubstr("4 of 8 ranks are here"));
  EXPECT_THAT(
      error_of(without(kOpenMpi, "MASTER_ADDR")), HasSubstr("MASTER_ADDR"));
}

TEST(RankEnvironment, IsAWorldOfOneWithoutALauncher) {
  for (const Variables& variables :
       {Variables{},
        Variables{{"MASTER_ADDR", "elsewhere"}, {"MASTER_PORT", "1"}},
        // ACCELERATE_LAUNCHER alone says nothing about a rank.
        Variables{{"ACCELERATE_LAUNCHER", "0.1.0"}}}) {
    const RankEnvironment env = read(variables);
    EXPECT_EQ(env.origin, "none");
    EXPECT_EQ(env.world_size, 1);
    EXPECT_EQ(env.global_rank, 0);
    EXPECT_EQ(env.main_address, "127.0.0.1");
    EXPECT_TRUE(env.is_one_machine);
    EXPECT_FALSE(env.store_listen_fd);
  }
}

TEST(RankEnvironment, ReadsTorchrun) {
  RankEnvironment env = read(kTorchrun);
  EXPECT_EQ(env.origin, "torchrun");
  EXPECT_EQ(env.global_rank, 5);
  EXPECT_EQ(env.world_size, 8);
  EXPECT_EQ(env.local_rank, 1);
  EXPECT_EQ(env.local_world_size, 4);
  EXPECT_EQ(env.node_rank, 1);
  EXPECT_EQ(env.main_address, "node-a");
  EXPECT_EQ(env.main_port, 4567);
  EXPECT_FALSE(env.is_one_machine);
  EXPECT_FALSE(env.launcher_holds_store);
  env = read(with(kTorchrun, {{"TORCHELASTIC_USE_AGENT_STORE", "True"}}));
  EXPECT_TRUE(env.launcher_holds_store);
  env = read(with(kTorchrun, {{"TORCHELASTIC_USE_AGENT_STORE", "False"}}));
  EXPECT_FALSE(env.launcher_holds_store);
}

TEST(RankEnvironment, ReadsVariablesSetByHand) {
  const RankEnvironment env =
      read(without(without(kTorchrun, "TORCHELASTIC_RUN_ID"), "GROUP_RANK"));
  EXPECT_EQ(env.origin, "environment");
  EXPECT_EQ(env.node_rank, 1);
}

TEST(RankEnvironment, ReadsOurLauncher) {
  RankEnvironment env = read(kOurs);
  EXPECT_EQ(env.origin, "accelerate");
  EXPECT_EQ(env.store_listen_fd, 7);
  EXPECT_EQ(env.main_port, 40002);
  EXPECT_TRUE(env.is_one_machine);
  const Variables other_rank = without(
      with(kOurs, {{"RANK", "1"}, {"LOCAL_RANK", "1"}}), "ACCELERATE_STORE_FD");
  env = read(other_rank);
  EXPECT_FALSE(env.store_listen_fd);
  EXPECT_EQ(env.main_port, 40002);
  // A job of one rank has no store of the launcher's.
  env = read(without(other_rank, "ACCELERATE_STORE_PORT"));
  EXPECT_EQ(env.main_port, 40001);
}

TEST(RankEnvironment, LetsTheInnermostLauncherDecide) {
  // torchrun started by a rank of ours: its ranks must not adopt our socket.
  const RankEnvironment nested =
      read(with(kOurs, {{"TORCHELASTIC_RUN_ID", "x"}}));
  EXPECT_EQ(nested.origin, "torchrun");
  const std::map<std::string, std::string> run_id{
      {"TORCHELASTIC_RUN_ID", "x"}, {"ACCELERATE_RUN_ID", "x"}};
  EXPECT_EQ(read(with(kOurs, run_id)).origin, "accelerate");
  EXPECT_EQ(
      read(with(with(kOurs, run_id), {{"TORCHELASTIC_RUN_ID", "y"}})).origin,
      "torchrun");
  EXPECT_FALSE(nested.store_listen_fd);
  EXPECT_EQ(nested.main_port, 40001);
  // Our launcher inside an MPI task or a Slurm step.
  EXPECT_EQ(read(with(kOpenMpi, kOurs)).origin, "accelerate");
  EXPECT_EQ(read(with(kSlurm, kOurs)).origin, "accelerate");
}

TEST(RankEnvironment, ReadsMpi) {
  const RankEnvironment open = read(kOpenMpi);
  EXPECT_EQ(open.origin, "openmpi");
  EXPECT_EQ(open.global_rank, 3);
  EXPECT_EQ(open.local_rank, 1);
  EXPECT_EQ(open.node_rank, 1);
  EXPECT_EQ(open.main_address, "10.0.0.1");
  EXPECT_EQ(open.main_port, 29500);
  EXPECT_FALSE(open.is_one_machine);
  const RankEnvironment mvapich = read(kMvapich);
  EXPECT_EQ(mvapich.origin, "mvapich");
  EXPECT_EQ(mvapich.global_rank, 2);
  EXPECT_TRUE(mvapich.is_one_machine);
  const RankEnvironment hydra = read(kHydra);
  EXPECT_EQ(hydra.origin, "hydra");
  EXPECT_EQ(hydra.global_rank, 1);
  EXPECT_EQ(hydra.main_address, "127.0.0.1");
}

TEST(RankEnvironment, ReadsAnSrunStep) {
  const RankEnvironment env = read(kSlurm);
  EXPECT_EQ(env.origin, "slurm");
  EXPECT_EQ(env.global_rank, 3);
  EXPECT_EQ(env.world_size, 5);
  EXPECT_EQ(env.local_rank, 1);
  EXPECT_EQ(env.local_world_size, 2);
  EXPECT_EQ(env.node_rank, 1);
  EXPECT_EQ(env.main_address, "gpu07");
  EXPECT_EQ(env.main_port, 10000 + 1234 * 7 % 20000);
  EXPECT_FALSE(env.is_one_machine);
  EXPECT_EQ(
      read(with(kSlurm, {{"MASTER_PORT", "99"}, {"MASTER_ADDR", "b"}}))
          .main_port,
      99);
  // srun --mpi=pmi2 adds PMI variables without local ones.
  EXPECT_EQ(
      read(with(kSlurm, {{"PMI_RANK", "3"}, {"PMI_SIZE", "5"}})).origin,
      "slurm");
}

TEST(RankEnvironment, TakesNoSlurmShellForARank) {
  const Variables batch = without(kSlurm, "SLURM_STEP_ID");
  const Variables one_task{
      {"SLURM_STEP_ID", "0"},
      {"SLURM_STEP_NUM_TASKS", "1"},
      {"SLURM_NTASKS", "4"}};
  for (const Variables& variables :
       {batch,
        one_task,
        with(kSlurm, {{"SLURM_STEP_ID", "4294967290"}}),
        with(kSlurm, {{"SLURM_STEP_ID", "4294967291"}})}) {
    EXPECT_EQ(read(variables).origin, "none");
  }
}

TEST(RankEnvironment, KeepsASlurmJobOnOneMachineOnLoopback) {
  const RankEnvironment env = read(
      {{"SLURM_STEP_ID", "1"},
       {"SLURM_NTASKS", "3"},
       {"SLURM_TASKS_PER_NODE", "3"},
       {"SLURM_NODELIST", "gpu07"},
       {"SLURM_PROCID", "2"},
       {"SLURM_LOCALID", "2"},
       {"SLURM_NODEID", "0"}});
  EXPECT_TRUE(env.is_one_machine);
  EXPECT_EQ(env.main_address, "127.0.0.1");
}

} // namespace
} // namespace accelerate
