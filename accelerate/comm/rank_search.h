// accelerate/comm/rank_search.h: lets a rank that gives up in the middle free
// the others, whatever they wait for.
#pragma once

#include <string>
#include <string_view>

#include "accelerate/api.h"
#include "accelerate/comm/process_group.h"

namespace accelerate::comm {

/// From here to end_search() every exchange is compared before it begins, as in
/// debug mode, so that compare_search() on one rank ends the exchange of any
/// other with a DisagreementError and the group stays usable. Searches nest.
/// Not collective, but made on all ranks at the same place.
ACCELERATE_API void begin_search(const ProcessGroup& group);
ACCELERATE_API void end_search(const ProcessGroup& group);

/// Collective: one message of 32 bytes a rank, compared with whatever the
/// others are about to do.
/// @param where `area.function`
/// @throws DisagreementError on all ranks when one is elsewhere or says
///   something else; names two
ACCELERATE_API void compare_search(
    const ProcessGroup& group,
    std::string_view where,
    const std::string& description);

} // namespace accelerate::comm
