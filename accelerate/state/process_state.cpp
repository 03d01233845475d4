// accelerate/state/process_state.cpp
#include "accelerate/state/process_state.h"

#include "accelerate/config/engine_gaps.h"
#include "accelerate/config/parse_flag.h"
#include "accelerate/error.h"
#include "accelerate/log.h"

#include <ATen/Parallel.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <c10/util/Exception.h>

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

namespace accelerate {
namespace {

constexpr std::string_view kWhere = "state.initialize";
constexpr const char* kThreadsVariable =
    "ACCELERATE_NUM_CPU_THREADS_PER_PROCESS";

bool parse_flag(const std::string& name, const std::string& value) {
  const auto flag = config::parse_flag(value);
  ACCELERATE_CHECK(
      flag,
      ConfigError,
      kWhere,
      name,
      " is '",
      value,
      "', expected true or false");
  return *flag;
}

int parse_threads(const std::string& name, const std::string& value) {
  // OMP_NUM_THREADS may be a list, one number for each nesting level.
  const char* end = value.data() + std::min(value.find(','), value.size());
  int threads = 0;
  const auto [stop, error] = std::from_chars(value.data(), end, threads);
  ACCELERATE_CHECK(
      error == std::errc() && stop == end && threads >= 1,
      ConfigError,
      kWhere,
      name,
      " is '",
      value,
      "', expected a number of threads, at least 1");
  return threads;
}

int detect_threads(
    const ProcessStateOptions& options,
    const EnvironmentLookup& lookup,
    int local_world_size) {
  if (options.num_threads) {
    return *options.num_threads;
  }
  for (const char* name : {kThreadsVariable, "OMP_NUM_THREADS"}) {
    if (const auto value = lookup(name)) {
      return parse_threads(name, *value);
    }
  }
  return std::max(1, usable_physical_cores() / std::max(1, local_world_size));
}

int device_count(c10::DeviceType type) {
  if (type == c10::DeviceType::CPU) {
    return 1;
  }
  if (!c10::impl::hasDeviceGuardImpl(type)) {
    return 0;
  }
  return c10::impl::getDeviceGuardImpl(type)->deviceCount();
}

c10::Device named_device(const std::string& name, int local_rank) {
  const auto parse = [&] {
    try {
      return c10::Device(name);
    } catch (const c10::Error&) {
      std::throw_with_nested(ConfigError(error_message(
          kWhere,
          concat(
              "ACCELERATE_TORCH_DEVICE is '",
              name,
              "', expected a device such as cpu, cuda or cuda:1"))));
    }
  };
  c10::Device device = parse();
  const int count = device_count(device.type());
  if (!device.is_cpu() && !device.has_index() && count > 0) {
    device.set_index(static_cast<c10::DeviceIndex>(local_rank % count));
  }
  ACCELERATE_CHECK(
      count > 0 && device.index() < count,
      ConfigError,
      kWhere,
      "ACCELERATE_TORCH_DEVICE asks for ",
      name,
      ", but this process has ",
      count,
      " devices of that type");
  return device;
}

c10::Device detect_device(
    const ProcessStateOptions& options,
    const EnvironmentLookup& lookup,
    int local_rank) {
  if (const auto name = lookup("ACCELERATE_TORCH_DEVICE");
      name && !name->empty()) {
    return named_device(*name, local_rank);
  }
  const bool cpu = options.cpu ||
      parse_flag("ACCELERATE_USE_CPU",
                 lookup("ACCELERATE_USE_CPU").value_or(""));
  const int count = device_count(c10::DeviceType::CUDA);
  if (cpu || count == 0) {
    return c10::Device(c10::DeviceType::CPU);
  }
  // Two ranks on one GPU are allowed by nobody's backend: NCCL refuses them.
  ACCELERATE_CHECK(
      local_rank < count,
      ConfigError,
      kWhere,
      "local rank ",
      local_rank,
      " has no GPU: this machine has ",
      count,
      "; start fewer ranks, or set ACCELERATE_USE_CPU=true");
  return c10::Device(
      c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(local_rank));
}

/// First number of a file of the kernel; `fallback` when there is none.
long read_number(const std::string& path, long fallback) {
  std::ifstream file(path);
  long value = 0;
  return file >> value ? value : fallback;
}

/// CPUs that the control group may use up, rounded up; a large number without
/// a limit.
int quota_cpus() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  double quota_us = 0;
  double period_us = 0;
  if (file >> quota_us >> period_us && period_us > 0) {
    return std::max(1, static_cast<int>(std::ceil(quota_us / period_us)));
  }
  return CPU_SETSIZE;
}

struct Current {
  std::mutex mutex;
  std::unique_ptr<const ProcessState> state;
};

Current& current_state() {
  static Current current;
  return current;
}

void check_same(const ProcessState& state, const ProcessStateOptions& options) {
  ACCELERATE_CHECK(
      !options.cpu || state.device().is_cpu(),
      ConfigError,
      kWhere,
      "cpu was asked for, but this process already works on ",
      state.device().str(),
      "; ask for it in the first Accelerator, or set ACCELERATE_USE_CPU=true");
  ACCELERATE_CHECK(
      !options.num_threads || *options.num_threads == state.num_threads(),
      ConfigError,
      kWhere,
      options.num_threads.value_or(0),
      " threads were asked for, but this process already works with ",
      state.num_threads());
}

} // namespace

