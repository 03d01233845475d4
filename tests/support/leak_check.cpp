// tests/support/leak_check.cpp: compares snapshots taken before and after.
#include "tests/support/leak_check.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <set>
#include <string>

#include "tests/support/started_program.h"

namespace accelerate::test {
namespace {

using Names = std::set<std::string>;

Names variables() {
  Names names;
  for (char** entry = environ; entry && *entry; ++entry) {
    names.insert(*entry);
  }
  return names;
}

/// Entries of a folder of /proc, with what they point to.
Names entries(const std::string& folder) {
  Names names;
  std::error_code ignored;
  for (const auto& entry :
       std::filesystem::directory_iterator(folder, ignored)) {
    const auto target = std::filesystem::read_symlink(entry, ignored).string();
    // The iterator's own descriptor.
    if (target.find("/proc/") != 0) {
      names.insert(entry.path().filename().string() + ' ' + target);
    }
  }
  return names;
}

Names children() {
  Names pids;
  for (const std::string& thread : entries("/proc/self/task")) {
    const std::string number = thread.substr(0, thread.find(' '));
    const std::string list =
        read_text("/proc/self/task/" + number + "/children");
    if (!list.empty()) {
      pids.insert(list);
    }
  }
  return pids;
}

struct Snapshot {
  Names variables = test::variables();
  Names descriptors = entries("/proc/self/fd");
  Names threads = entries("/proc/self/task");
  Names children = test::children();
};

void expect_nothing_new(
    const char* what,
    const Names& before,
    const Names& after) {
  Names added;
  std::set_difference(
      after.begin(),
      after.end(),
      before.begin(),
      before.end(),
      std::inserter(added, added.end()));
  for (const std::string& name : added) {
    ADD_FAILURE() << "the test left " << what << " behind: " << name;
  }
}

class LeakListener : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo& /*info*/) override {
    before_ = Snapshot();
  }
  void OnTestEnd(const testing::TestInfo& /*info*/) override {
    // The kernel lists a joined thread a moment longer.
    (void)eventually(
        [&] { return Snapshot().threads.size() <= before_.threads.size(); },
        std::chrono::seconds{1});
    const Snapshot after;
    expect_nothing_new("a variable", before_.variables, after.variables);
    expect_nothing_new("a descriptor", before_.descriptors, after.descriptors);
    expect_nothing_new("a thread", before_.threads, after.threads);
    expect_nothing_new("children", before_.children, after.children);
  }
  Snapshot before_;
};

} // namespace

bool install_leak_check() {
  // The last listener is the first to hear of a test's end: before the printer.
  testing::UnitTest::GetInstance()->listeners().Append(new LeakListener());
  return true;
}

} // namespace accelerate::test
