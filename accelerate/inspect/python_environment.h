// accelerate/inspect/python_environment.h: which Python and which libtorch a
// launched script will use, found without running or loading them.
#pragma once

#include <filesystem>
#include <string>

#include "accelerate/api.h"

namespace accelerate::inspect {

/// What is not found is empty.
struct PythonEnvironment {
  std::filesystem::path interpreter;
  std::string version; ///< such as `3.11.7`, or `3.11` when only that is known
  std::filesystem::path torch; ///< the folder of the package
  std::string torch_version; ///< such as `2.13.0+cpu`
  std::string torch_cuda; ///< CUDA that it was built for
  std::string numpy_version;
};

/// Reads pyvenv.cfg, and of the packages the files that name their version.
/// @param interpreter such as `/env/bin/python3`; empty for none
[[nodiscard]] ACCELERATE_API PythonEnvironment
inspect_python(const std::filesystem::path& interpreter);

/// The version of a libtorch without Python: `build-version` in its folder.
/// @return empty when there is no such file
[[nodiscard]] ACCELERATE_API std::string libtorch_version(
    const std::filesystem::path& folder);

} // namespace accelerate::inspect
