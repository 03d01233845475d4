// cli/foreign_flags.h: flags that users of other launchers know and
// `accelerate launch` does not have.
#pragma once

#include <string>
#include <string_view>

namespace accelerate::cli {

/// Says of a flag of the original's `accelerate launch` that it is not
/// supported yet, and of another launcher's flag what it is called here, so
/// that nobody looks for a typing mistake.
/// @param flag with dashes, without a value; `-` and `_` between words are the
///   same
/// @return such as `'--tee' is not supported yet`; empty for other words
/// Source: `accelerate launch --help` of Hugging Face Accelerate 1.15.
[[nodiscard]] std::string explain_foreign_flag(std::string_view flag);

} // namespace accelerate::cli
