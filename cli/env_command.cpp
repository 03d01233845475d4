// cli/env_command.cpp: `accelerate env`: what to put into a report of a
// problem.
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>

#include <nlohmann/json.hpp>

#include "accelerate/config/config_path.h"
#include "accelerate/error.h"
#include "accelerate/inspect/machine.h"
#include "accelerate/inspect/model_memory.h"
#include "accelerate/inspect/python_environment.h"
#include "accelerate/launch/exit_code.h"
#include "accelerate/launch/program.h"
#include "accelerate/version.h"
#include "cli/plain_command.h"

namespace accelerate::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr CommandText kText{
    "env",
    "[flags]",
    "Print versions, machine and configuration\n"
    "\n"
    "For reports of problems. Nothing is started or loaded: versions of "
    "Python,\n"
    "libtorch and NumPy are read from the files of the environment whose "
    "Python\n"
    "'accelerate launch' would take.",
    "Examples:\n"
    "  accelerate env\n"
    "  accelerate env --json"};

/// A configuration file longer than this is no configuration file.
constexpr std::size_t kMaxConfigBytes = std::size_t{1} << 20;

struct ConfigFile {
  fs::path path;
  std::string text;
};

/// @param asked the file of --config_file, empty for the default one
std::optional<ConfigFile> read_config_file(const std::string& asked) {
  const fs::path path =
      asked.empty() ? config::default_config_path() : fs::path(asked);
  std::ifstream file(path, std::ios::binary);
  if (!file || fs::is_directory(path)) {
    ACCELERATE_CHECK(
        asked.empty(),
        ConfigError,
        "env",
        "--config_file '",
        asked,
        "' cannot be read");
    return std::nullopt;
  }
  std::string text(kMaxConfigBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  ACCELERATE_CHECK(
      text.size() <= kMaxConfigBytes,
      ConfigError,
      "env",
      "'",
      path.string(),
      "' is longer than ",
      kMaxConfigBytes,
      " bytes");
  return ConfigFile{path, std::move(text)};
}

struct Report {
  inspect::Machine machine;
  inspect::PythonEnvironment python;
  fs::path program;
  fs::path libtorch; ///< of $TORCH_DIR, without Python
  std::string libtorch_version;
  std::optional<ConfigFile> config;
};

/// The interpreter that `accelerate launch script.py` takes; empty for none.
fs::path launched_python(const fs::path& program) {
  LaunchOptions options;
  options.kind = ProgramKind::kPythonModule;
  options.program = "accelerate";
  options.python_folder = program.parent_path();
  try {
    return launch::resolve_command(options).path;
  } catch (const ConfigError&) {
    return {};
  }
}

Report find_all(const std::string& config_file) {
  Report report;
  std::error_code error;
  report.config = read_config_file(config_file);
  report.program = fs::read_symlink("/proc/self/exe", error);
  report.machine = inspect::read_machine();
  report.python = inspect::inspect_python(launched_python(report.program));
  report.libtorch = process_environment()("TORCH_DIR").value_or("");
  if (!report.libtorch.empty()) {
    report.libtorch_version = inspect::libtorch_version(report.libtorch);
  }
  return report;
}

std::string or_not_found(const std::string& text) {
  return text.empty() ? "not found" : text;
}

std::string torch_line(const inspect::PythonEnvironment& python) {
  if (python.torch.empty()) {
    return "not found";
  }
  return concat(
      or_not_found(python.torch_version),
      python.torch_cuda.empty() ? "" : ", for CUDA " + python.torch_cuda,
      " (",
      python.torch.string(),
      ')');
}

std::string features_line(const inspect::Machine& machine) {
  std::string there;
  std::string missing;
  for (const auto& [name, is_there] : machine.features) {
    std::string& list = is_there ? there : missing;
    list += (list.empty() ? "" : ", ") + name;
  }
  return (there.empty() ? "none" : there) +
      (missing.empty() ? "" : "; without " + missing);
}

std::string memory_line(const inspect::Machine& machine) {
  return concat(
      inspect::format_bytes(machine.memory_bytes),
      ", available ",
      inspect::format_bytes(machine.memory_available_bytes),
      machine.memory_limit_bytes ? ", limit of the control group " +
              inspect::format_bytes(*machine.memory_limit_bytes)
                                 : "");
}

std::string gpus_line(const inspect::Machine& machine) {
  if (machine.gpus.empty()) {
    return "none";
  }
  std::string text = concat(machine.gpus.size(), " (");
  for (std::size_t gpu = 0; gpu < machine.gpus.size(); ++gpu) {
    text += (gpu == 0 ? "" : ", ") + machine.gpus[gpu];
  }
  return text + ')' +
      (machine.gpu_driver.empty() ? "" : ", driver " + machine.gpu_driver);
}

std::string config_lines(const Report& report) {
  if (!report.config) {
    return "- Configuration: not found (" +
        config::default_config_path().string() + ")\n";
  }
  std::string text = "- Configuration: " + report.config->path.string() + '\n';
  std::istringstream lines(report.config->text);
  for (std::string line; std::getline(lines, line);) {
    text += "    " + line + '\n';
  }
  return text;
}

std::string as_text(const Report& report) {
  const inspect::Machine& machine = report.machine;
  const inspect::PythonEnvironment& python = report.python;
  const std::pair<const char*, std::string> kLines[] = {
      {"accelerate", ACCELERATE_VERSION_STRING},
      {"Program", report.program.string()},
      {"Platform", machine.platform},
      {"Python",
       python.interpreter.empty()
           ? "not found"
           : concat(
                 python.version.empty() ? "unknown version" : python.version,
                 " (",
                 python.interpreter.string(),
                 ')')},
      {"PyTorch", torch_line(python)},
      {"NumPy", or_not_found(python.numpy_version)},
      {"TORCH_DIR",
       report.libtorch.empty() ? "not set"
                               : concat(
                                     or_not_found(report.libtorch_version),
                                     " (",
                                     report.libtorch.string(),
                                     ')')},
      {"Processor", or_not_found(machine.processor)},
      {"Instructions", features_line(machine)},
      {"Processors",
       concat(
           machine.processors,
           ", allowed ",
           machine.processors_allowed,
           " on ",
           machine.cores_allowed,
           machine.cores_allowed == 1 ? " core" : " cores")},
      {"Memory", memory_line(machine)},
      {"GPUs", gpus_line(machine)}};
  std::string text;
  for (const auto& [name, value] : kLines) {
    text += concat("- ", name, ": ", value, '\n');
  }
  return text + config_lines(report);
}

ordered_json or_null(const std::string& text) {
  return text.empty() ? ordered_json(nullptr) : ordered_json(text);
}

ordered_json machine_json(const inspect::Machine& machine) {
  ordered_json features;
  for (const auto& [name, is_there] : machine.features) {
    features[name] = is_there;
  }
  ordered_json root;
  root["platform"] = machine.platform;
  root["kernel"] = machine.kernel;
  root["processor"] = or_null(machine.processor);
  root["instructions"] = features;
  root["processors"] = machine.processors;
  root["processors_allowed"] = machine.processors_allowed;
  root["cores_allowed"] = machine.cores_allowed;
  root["memory_bytes"] = machine.memory_bytes;
  root["memory_available_bytes"] = machine.memory_available_bytes;
  root["memory_limit_bytes"] = machine.memory_limit_bytes
      ? ordered_json(*machine.memory_limit_bytes)
      : ordered_json(nullptr);
  root["gpus"] = machine.gpus;
  root["gpu_driver"] = or_null(machine.gpu_driver);
  return root;
}

std::string as_json(const Report& report) {
  const inspect::PythonEnvironment& python = report.python;
  ordered_json root;
  root["accelerate"] = ACCELERATE_VERSION_STRING;
  root["program"] = report.program.string();
  root["python"] = {
      {"interpreter", or_null(python.interpreter.string())},
      {"version", or_null(python.version)},
      {"numpy", or_null(python.numpy_version)}};
  root["torch"] = {
      {"version", or_null(python.torch_version)},
      {"cuda", or_null(python.torch_cuda)},
      {"folder", or_null(python.torch.string())}};
  root["torch_dir"] = {
      {"version", or_null(report.libtorch_version)},
      {"folder", or_null(report.libtorch.string())}};
  root["machine"] = machine_json(report.machine);
  root["config"] = {
      {"path",
       (report.config ? report.config->path : config::default_config_path())
           .string()},
      {"text",
       report.config ? ordered_json(report.config->text)
                     : ordered_json(nullptr)}};
  return root.dump(2, ' ', false, ordered_json::error_handler_t::replace) +
      '\n';
}

} // namespace

void add_env_command(CLI::App& app, Commands& commands) {
  struct Flags {
    std::string config_file;
    bool json = false;
  };
  auto flags = std::make_shared<Flags>();
  CLI::App& command = add_plain_command(app, commands, kText, [flags] {
    const Report report = find_all(flags->config_file);
    print_all(flags->json ? as_json(report) : as_text(report));
    return kExitSuccess;
  });
  command
      .add_option(
          both_spellings("config_file"),
          flags->config_file,
          "Show this configuration instead of the default one")
      ->type_name("FILE");
  command.add_flag("--json", flags->json, "Print JSON");
}

} // namespace accelerate::cli
