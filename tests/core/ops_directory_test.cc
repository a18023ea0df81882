// OPENDIR, READDIR, READDIRPLUS.
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/base/limits.h"
#include "core/directory_offsets.h"
#include "tests/core/client.h"
#include "tests/core/temp_tree.h"

namespace shuntfs {
namespace {

using abi::Opcode;

constexpr uint64_t kRoot = kRootNodeId.value();

struct Listed {
  std::string name;
  abi::Dirent dirent;
  abi::EntryOut entry;  // of READDIRPLUS
};

class DirectoryTest : public ::testing::Test {
 protected:
  // One READDIR or READDIRPLUS of at most `room` bytes, taken apart as the kernel does it.
  std::vector<Listed> Read(Client& client, bool plus, uint64_t fh, uint64_t offset, uint32_t room) {
    abi::ReadIn in{};
    in.fh = fh;
    in.offset = offset;
    in.size = room;
    const Action action = client.Send(plus ? Opcode::kReaddirplus : Opcode::kReaddir, kRoot, in);
    EXPECT_TRUE(Answered(action));
    EXPECT_LE(action.reply_bytes, room);
    const std::string reply = client.ReplyText(action.reply_bytes);
    const size_t head = plus ? sizeof(abi::DirentPlus) : sizeof(abi::Dirent);
    std::vector<Listed> listed;
    for (size_t at = 0; at < reply.size();) {
      Listed one{};
      if (reply.size() - at < head) {
        ADD_FAILURE() << "a record is cut off";
        return listed;
      }
      if (plus) std::memcpy(&one.entry, reply.data() + at, sizeof(one.entry));
      std::memcpy(&one.dirent, reply.data() + at + head - sizeof(abi::Dirent), sizeof(one.dirent));
      const size_t record = (head + one.dirent.namelen + 7) / 8 * 8;
      if (one.dirent.namelen == 0 || reply.size() - at < record) {
        ADD_FAILURE() << "a name is empty or cut off";
        return listed;
      }
      one.name = reply.substr(at + head, one.dirent.namelen);
      const std::string padding =
          reply.substr(at + head + one.name.size(), record - head - one.name.size());
      EXPECT_EQ(padding.find_first_not_of('\0'), std::string::npos)
          << "bytes of another request leak";
      listed.push_back(one);
      at += record;
    }
    return listed;
  }

  std::vector<Listed> ReadAll(Client& client, bool plus, uint64_t fh, uint32_t room) {
    std::vector<Listed> all;
    uint64_t offset = 0;
    while (true) {
      const std::vector<Listed> part = Read(client, plus, fh, offset, room);
      if (part.empty()) return all;
      all.insert(all.end(), part.begin(), part.end());
      offset = part.back().dirent.off;
    }
  }

  void Fill(int files) {
    for (int i = 0; i < files; ++i) {
      names_.insert("file-" + std::to_string(i) + std::string(static_cast<size_t>(i % 50), 'x'));
    }
    for (const std::string& name : names_) tree_.File(name);
    names_.insert(".");
    names_.insert("..");
  }

  // Every name once.
  void ExpectComplete(const std::vector<Listed>& listed) {
    std::multiset<std::string> seen;
    for (const Listed& one : listed) seen.insert(one.name);
    EXPECT_EQ(seen, std::multiset<std::string>(names_.begin(), names_.end()));
  }

