// accelerate/launch/traceback.h: the text of a traceback as Python prints it.
#pragma once

#include <string>
#include <string_view>

#include "accelerate/api.h"

namespace accelerate::launch {

/// A traceback or one of its parts begins: its headline, or a frame (a
/// SyntaxError of the script itself comes without the headline).
[[nodiscard]] ACCELERATE_API bool begins_traceback(std::string_view line);

/// What follows is a traceback of an exception that Python ignores, as in
/// `Exception ignored in: <function …>`: nothing ends by it.
[[nodiscard]] ACCELERATE_API bool announces_ignored(std::string_view line);

/// An exception's name stands at the margin, the lines before it do not.
[[nodiscard]] ACCELERATE_API bool is_at_margin(std::string_view line);

/// Without the `[rank1]: ` that torch puts before each line of a traceback.
[[nodiscard]] ACCELERATE_API std::string_view without_rank_mark(
    std::string_view line);
/// The same for each line of `text`.
[[nodiscard]] ACCELERATE_API std::string without_rank_marks(
    std::string_view text);

/// The line that names the exception, as in `ValueError: bad batch`, shortened
/// when it is long; empty when there is none.
/// @param traceback of which the last part counts, as in `During handling of
///   the above exception, …`
[[nodiscard]] ACCELERATE_API std::string exception_line(
    std::string_view traceback);

/// The first sentence of what exception_line() gave: enough of an exception
/// that only follows from another.
[[nodiscard]] ACCELERATE_API std::string first_sentence(
    std::string_view exception);

} // namespace accelerate::launch
