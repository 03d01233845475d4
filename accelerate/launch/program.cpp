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
  if (error != 0) {
    const char* hint = error == EACCES ? "; is it executable?" : "";
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
    const std::string candidate = (folder.empty() ? "." : folder) + '/' + name;
    if (why_not(candidate, X_OK) == 0) {
      return candidate;
    }
    begin = end + 1;
  }
  return "";
}

std::string find_interpreter(const EnvironmentLookup& lookup) {
  for (const char* variable : {"VIRTUAL_ENV", "CONDA_PREFIX"}) {
    const std::string folder = lookup(variable).value_or("");
    const std::string candidate = folder + "/bin/python";
    if (!folder.empty() && why_not(candidate, X_OK) == 0) {
      return candidate;
    }
  }
  const std::string found = find_in_path("python3", lookup);
  if (found.empty()) {
    fail(kExitNotFound, "a .py script needs python3, which is not in PATH");
  }
  return found;
}

Command with_args(
    std::string path,
    std::vector<std::string> argv,
    const std::vector<std::string>& args) {
  argv.insert(argv.end(), args.begin(), args.end());
  return {std::move(path), std::move(argv)};
}

} // namespace

Command resolve_command(
    const std::string& program,
    const std::vector<std::string>& args,
    const EnvironmentLookup& lookup) {
  if (program.empty()) {
    fail(kExitNotFound, "no program was given");
  }
  if (program.ends_with(".py")) {
    check_file(program, R_OK);
    std::string interpreter = find_interpreter(lookup);
    return with_args(interpreter, {interpreter, program}, args);
  }
  if (program.find('/') != std::string::npos) {
    check_file(program, X_OK);
    return with_args(program, {program}, args);
  }
  std::string found = find_in_path(program, lookup);
  if (found.empty()) {
    const bool is_here = why_not("./" + program, F_OK) == 0;
    fail(
        kExitNotFound,
        concat(
            "'",
            program,
            "' is not in PATH",
            is_here ? concat("; did you mean './", program, "'?") : ""));
  }
  return with_args(std::move(found), {program}, args);
}

} // namespace accelerate::launch