  TempTree tree_;
  std::set<std::string> names_;
};

TEST_F(DirectoryTest, ListsEverythingOnceOverManyBuffers) {
  Fill(900);  // more than one getdents64 gives
  Client client(tree_.path());
  const uint64_t fh = client.OpenDirectory(kRoot);
  for (const uint32_t room : {400U, 4096U, 65536U}) {
    SCOPED_TRACE(room);
    ExpectComplete(ReadAll(client, /*plus=*/false, fh, room));
    ExpectComplete(ReadAll(client, /*plus=*/true, fh, room));
  }
  EXPECT_EQ(client.fs().inodes().count(), 901u);
}

TEST_F(DirectoryTest, AListingThatEndedBuffersNothing) {
  Fill(100);
  Client client(tree_.path());
  const uint64_t fh = client.OpenDirectory(kRoot);
  Read(client, /*plus=*/false, fh, 0, 1000);
  EXPECT_EQ(client.fs().handles().directory_bytes(), kDirectoryBufferBytes);
  ExpectComplete(ReadAll(client, /*plus=*/false, fh, 1000));
  EXPECT_EQ(client.fs().handles().directory_bytes(), 0u);
}

TEST_F(DirectoryTest, ManyOpenDirectoriesBufferABoundedAmount) {
  Fill(100);
  Client client(tree_.path());
  const size_t directories = kMaxDirectoryBufferBytes / kDirectoryBufferBytes + 20;
  std::vector<uint64_t> handles;
  for (size_t i = 0; i < directories; ++i) {
    handles.push_back(client.OpenDirectory(kRoot));
    Read(client, /*plus=*/false, handles.back(), 0, 1000);
    EXPECT_LE(client.fs().handles().directory_bytes(), kMaxDirectoryBufferBytes);
  }
  // The last one gives its buffer back after each reply, and goes on where it was.
  ExpectComplete(ReadAll(client, /*plus=*/false, handles.back(), 1000));
  ExpectComplete(ReadAll(client, /*plus=*/false, handles.front(), 1000));
}

TEST_F(DirectoryTest, TellsNumberAndType) {
  tree_.File("f");
  tree_.Directory("d");
  tree_.Symlink("t", "s");
  Client client(tree_.path());
  const uint64_t fh = client.OpenDirectory(kRoot);
  std::map<std::string, uint32_t> types;
  for (const Listed& one : ReadAll(client, /*plus=*/false, fh, 4096)) {
    types[one.name] = one.dirent.type;
    if (one.name == "..") continue;
    EXPECT_EQ(one.dirent.ino, tree_.Status(one.name).stx_ino) << one.name;
  }
  EXPECT_EQ(types,
            (std::map<std::string, uint32_t>{
                {".", DT_DIR}, {"..", DT_DIR}, {"f", DT_REG}, {"d", DT_DIR}, {"s", DT_LNK}}));
}

TEST_F(DirectoryTest, PlusCountsALookupForEachEntryButDots) {
  Fill(300);
  Client client(tree_.path());
  const uint64_t fh = client.OpenDirectory(kRoot);
  for (int round = 0; round < 2; ++round) {
    for (const Listed& one : ReadAll(client, /*plus=*/true, fh, 1000)) {
      if (one.name == "." || one.name == "..") {
        EXPECT_EQ(one.entry.nodeid, 0u);
        continue;
      }
      ASSERT_NE(one.entry.nodeid, 0u) << one.name;
      EXPECT_EQ(one.entry.attr.ino, tree_.Status(one.name).stx_ino);
      EXPECT_EQ(one.entry.attr.ino, one.dirent.ino);
      client.Send(Opcode::kForget, one.entry.nodeid, abi::ForgetIn{1});
    }
  }
  EXPECT_EQ(client.counters().odd_forgets.value(), 0u);
  EXPECT_EQ(client.fs().inodes().count(), 1u) << "an entry was counted that was not handed out";
}

TEST_F(DirectoryTest, PlainCountsNoLookups) {
  Fill(20);
  Client client(tree_.path());
  ReadAll(client, /*plus=*/false, client.OpenDirectory(kRoot), 4096);
  EXPECT_EQ(client.fs().inodes().count(), 1u);
}

TEST_F(DirectoryTest, ContinuesAtAnyOffset) {
  Fill(100);
  Client client(tree_.path());
  const uint64_t fh = client.OpenDirectory(kRoot);
  const std::vector<Listed> all = ReadAll(client, /*plus=*/false, fh, 65536);
  ASSERT_EQ(all.size(), 102u);
  const uint64_t other = client.OpenDirectory(kRoot);
  for (const size_t from : {size_t{50}, size_t{7}, size_t{99}, size_t{8}}) {
    for (const uint64_t handle : {fh, other}) {
      const std::vector<Listed> rest =
          Read(client, /*plus=*/false, handle, all[from].dirent.off, 65536);
      ASSERT_EQ(rest.size(), all.size() - from - 1) << from;
      EXPECT_EQ(rest.front().name, all[from + 1].name);
    }
  }
  EXPECT_TRUE(Read(client, /*plus=*/false, fh, all.back().dirent.off, 65536).empty());
  ExpectComplete(Read(client, /*plus=*/false, fh, 0, 65536));
}

// ext4's own offsets have 64 bits, and readdir(3) of a 32-bit program fails with such.
TEST_F(DirectoryTest, OffsetsFitA32BitProgram) {
  Fill(900);
  Client client(tree_.path());
  const uint64_t fh = client.OpenDirectory(kRoot);
  for (const uint32_t room : {400U, 65536U}) {
    for (const Listed& one : ReadAll(client, /*plus=*/false, fh, room))
      EXPECT_LE(one.dirent.off, kMaxShortOffset) << one.name;
  }
}

// What the upper half of an offset tells apart is shown by it alone.
TEST(DirectoryOffsets, AreShortenedWhereTheyStayUnique) {
  constexpr uint64_t kFirst = 5ULL << 32 | 7;
  constexpr uint64_t kSecond = 5ULL << 32 | 9;
  constexpr uint64_t kThird = 6ULL << 32 | 1;
  EXPECT_EQ(ShownOffset(kFirst, 0), 5u);
  EXPECT_EQ(ShownOffset(kSecond, kFirst), kSecond);
  EXPECT_EQ(ShownOffset(kThird, kSecond), 6u);
  EXPECT_EQ(SourceOffset(0), 0u);
  EXPECT_EQ(SourceOffset(5), 5ULL << 32) << "the first with this upper half";
  EXPECT_EQ(SourceOffset(kSecond), kSecond);
  constexpr uint64_t kEnd = 0x7fffffffffffffff;
  EXPECT_EQ(ShownOffset(kEnd, kThird), kMaxShortOffset);
  EXPECT_EQ(SourceOffset(kMaxShortOffset), kMaxShortOffset << 32);
}

TEST_F(DirectoryTest, LosesNothingThatStaysWhileOthersGo) {
  Fill(600);
  Client client(tree_.path());
  const uint64_t fh = client.OpenDirectory(kRoot);
  std::vector<Listed> all;
  uint64_t offset = 0;
  std::set<std::string> gone;
  while (true) {
    const std::vector<Listed> part = Read(client, /*plus=*/false, fh, offset, 500);
    if (part.empty()) break;
    all.insert(all.end(), part.begin(), part.end());
    offset = part.back().dirent.off;
    const std::string& victim = part.back().name;
    if (victim[0] == '.') continue;
    tree_.Remove(victim);
    gone.insert(victim);
  }
  EXPECT_GT(gone.size(), 20u);
  ExpectComplete(all);
}

TEST_F(DirectoryTest, AnEntryThatIsGoneByNowIsListedWithoutANode) {
  Fill(3);
  Client client(tree_.path());
  const uint64_t fh = client.OpenDirectory(kRoot);
  Read(client, /*plus=*/false, fh, 0, 32);  // room for "." or "..": the rest is in the buffer
  const std::vector<Listed> first = Read(client, /*plus=*/false, fh, 0, 32);
  ASSERT_EQ(first.size(), 1u);
  for (const std::string& name : names_) {
    if (name[0] != '.') tree_.Remove(name);
  }
  const std::vector<Listed> rest = Read(client, /*plus=*/true, fh, first.front().dirent.off, 65536);
  for (const Listed& one : rest) {
    EXPECT_EQ(one.entry.nodeid, 0u) << one.name;
    EXPECT_NE(one.dirent.ino, 0u) << one.name;
  }
  EXPECT_EQ(client.fs().inodes().count(), 1u);
}

TEST_F(DirectoryTest, IsRefusedWhereItCannotBe) {
  tree_.File("f");
  Client client(tree_.path());
  const uint64_t file = client.Lookup(kRoot, "f");
  EXPECT_TRUE(Refused(client.Send(Opcode::kOpendir, file, abi::OpenIn{}), ENOTDIR));
  abi::ReadIn in{};
  in.fh = client.Open(file, O_RDONLY);
  in.size = 4096;
  EXPECT_TRUE(Refused(client.Send(Opcode::kReaddir, kRoot, in), EBADF));
  in.fh = client.OpenDirectory(kRoot);
  client.SetReplyRoom(4095);
  EXPECT_TRUE(Refused(client.Send(Opcode::kReaddir, kRoot, in), EINVAL));
}

TEST_F(DirectoryTest, LetsTheKernelCacheIt) {
  Client client(tree_.path());
  EXPECT_TRUE(Answered(client.Send(Opcode::kOpendir, kRoot, abi::OpenIn{}), sizeof(abi::OpenOut)));
  const auto open = client.Reply<abi::OpenOut>();
  EXPECT_NE(open.open_flags & abi::kFopenCacheDir, 0u);
  EXPECT_EQ(open.open_flags & abi::kFopenKeepCache, 0u) << "nothing was cached yet";
  EXPECT_TRUE(
      Answered(client.Send(Opcode::kReleasedir, kRoot, abi::ReleaseIn{open.fh, 0, 0, 0}), 0));
  EXPECT_EQ(client.fs().handles().count(), 0u);
}

}  // namespace
}  // namespace shuntfs
