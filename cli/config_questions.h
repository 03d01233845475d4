// cli/config_questions.h: what `accelerate config` asks.
#pragma once

#include "accelerate/config/config_file_text.h"
#include "cli/prompt.h"

namespace accelerate::cli {

/// The original's questions in its order. An answer that this version cannot
/// honour is refused with the reason.
/// @return what belongs into the file
/// Source: accelerate get_user_input, get_cluster_input
[[nodiscard]] config::ConfigValues ask_configuration(Prompt& prompt);

} // namespace accelerate::cli
