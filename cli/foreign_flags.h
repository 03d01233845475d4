// cli/foreign_flags.h: flags that users of other launchers know and
// `accelerate launch` calls otherwise.
#pragma once

#include <string>
#include <string_view>

namespace accelerate::cli {

/// Says what a flag of torchrun, mpirun and the like is called here, so that
/// nobody looks for a typing mistake.
/// @param flag with dashes, without a value; `-` and `_` between words are the
///   same
/// @return such as `unknown flag '-n'; did you mean '--num_processes'?`; empty
///   for other words
[[nodiscard]] std::string explain_foreign_flag(std::string_view flag);

} // namespace accelerate::cli
