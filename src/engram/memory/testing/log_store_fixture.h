// Three holders of one space, which each have a log store of their own on a disk in memory.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "engram/memory/testing/log_node.h"

namespace engram::memory {

// The tests' fixture; each test has its own. `a_` is primary, and the others follow it.
class LogStoreTest : public ::testing::Test {
 protected:
  // One is primary of the first epoch, the others have its whole log.
  LogStoreTest() {
    EXPECT_TRUE(a_.TakeOffice(1).ok());
    Catch(a_, b_);
    Catch(a_, c_);
  }

  // `holder` follows and takes everything that the primary has.
  static void Catch(LogNode& primary, LogNode& holder) {
    const absl::Status followed = holder.Follow(primary);
    ASSERT_TRUE(followed.ok()) << followed;
    const absl::Status taken = holder.Take(primary);
    ASSERT_TRUE(taken.ok()) << taken;
  }
  // The same, and its outbox has come back.
  static void Heal(LogNode& primary, LogNode& holder) {
    Catch(primary, holder);
    ASSERT_TRUE(primary.Merge(holder).ok());
    Catch(primary, holder);
    if (holder.Log().base != Version()) {
      ASSERT_TRUE(holder.Complete(primary.Log().holder.epoch(), true).ok());
    }
    EXPECT_EQ(holder.Log().outbox_entries, 0u);
  }

  const std::vector<NodeId> holders_{NodeId("a"), NodeId("b"), NodeId("c")};
  LogNode a_{"a", holders_};
  LogNode b_{"b", holders_};
  LogNode c_{"c", holders_};
  Commands commands_{7};
};

}  // namespace engram::memory
