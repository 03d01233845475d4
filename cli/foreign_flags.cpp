// cli/foreign_flags.cpp: what torchrun, mpirun and others call our flags.
#include "cli/foreign_flags.h"

#include <algorithm>
#include <utility>

#include "accelerate/error.h"

namespace accelerate::cli {
namespace {

constexpr std::pair<std::string_view, std::string_view> kOtherLaunchers[] = {
    {"n", "--num_processes"},
    {"nnodes", "--num_machines"},
    {"np", "--num_processes"},
    {"nproc", "--num_processes"},
    {"nproc_per_node", "--num_processes"},
    {"nprocs", "--num_processes"},
    {"num_gpus", "--num_processes"},
    {"num_procs", "--num_processes"},
    {"num_workers", "--num_processes"},
    {"world_size", "--num_processes"},
};

} // namespace

std::string explain_foreign_flag(std::string_view flag) {
  std::string name(
      flag.substr(std::min(flag.size(), flag.find_first_not_of('-'))));
  std::replace(name.begin(), name.end(), '-', '_');
  for (const auto& [foreign, own] : kOtherLaunchers) {
    if (name == foreign) {
      return concat("unknown flag '", flag, "'; did you mean '", own, "'?");
    }
  }
  return "";
}

} // namespace accelerate::cli
