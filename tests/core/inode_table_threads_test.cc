// The inode table under many threads, with so few descriptors allowed that most opens evict
// another's.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "core/inode_table.h"
#include "tests/core/temp_tree.h"

namespace shuntfs {
namespace {

constexpr int kDirectories = 4;
constexpr int kFiles = 8;
constexpr int kThreads = 4;
constexpr int kRounds = 1500;

class InodeTableThreadsTest : public ::testing::Test {
 protected:
  InodeTableThreadsTest() {
    for (int d = 0; d < kDirectories; ++d) {
      tree_.Directory("d" + std::to_string(d));
      for (int f = 0; f < kFiles; ++f)
        tree_.File("d" + std::to_string(d) + "/f" + std::to_string(f));
    }
    Make(/*remembered_limit=*/0);
  }

  void Make(size_t remembered_limit) {
    const FileStatus status = tree_.Status("");
    InodeTable::Options options;
    options.path_fd_limit = 4;
    options.remembered_limit = remembered_limit;
    table_ = std::make_unique<InodeTable>(tree_.OpenRoot(), status, devices_, options);
    device_ = table_->root()->device_ref();
  }

  Inode* Lookup(Inode* parent, const std::string& name) {
    const Result<PathFd> directory = table_->Open(parent);
    if (!directory.ok()) return nullptr;
    const Result<FileStatus> status = StatusAt(directory->get(), name.c_str());
    return status.ok() ? table_->Lookup(*status, device_, parent, name.c_str(), directory->get())
                       : nullptr;
  }

  // Looks a file up, checks the way to it, and forgets it and its directory: with what other
  // threads do in between.
  bool VisitOne(int d, int f) {
    Inode* directory = Lookup(table_->root(), "d" + std::to_string(d));
    if (directory == nullptr) return false;
    Inode* file = Lookup(directory, "f" + std::to_string(f));
    if (file == nullptr) return false;
    bool good = table_->Forget(directory->nodeid(), 1);
    {
      const Result<PathFd> path = table_->Open(file);
      if (!path.ok()) return false;
      const Result<FileStatus> status = StatusOf(path->get());
      good = good && status.ok() && InodeKey::Of(*status, *device_, path->get(), "") == file->key();
    }
    return table_->Forget(file->nodeid(), 1) && good;
  }

  TempTree tree_;
  DeviceTable devices_{PolicyWish::kAuto, PolicyWish::kAuto};
  DeviceRef device_;
  std::unique_ptr<InodeTable> table_;
};

TEST_F(InodeTableThreadsTest, LookOpenEvictAndForgetTogether) {
  std::atomic<int> wrong{0};
  std::atomic<int> running{kThreads};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, &wrong, &running, t] {
      std::minstd_rand random(t + 1);
      for (int round = 0; round < kRounds; ++round) {
        if (!VisitOne(static_cast<int>(random() % kDirectories),
                      static_cast<int>(random() % kFiles)))
          ++wrong;
      }
      --running;
    });
  }
  while (running > 0) {
    table_->EvictPathFds();
    std::this_thread::yield();
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(table_->total_count(), 1u) << "references are left";
  EXPECT_EQ(table_->path_fds(), 1u) << "descriptors are left";
}

// An NFS server names inodes by handle while others forget them.
TEST_F(InodeTableThreadsTest, InodesAreHeldByNumberWhileTheyAreForgotten) {
  constexpr size_t kRemembered = 2;
  Make(kRemembered);
  std::atomic<uint64_t> nodeid{0};
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::thread server([&] {
    while (!done) {
      Inode* inode = table_->Hold(NodeId(nodeid.load()));
      if (inode == nullptr) continue;
      if (!table_->Status(inode).ok()) ++wrong;
      table_->CountLookup(inode);
      table_->Release(inode);
      if (!table_->Forget(inode->nodeid(), 1)) ++wrong;
    }
  });
  for (int round = 0; round < kRounds; ++round) {
    for (int f = 0; f < kFiles; ++f) {
      Inode* file = Lookup(table_->root(), "d" + std::to_string(f % kDirectories));
      ASSERT_NE(file, nullptr);
      nodeid = file->nodeid().value();
      if (!table_->Forget(file->nodeid(), 1)) ++wrong;
    }
  }
  done = true;
  server.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(table_->count(), 1u);
  EXPECT_EQ(table_->total_count(), 1 + kRemembered);
}

// The evicter runs while files lose their names: each file is reachable until it is forgotten.
TEST_F(InodeTableThreadsTest, FilesAreUnlinkedWhileOthersEvict) {
  std::atomic<bool> done{false};
  std::thread evicter([&] {
    while (!done) table_->EvictPathFds();
  });
  int wrong = 0;
  for (int round = 0; round < 2 * kRounds; ++round) {
    tree_.File("f");
    Inode* file = Lookup(table_->root(), "f");
    ASSERT_NE(file, nullptr);
    const Result<PathFd> root = table_->Open(table_->root());
    UniqueFd other;
    ASSERT_EQ(table_->BeginRemoval(root->get(), "f", &other), file);
    tree_.Remove("f");
    table_->EndRemoval(file, /*removed=*/true, table_->root(), "f");
    if (!table_->Open(file).ok()) ++wrong;
    EXPECT_TRUE(table_->Forget(file->nodeid(), 1));
  }
  done = true;
  evicter.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(table_->total_count(), 1u);
}

TEST_F(InodeTableThreadsTest, AFileIsMovedWhileOthersReachIt) {
  Inode* const first = Lookup(table_->root(), "d0");
  Inode* const second = Lookup(table_->root(), "d1");
  Inode* const file = Lookup(first, "f0");
  ASSERT_NE(file, nullptr);
  tree_.Rename("d0/f0", "moving");
  tree_.Link("moving", "d0/x");
  tree_.Link("moving", "d1/y");
  table_->MovedTo(file, first, "x");
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::thread mover([&] {
    for (int round = 0; round < kRounds; ++round) {
      table_->MovedTo(file, round % 2 == 0 ? first : second, round % 2 == 0 ? "x" : "y");
    }
    done = true;
  });
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      while (!done) {
        const Result<PathFd> path = table_->Open(file);
        if (!path.ok()) {
          ++wrong;
          continue;
        }
        const Result<FileStatus> status = StatusOf(path->get());
        if (!status.ok() || InodeKey::Of(*status, *device_, path->get(), "") != file->key())
          ++wrong;
        table_->EvictPathFds();
      }
    });
  }
  mover.join();
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
  for (Inode* inode : {file, first, second}) EXPECT_TRUE(table_->Forget(inode->nodeid(), 1));
  EXPECT_EQ(table_->total_count(), 1u);
}

}  // namespace
}  // namespace shuntfs
