// accelerate/comm/rank_search.cpp
#include "accelerate/comm/rank_search.h"

#include "accelerate/comm/agreement_impl.h"
#include "accelerate/comm/process_group_impl.h"

namespace accelerate::comm {

void begin_search(const ProcessGroup& group) {
  ++group.impl().num_searches;
}

void end_search(const ProcessGroup& group) {
  --group.impl().num_searches;
}

void compare_search(
    const ProcessGroup& group,
    std::string_view where,
    const std::string& description) {
  agree(group, {.where = where, .description = description});
}

} // namespace accelerate::comm