void ProcessStateOptions::validate() const {
  ACCELERATE_CHECK(
      !num_threads || *num_threads >= 1,
      ConfigError,
      kWhere,
      "num_threads is ",
      num_threads.value_or(0),
      ", expected at least 1");
}

int usable_physical_cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) {
    return 1;
  }
  std::set<std::pair<long, long>> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &allowed)) {
      const std::string topology =
          concat("/sys/devices/system/cpu/cpu", cpu, "/topology/");
      // Without topology every CPU counts as a core of its own.
      cores.emplace(
          read_number(topology + "physical_package_id", 0),
          read_number(topology + "core_id", -1 - cpu));
    }
  }
  return std::max(1, std::min(static_cast<int>(cores.size()), quota_cpus()));
}

ProcessState ProcessState::detect(
    const ProcessStateOptions& options,
    const EnvironmentLookup& lookup) {
  options.validate();
  config::check_engine_gaps(lookup);
  ProcessState state;
  state.environment_ = read_rank_environment(lookup);
  state.device_ = detect_device(options, lookup, state.environment_.local_rank);
  state.num_threads_ =
      detect_threads(options, lookup, state.environment_.local_world_size);
  return state;
}

const ProcessState& ProcessState::initialize(
    const ProcessStateOptions& options,
    const EnvironmentLookup& lookup) {
  Current& current = current_state();
  const std::scoped_lock lock(current.mutex);
  if (current.state) {
    check_same(*current.state, options);
    return *current.state;
  }
  ProcessState found = detect(options, lookup);
  if (!options.num_threads && !lookup(kThreadsVariable)) {
    // A program that works with fewer threads already has its reasons.
    found.num_threads_ = std::min(found.num_threads_, at::get_num_threads());
  }
  current.state = std::make_unique<const ProcessState>(std::move(found));
  const ProcessState& state = *current.state;
  set_log_identity(
      {.global_rank = state.global_rank(), .world_size = state.world_size()});
  at::set_num_threads(state.num_threads());
  return state;
}

const ProcessState* ProcessState::current() {
  Current& current = current_state();
  const std::scoped_lock lock(current.mutex);
  return current.state.get();
}

void ProcessState::reset() {
  Current& current = current_state();
  const std::scoped_lock lock(current.mutex);
  current.state.reset();
  set_log_identity({});
}

} // namespace accelerate
