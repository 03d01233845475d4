// accelerate/launch/program.cpp: PATH search and the Python interpreter.
#include "accelerate/launch/program.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace accelerate::launch {
namespace {

[[noreturn]] void fail(ExitCode exit_code, const std::string& what) {
  throw ProgramError(error_message("launch.program", what), exit_code);
}

/// 0, or the errno that says why `path` is no file with the wanted access.
int why_not(const std::string& path, int access_mode) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    return errno;
  }
  if (S_ISDIR(status.st_mode)) {
    return EISDIR;
  }
  return ::access(path.c_str(), access_mode) == 0 ? 0 : errno;
}

void check_file(const std::string& path, int access_mode) {
  const int error = why_not(path, access_mode);
  if (error == ENOENT || error == ENOTDIR) {
    fail(kExitNotFound, concat("'", path, "' does not exist"));
  }
  if (error == EISDIR) {
    fail(
        kExitNotExecutable,
        concat(
            "'",
            path,
            "' is a folder, expected a program or a script; a Python package "
            "is run with -m and its name"));
  }
  if (error != 0) {
    const char* hint =
        error == EACCES && access_mode == X_OK ? "; is it executable?" : "";
    fail(
        kExitNotExecutable,
        concat("'", path, "' cannot be run: ", describe_errno(error), hint));
  }
}

/// The first executable of that name in PATH; empty when there is none.
std::string find_in_path(
    const std::string& name,
    const EnvironmentLookup& lookup) {
  const std::string path =
      lookup("PATH").value_or("/usr/local/bin:/usr/bin:/bin");
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find(':', begin), path.size());
    const std::string folder = path.substr(begin, end - begin);
    std::string candidate = (folder.empty() ? "." : folder) + '/' + name;
    if (why_not(candidate, X_OK) == 0) {
      return candidate;
    }
    begin = end + 1;
  }
  return "";
}

/// An interpreter in a `bin` folder; empty when there is none.
std::string python_in(const std::string& folder) {
  for (const char* name : {"/python3", "/python"}) {
    if (!folder.empty() && why_not(folder + name, X_OK) == 0) {
      return folder + name;
    }
  }
  return "";
}

std::string find_interpreter(
    const LaunchOptions& options,
    const EnvironmentLookup& lookup) {
  std::string found = python_in(options.python_folder);
  for (const char* variable : {"VIRTUAL_ENV", "CONDA_PREFIX"}) {
    const std::string folder = lookup(variable).value_or("");
    if (found.empty() && !folder.empty()) {
      found = python_in(folder + "/bin");
    }
  }
  if (found.empty()) {
    found = find_in_path("python3", lookup);
  }
  if (found.empty()) {
    fail(
        kExitNotFound,
        concat(
            "'",
            options.program,
            "' needs python3, which is not in PATH; activate a Python "
            "environment"));
  }
  return found;
}

/// A path would be taken for a module of a strange name, and Python's own words
/// for it do not say what is wrong.
void check_module_name(const std::string& name) {
  const bool is_script = name.ends_with(".py");
  ACCELERATE_CHECK(
      !is_script && name.find('/') == std::string::npos,
      ConfigError,
      "launch.program",
      "'",
      name,
      "' is ",
      is_script ? "a script" : "a path",
      ", expected the name of a module such as package.train; ",
      is_script ? "leave out -m" : "write dots instead of slashes");
}

[[noreturn]] void fail_not_in_path(const std::string& program) {
  const std::string here = "./" + program;
  const int error = why_not(here, F_OK);
  if (error == EISDIR) {
    check_file(here, X_OK);
  }
  fail(
      kExitNotFound,
      concat(
          "'",
          program,
          "' is not in PATH",
          error == 0 ? concat("; did you mean '", here, "'?") : ""));
}

Command with_args(
    std::string path,
    std::vector<std::string> argv,
    const std::vector<std::string>& args) {
  argv.insert(argv.end(), args.begin(), args.end());
  return {.path = std::move(path), .argv = std::move(argv)};
}

Command with_python(
    const LaunchOptions& options,
    const EnvironmentLookup& lookup) {
  const std::string interpreter = find_interpreter(options, lookup);
  std::vector<std::string> argv{interpreter};
  if (options.kind == ProgramKind::kPythonModule) {
    argv.emplace_back("-m");
  }
  // A script such as -x.py must not become a flag of Python.
  const bool looks_like_flag =
      options.kind == ProgramKind::kFile && options.program.starts_with('-');
  argv.push_back((looks_like_flag ? "./" : "") + options.program);
  Command command = with_args(interpreter, std::move(argv), options.args);
  command.is_python = true;
  return command;
}

} // namespace

Command resolve_command(
    const LaunchOptions& options,
    const EnvironmentLookup& lookup) {
  const std::string& program = options.program;
  if (program.empty()) {
    fail(kExitNotFound, "no program was given");
  }
  if (options.kind == ProgramKind::kPythonModule) {
    check_module_name(program);
    return with_python(options, lookup);
  }
  if (options.kind == ProgramKind::kFile && program.ends_with(".py")) {
    check_file(program, R_OK);
    return with_python(options, lookup);
  }
  if (program.find('/') != std::string::npos) {
    check_file(program, X_OK);
    return with_args(program, {program}, options.args);
  }
  std::string found = find_in_path(program, lookup);
  if (found.empty()) {
    fail_not_in_path(program);
  }
  return with_args(std::move(found), {program}, options.args);
}

} // namespace accelerate::launch
