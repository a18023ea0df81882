#include "io/completion.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>

#include "core/base/limits.h"
#include "io/user_data.h"

namespace shuntfs {
namespace {

TEST(JudgeCommand, IsAFunctionOfCommandAndResult) {
  struct Row {
    int res;
    CommandVerdict on_register;
    CommandVerdict on_commit;
  };
  using enum CommandVerdict;
  const Row rows[] = {
      {0, kRequest, kRequest},
      {-EINTR, kRetry, kRetry},
      {-EAGAIN, kBroken, kRetry},
      {-ENOTCONN, kEntryGone, kEntryGone},
      {-ECONNABORTED, kEntryGone, kEntryGone},
      {-ECANCELED, kEntryGone, kEntryGone},
      {-ENODEV, kEntryGone, kEntryGone},
      {-EINVAL, kBroken, kBroken},
      {-EOPNOTSUPP, kBroken, kBroken},
      {-ENOENT, kBroken, kBroken},
      {-EPERM, kBroken, kBroken},
      {-ENOMEM, kBroken, kBroken},
      {-EFAULT, kBroken, kBroken},
      {1, kBroken, kBroken},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(JudgeCommand(RingCommand::kRegister, row.res), row.on_register) << row.res;
    EXPECT_EQ(JudgeCommand(RingCommand::kCommitAndFetch, row.res), row.on_commit) << row.res;
  }
}

TEST(JudgeTransfer, IsAFunctionOfWhatIsDoneAndTheResult) {
  struct Row {
    uint32_t done;
    uint32_t bytes;
    uint32_t retries;
    int res;
    TransferVerdict verdict;
  };
  using enum TransferVerdict;
  const Row rows[] = {
      {0, 4096, 0, 4096, kDone},       {0, 4096, 0, 100, kMore},
      {100, 4096, 0, 3996, kDone},     {100, 4096, 0, 3995, kMore},
      {0, 4096, 0, 0, kDone},  // the end of the file
      {100, 4096, 0, 0, kDone},        {0, 4096, 0, -EIO, kDone},
      {100, 4096, 0, -ENOSPC, kDone},  {0, 4096, 0, -EINTR, kRetry},
      {100, 4096, 0, -EAGAIN, kRetry}, {0, 0, 0, 0, kDone},  // fsync
      {0, 0, 0, -EIO, kDone},          {0, 0xffffffff, 0, 0x7fffffff, kMore},
      {0, 100, 0, 101, kDone},   // more than asked for cannot be, and must not be continued
      {0, 4096, 1, 100, kMore},  // progress does not depend on retries
  };
  for (const Row& row : rows) {
    EXPECT_EQ(JudgeTransfer(row.done, row.bytes, row.retries, row.res), row.verdict)
        << row.done << " of " << row.bytes << ", " << row.res;
  }
}

// A backing file system may give the same answer to every request.
TEST(JudgeTransfer, RetriesALimitedNumberOfTimes) {
  using enum TransferVerdict;
  const auto retries_of = [](uint32_t done, uint32_t bytes, int res) {
    uint32_t retries = 0;
    while (retries < 100 && JudgeTransfer(done, bytes, retries, res) == kRetry) ++retries;
    return retries;
  };
  EXPECT_EQ(retries_of(0, 4096, -EAGAIN), 1u);
  EXPECT_EQ(retries_of(100, 4096, -EAGAIN), 1u);
  EXPECT_EQ(retries_of(0, 0, -EAGAIN), 1u) << "fsync";
  EXPECT_EQ(retries_of(0, 4096, -EINTR), kMaxInterruptedRetries);
  EXPECT_EQ(retries_of(0, 0, -EINTR), kMaxInterruptedRetries) << "fsync";
  EXPECT_EQ(retries_of(0, 4096, -EIO), 0u);
}

TEST(UserData, KeepsKindAndEntry) {
  std::set<uint64_t> packed;
  for (int kind = 0; kind <= static_cast<int>(CompletionKind::kCommitUnsent); ++kind) {
    for (const uint32_t entry : {0U, 1U, 0x80000000U, 0xffffffffU}) {
      const UserData data{static_cast<CompletionKind>(kind), entry};
      const UserData back = UserData::Unpack(data.Pack());
      EXPECT_EQ(back.kind, data.kind);
      EXPECT_EQ(back.entry, entry);
      packed.insert(data.Pack());
    }
  }
  EXPECT_EQ(packed.size(), 28u);
}

}  // namespace
}  // namespace shuntfs
