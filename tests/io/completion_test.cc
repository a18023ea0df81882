#include "io/completion.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>

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
    int res;
    TransferVerdict verdict;
  };
  using enum TransferVerdict;
  const Row rows[] = {
      {0, 4096, 4096, kDone},       {0, 4096, 100, kMore},
      {100, 4096, 3996, kDone},     {100, 4096, 3995, kMore},
      {0, 4096, 0, kDone},  // the end of the file
      {100, 4096, 0, kDone},        {0, 4096, -EIO, kDone},
      {100, 4096, -ENOSPC, kDone},  {0, 4096, -EINTR, kRetry},
      {100, 4096, -EAGAIN, kRetry}, {0, 0, 0, kDone},  // fsync
      {0, 0, -EIO, kDone},          {0, 0xffffffff, 0x7fffffff, kMore},
      {0, 100, 101, kDone},  // more than asked for cannot be, and must not go on for ever
  };
  for (const Row& row : rows) {
    EXPECT_EQ(JudgeTransfer(row.done, row.bytes, row.res), row.verdict)
        << row.done << " of " << row.bytes << ", " << row.res;
  }
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
