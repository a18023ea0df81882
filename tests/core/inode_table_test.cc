#include "core/inode_table.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/core/temp_tree.h"

namespace shuntfs {
namespace {

class InodeTableTest : public ::testing::Test {
 protected:
  // By itself without what helps a table that has lost the way to a file.
  void Make(uint64_t path_fd_limit = 512, bool opens_handles = false, size_t remembered_limit = 0) {
    const FileStatus status = tree_.Status("");
    devices_ = std::make_unique<DeviceTable>(PolicyWish::kAuto, PolicyWish::kAuto);
    InodeTable::Options options;
    options.path_fd_limit = path_fd_limit;
    options.opens_handles = opens_handles;
    options.remembered_limit = remembered_limit;
    table_ = std::make_unique<InodeTable>(tree_.OpenRoot(), status, *devices_, options);
    device_ = table_->root()->device_ref();
  }

  // As LOOKUP does it for `name` in the root, with a status that may differ from the file's.
  Inode* LookupAs(const FileStatus& status, const char* name) {
    const UniqueFd root = tree_.OpenRoot();
    return table_->Lookup(status, device_, table_->root(), name, root.get());
  }

  // As LOOKUP does it, for a path below the root. The intermediate directories get a lookup too.
  Inode* Lookup(const std::string& path) {
    Inode* inode = table_->root();
    for (size_t at = 0; at < path.size();) {
      const size_t slash = std::min(path.find('/', at), path.size());
      const std::string name = path.substr(at, slash - at);
      const Result<PathFd> parent = table_->Open(inode);
      EXPECT_TRUE(parent.ok()) << name;
      const Result<FileStatus> status = StatusAt(parent->get(), name.c_str());
      EXPECT_TRUE(status.ok()) << name;
      inode = table_->Lookup(*status, device_, inode, name.c_str(), parent->get());
      at = slash + 1;
    }
    return inode;
  }

  // Whether the table's way to the inode leads to the file it stands for.
  bool Reaches(Inode* inode) {
    const Result<PathFd> fd = table_->Open(inode);
    if (!fd.ok()) return false;
    const Result<FileStatus> status = StatusOf(fd->get());
    return status.ok() && InodeKey::Of(*status, *device_, fd->get(), "") == inode->key();
  }

  Errno OpenError(Inode* inode) {
    const Result<PathFd> fd = table_->Open(inode);
    return fd.ok() ? Errno(0) : fd.error();
  }

  UniqueFd other_;  // what the last BeginRemoval gave out
  // Of a name in the root.
  Inode* BeginRemoval(const char* name) {
    const Result<PathFd> root = table_->Open(table_->root());
    EXPECT_TRUE(root.ok());
    return table_->BeginRemoval(root->get(), name, &other_);
  }

  void EvictAll() {
    while (table_->EvictPathFds() > 0) {
    }
  }

  TempTree tree_;
  std::unique_ptr<DeviceTable> devices_;
  DeviceRef device_;
  std::unique_ptr<InodeTable> table_;
};

TEST_F(InodeTableTest, TheRootIsNumberOneAndStays) {
  Make();
  EXPECT_EQ(table_->root()->nodeid(), kRootNodeId);
  EXPECT_EQ(table_->Find(kRootNodeId), table_->root());
  EXPECT_TRUE(table_->Forget(kRootNodeId, 1000));
  EXPECT_TRUE(Reaches(table_->root()));
  EvictAll();
  EXPECT_TRUE(Reaches(table_->root()));
}

TEST_F(InodeTableTest, CountsLookups) {
  tree_.File("a");
  Make();
  Inode* inode = Lookup("a");
  EXPECT_EQ(Lookup("a"), inode);
  EXPECT_EQ(Lookup("a"), inode);
  const NodeId nodeid = inode->nodeid();
  EXPECT_EQ(inode->type(), mode_t{S_IFREG});
  EXPECT_EQ(table_->total_count(), 2u);
  EXPECT_TRUE(table_->Forget(nodeid, 2));
  EXPECT_EQ(table_->Find(nodeid), inode);
  EXPECT_TRUE(table_->Forget(nodeid, 1));
  EXPECT_EQ(table_->Find(nodeid), nullptr);
  EXPECT_EQ(table_->total_count(), 1u);
  EXPECT_NE(Lookup("a")->nodeid(), nodeid) << "an old number came back";
}

TEST_F(InodeTableTest, TellsOfForgetsThatWereNeverCounted) {
  tree_.File("a");
  Make();
  const NodeId nodeid = Lookup("a")->nodeid();
  EXPECT_FALSE(table_->Forget(nodeid, 5));
  EXPECT_EQ(table_->Find(nodeid), nullptr);
  EXPECT_FALSE(table_->Forget(nodeid, 1));
  EXPECT_FALSE(table_->Forget(NodeId(0), 1));
  EXPECT_EQ(table_->total_count(), 1u);
}

TEST_F(InodeTableTest, HardLinksAreOneInode) {
  tree_.File("a");
  tree_.Link("a", "b");
  Make();
  Inode* inode = Lookup("a");
  EXPECT_EQ(Lookup("b"), inode);
  EXPECT_EQ(table_->total_count(), 2u);
  EXPECT_TRUE(table_->Forget(inode->nodeid(), 2));
  EXPECT_EQ(table_->total_count(), 1u);
}

TEST_F(InodeTableTest, AChildKeepsItsParents) {
  tree_.Directory("d");
  tree_.Directory("d/e");
  tree_.File("d/e/f");
  Make();
  Inode* file = Lookup("d/e/f");
  const NodeId d = Lookup("d")->nodeid();
  const NodeId e = Lookup("d/e")->nodeid();
  EXPECT_TRUE(table_->Forget(d, 3));
  EXPECT_TRUE(table_->Forget(e, 2));
  EXPECT_EQ(table_->total_count(), 4u);
  EvictAll();
  EXPECT_TRUE(Reaches(file));
  EXPECT_TRUE(table_->Forget(file->nodeid(), 1));
  EXPECT_EQ(table_->total_count(), 1u);
  EXPECT_EQ(table_->path_fds(), 1u);
}

TEST_F(InodeTableTest, IsReachedAgainAfterEviction) {
  std::vector<std::string> names;
  for (int i = 0; i < 20; ++i) names.push_back("f" + std::to_string(i));
  for (const std::string& name : names) tree_.File(name);
  Make(/*path_fd_limit=*/2);
  std::vector<Inode*> inodes;
  for (const std::string& name : names) inodes.push_back(Lookup(name));
  for (int round = 0; round < 3; ++round) {
    for (Inode* inode : inodes) EXPECT_TRUE(Reaches(inode));
    EXPECT_LE(table_->path_fds(), 2u);
  }
}

TEST_F(InodeTableTest, IsReachedAgainThroughManyDirectories) {
  std::string path;
  for (int depth = 0; depth < 40; ++depth) {
    path += (depth > 0 ? "/d" : "d") + std::to_string(depth);
    tree_.Directory(path);
  }
  path += "/" + std::string(255, 'n');
  tree_.File(path);
  Make(/*path_fd_limit=*/2);
  Inode* file = Lookup(path);
  EvictAll();
  EXPECT_EQ(table_->path_fds(), 1u) << "only the root's descriptor is kept";
  EXPECT_TRUE(Reaches(file));
  EXPECT_LE(table_->path_fds(), 2u);
}

TEST_F(InodeTableTest, DescriptorsThatNobodyUsesAreClosed) {
  for (const char* name : {"a", "b", "gone"}) tree_.File(name);
  Make();
  pollfd idle = {table_->idle_fd(), POLLIN, 0};
  EXPECT_TRUE(Reaches(Lookup("a")));
  Inode* gone = Lookup("gone");
  ASSERT_EQ(BeginRemoval("gone"), gone);
  tree_.Remove("gone");
  table_->EndRemoval(gone, /*removed=*/true, table_->root(), "gone");
  EXPECT_EQ(table_->path_fds(), 3u);
  ASSERT_EQ(poll(&idle, 1, 60'000), 1);
  table_->CloseIdlePathFds();
  EXPECT_EQ(table_->path_fds(), 3u) << "they were used in this period";
  ASSERT_EQ(poll(&idle, 1, 60'000), 1);
  table_->CloseIdlePathFds();
  EXPECT_EQ(table_->path_fds(), 2u) << "the file without a name keeps its own";
  EXPECT_TRUE(Reaches(gone));
  itimerspec timer{};
  ASSERT_EQ(timerfd_gettime(table_->idle_fd(), &timer), 0);
  EXPECT_EQ(timer.it_value.tv_sec + timer.it_value.tv_nsec, 0) << "nothing is left to look for";
  EXPECT_TRUE(Reaches(Lookup("b")));
  ASSERT_EQ(timerfd_gettime(table_->idle_fd(), &timer), 0);
  EXPECT_NE(timer.it_value.tv_sec + timer.it_value.tv_nsec, 0);
}

TEST_F(InodeTableTest, EvictionLeavesDescriptorsInUse) {
  tree_.File("a");
  tree_.File("b");
  Make(/*path_fd_limit=*/2);
  Inode* a = Lookup("a");
  const Result<PathFd> used = table_->Open(a);
  ASSERT_TRUE(used.ok());
  EvictAll();
  EXPECT_TRUE(Reaches(Lookup("b")));
  const Result<FileStatus> status = StatusOf(used->get());
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(InodeKey::Of(*status, *device_, used->get(), ""), a->key());
}

TEST_F(InodeTableTest, IsStaleWhereAnotherFileIsInItsPlace) {
  tree_.File("gone");
  tree_.File("moved");
  tree_.File("replaced");
  tree_.File("other");
  Make();
  Inode* gone = Lookup("gone");
  Inode* moved = Lookup("moved");
  Inode* replaced = Lookup("replaced");
  EXPECT_TRUE(Reaches(gone) && Reaches(moved) && Reaches(replaced));
  tree_.Remove("gone");
  tree_.Rename("moved", "elsewhere");
  tree_.Rename("other", "replaced");
  EXPECT_TRUE(Reaches(gone) && Reaches(moved) && Reaches(replaced))
      << "a cached descriptor does not care";
  EvictAll();
  EXPECT_EQ(OpenError(gone), Errno(ESTALE));
  EXPECT_EQ(OpenError(moved), Errno(ESTALE));
  EXPECT_EQ(OpenError(replaced), Errno(ESTALE));
  EXPECT_EQ(Lookup("elsewhere"), moved);
  EXPECT_TRUE(Reaches(moved)) << "a lookup shows the new place";
}

TEST_F(InodeTableTest, ASymlinkInPlaceOfADirectoryLeadsNowhere) {
  TempTree outside;
  outside.File("f", "secret");
  tree_.Directory("d");
  tree_.File("d/f");
  Make();
  Inode* file = Lookup("d/f");
  tree_.Rename("d", "d2");
  tree_.Symlink(outside.path(), "d");
  EvictAll();
  EXPECT_EQ(OpenError(file), Errno(ESTALE));
}

TEST_F(InodeTableTest, MovedToShowsTheNewPlace) {
  tree_.Directory("d");
  tree_.File("a");
  Make();
  Inode* directory = Lookup("d");
  Inode* file = Lookup("a");
  tree_.Rename("a", "d/b");
  table_->MovedTo(file, directory, "b");
  EvictAll();
  EXPECT_TRUE(Reaches(file));
  EXPECT_TRUE(table_->Forget(directory->nodeid(), 1));
  EXPECT_EQ(table_->total_count(), 3u) << "the new parent is kept";
  EXPECT_TRUE(table_->Forget(file->nodeid(), 1));
  EXPECT_EQ(table_->total_count(), 1u);
}

TEST_F(InodeTableTest, APlaceThatGoesRoundIsStale) {
  tree_.Directory("a");
  tree_.Directory("b");
  Make();
  Inode* a = Lookup("a");
  Inode* b = Lookup("b");
  table_->MovedTo(a, b, "a");
  table_->MovedTo(b, a, "b");
  EvictAll();
  EXPECT_EQ(OpenError(a), Errno(ESTALE));
}

TEST_F(InodeTableTest, AnUnlinkedFileStaysReachable) {
  tree_.File("a", "content");
  Make(/*path_fd_limit=*/1);
  Inode* inode = Lookup("a");
  ASSERT_EQ(BeginRemoval("a"), inode);
  tree_.Remove("a");
  table_->EndRemoval(inode, /*removed=*/true, table_->root(), "a");
  EvictAll();
  EXPECT_TRUE(Reaches(inode));
  EXPECT_TRUE(table_->Forget(inode->nodeid(), 1));
  EXPECT_EQ(table_->total_count(), 1u);
  EXPECT_EQ(table_->path_fds(), 1u);
}

TEST_F(InodeTableTest, WhatDidNotGoNeedNotBeKept) {
  tree_.File("a");
  Make();
  Inode* inode = Lookup("a");
  ASSERT_EQ(BeginRemoval("a"), inode);
  EvictAll();
  EXPECT_EQ(table_->path_fds(), 2u);
  table_->EndRemoval(inode, /*removed=*/false, table_->root(), "a");
  EvictAll();
  EXPECT_EQ(table_->path_fds(), 1u);
  EXPECT_TRUE(Reaches(inode));
}

TEST_F(InodeTableTest, ARemovalThatFailsDoesNotUndoOneThatSucceeded) {
  tree_.File("a");
  Make();
  Inode* inode = Lookup("a");
  ASSERT_EQ(BeginRemoval("a"), inode);
  ASSERT_EQ(BeginRemoval("a"), inode);
  tree_.Remove("a");
  table_->EndRemoval(inode, /*removed=*/true, table_->root(), "a");
  table_->EndRemoval(inode, /*removed=*/false, table_->root(), "a");
  EvictAll();
  EXPECT_TRUE(Reaches(inode));
}

TEST_F(InodeTableTest, AnotherNameNeedsNoDescriptor) {
  tree_.File("tmp");
  Make();
  Inode* inode = Lookup("tmp");
  tree_.Link("tmp", "new");
  EXPECT_EQ(Lookup("new"), inode);
  for (const char* name : {"tmp", "new"}) {
    SCOPED_TRACE(name);
    const std::string other = std::string(name) + "2";
    tree_.Link("new", other);
    EXPECT_EQ(Lookup(other), inode);
    EXPECT_EQ(Lookup(name), inode) << "the name that goes is the one that was seen last";
    ASSERT_EQ(BeginRemoval(name), inode);
    tree_.Remove(name);
    table_->EndRemoval(inode, /*removed=*/true, table_->root(), name);
    EvictAll();
    EXPECT_EQ(table_->path_fds(), 1u);
    EXPECT_TRUE(Reaches(inode));
  }
}

TEST_F(InodeTableTest, AFileWhoseOtherNamesAreUnknownKeepsItsDescriptorWhileThereIsRoom) {
  tree_.File("a");
  Make();
  Inode* inode = Lookup("a");
  tree_.Link("a", "unseen");
  ASSERT_EQ(BeginRemoval("a"), inode);
  tree_.Remove("a");
  table_->EndRemoval(inode, /*removed=*/true, table_->root(), "a");
  tree_.File("b");
  EXPECT_TRUE(Reaches(Lookup("b")));
  EXPECT_EQ(table_->EvictPathFds(), 1) << "the other descriptor goes first";
  EXPECT_TRUE(Reaches(inode));
  EXPECT_EQ(Lookup("unseen"), inode);
  EvictAll();
  EXPECT_EQ(table_->path_fds(), 1u) << "a lookup that shows a name gives the descriptor back";
  EXPECT_TRUE(Reaches(inode));
}

TEST_F(InodeTableTest, ALookupThatSawTheNameBeforeItWentDoesNotUnpin) {
  tree_.File("a");
  Make();
  Inode* inode = Lookup("a");
  const FileStatus seen = tree_.Status("a");
  ASSERT_EQ(BeginRemoval("a"), inode);
  tree_.Remove("a");
  table_->EndRemoval(inode, /*removed=*/true, table_->root(), "a");
  EXPECT_EQ(LookupAs(seen, "a"), inode);
  EvictAll();
  EXPECT_TRUE(Reaches(inode));
}

TEST_F(InodeTableTest, LocationsFormNoCycle) {
  tree_.Directory("a");
  tree_.Directory("a/b");
  Make();
  Inode* a = Lookup("a");
  Inode* b = Lookup("a/b");
  tree_.Rename("a/b", "b");
  tree_.Rename("a", "b/a");
  EXPECT_EQ(table_->Lookup(tree_.Status("b/a"), device_, b, "a", tree_.OpenRoot().get()), a);
  EXPECT_EQ(OpenError(a), Errno(0)) << "through its cached descriptor";
  EvictAll();
  EXPECT_EQ(OpenError(a), Errno(ESTALE)) << "where b is now was not seen";
  EXPECT_EQ(Lookup("b/a"), a);
  EXPECT_TRUE(Reaches(a));
  EXPECT_TRUE(table_->Forget(a->nodeid(), 4));
  EXPECT_TRUE(table_->Forget(b->nodeid(), 2));
  EXPECT_EQ(table_->total_count(), 1u) << "inodes hold each other";
}

TEST_F(InodeTableTest, ReachesTheEndOfADeepTreeWithFewDescriptors) {
  constexpr int kDepth = 3000;
  Make(/*path_fd_limit=*/2);
  Inode* inode = table_->root();
  UniqueFd directory = tree_.OpenRoot();
  for (int depth = 0; depth < kDepth; ++depth) {
    ASSERT_EQ(mkdirat(directory.get(), "d", 0755), 0);
    const Result<FileStatus> status = StatusAt(directory.get(), "d");
    ASSERT_TRUE(status.ok());
    inode = table_->Lookup(*status, device_, inode, "d", directory.get());
    directory = UniqueFd(openat(directory.get(), "d", O_PATH | O_CLOEXEC));
    ASSERT_TRUE(directory.valid());
  }
  EvictAll();
  EXPECT_TRUE(Reaches(inode));
  for (int depth = 0; depth < kDepth; ++depth) {
    directory = UniqueFd(openat(directory.get(), "..", O_PATH | O_CLOEXEC));
    ASSERT_EQ(unlinkat(directory.get(), "d", AT_REMOVEDIR), 0);
  }
}

TEST_F(InodeTableTest, WhatTheKernelDoesNotHoldIsNotKept) {
  tree_.File("a");
  Make();
  EXPECT_EQ(BeginRemoval("a"), nullptr);
  EXPECT_EQ(BeginRemoval("nothing"), nullptr);
  EXPECT_EQ(table_->FindHeld(tree_.Status("a"), *device_, AT_FDCWD, ""), nullptr);
  EXPECT_EQ(table_->total_count(), 1u);
  EXPECT_EQ(table_->path_fds(), 1u);
}

TEST_F(InodeTableTest, ANamelessFileKeepsItsDescriptor) {
  Make(/*path_fd_limit=*/1);
  const UniqueFd file(open(tree_.path().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!file.valid()) GTEST_SKIP() << "no O_TMPFILE on " << tree_.path();
  UniqueFd path(open(("/proc/self/fd/" + std::to_string(file.get())).c_str(), O_PATH | O_CLOEXEC));
  Inode* inode = table_->LookupNameless(*StatusOf(file.get()), device_, std::move(path));
  ASSERT_NE(inode, nullptr);
  EvictAll();
  EXPECT_TRUE(Reaches(inode));
  EXPECT_TRUE(table_->Forget(inode->nodeid(), 1));
  EXPECT_EQ(table_->path_fds(), 1u);
}

TEST_F(InodeTableTest, ANumberThatWasGivenToANewFileIsAnotherInode) {
  tree_.File("a");
  Make();
  Inode* old_file = Lookup("a");
  FileStatus reused = tree_.Status("a");
  ASSERT_NE(reused.stx_mask & STATX_BTIME, 0u) << "no birth times on " << tree_.path();
  reused.stx_btime.tv_nsec ^= 1;
  Inode* new_file = LookupAs(reused, "a");
  EXPECT_NE(new_file, old_file);
  EXPECT_NE(new_file->nodeid(), old_file->nodeid());
}

// Directories of whom a program has only a working directory or an O_PATH descriptor, which the
// kernel does not tell of.
TEST_F(InodeTableTest, WhatWasMovedInSourceIsReachedByItsHandle) {
  tree_.Directory("d");
  tree_.Directory("d/e");
  tree_.File("d/e/f", "content");
  Make(/*path_fd_limit=*/512, /*opens_handles=*/true);
  ASSERT_TRUE(device_->has_handles) << "no handles on " << tree_.path();
  Inode* file = Lookup("d/e/f");
  Inode* directory = Lookup("d/e");
  EvictAll();
  tree_.Rename("d", "moved");
  EXPECT_TRUE(Reaches(directory));
  EvictAll();
  EXPECT_TRUE(Reaches(file));
  EvictAll();
  EXPECT_TRUE(table_->Status(file).ok());
  EvictAll();
  tree_.Remove("moved/e/f");
  EXPECT_EQ(OpenError(file), Errno(ESTALE)) << "the file is gone";
}

TEST_F(InodeTableTest, WhatIsOpenIsReachedByItsDescriptor) {
  tree_.File("a", "content");
  tree_.File("b");
  Make();
  Inode* inode = Lookup("a");
  const UniqueFd first = tree_.Open("a", O_RDWR);
  UniqueFd second = tree_.Open("a", O_RDONLY);
  table_->AddOpenFd(inode, first.get());
  table_->AddOpenFd(inode, second.get());
  tree_.Rename("b", "a");
  EvictAll();
  EXPECT_TRUE(Reaches(inode));
  EvictAll();
  EXPECT_TRUE(table_->Status(inode).ok());
  table_->RemoveOpenFd(inode, second.get());
  second.reset();
  EvictAll();
  {
    const Result<PathFd> path = table_->Open(inode);
    ASSERT_TRUE(path.ok());
    EXPECT_NE(fcntl(path->get(), F_GETFL) & O_PATH, 0) << "the file is kept open";
  }
  table_->RemoveOpenFd(inode, first.get());
  EvictAll();
  EXPECT_EQ(OpenError(inode), Errno(ESTALE));
}

TEST_F(InodeTableTest, AForgottenInodeKeepsItsNumberWhileItIsRemembered) {
  for (const char* name : {"a", "b", "c"}) tree_.File(name);
  Make(/*path_fd_limit=*/512, /*opens_handles=*/true, /*remembered_limit=*/2);
  const NodeId a = Lookup("a")->nodeid();
  EXPECT_TRUE(Reaches(table_->Find(a)));
  EXPECT_EQ(table_->count(), 2u);
  EXPECT_TRUE(table_->Forget(a, 1));
  EXPECT_EQ(table_->count(), 1u);
  EXPECT_EQ(table_->path_fds(), 1u) << "a descriptor is kept of what the kernel has forgotten";
  EXPECT_EQ(Lookup("a")->nodeid(), a);
  EXPECT_TRUE(table_->Forget(a, 1));

  Inode* held = table_->Hold(a);
  ASSERT_NE(held, nullptr);
  EXPECT_TRUE(Reaches(held));
  table_->CountLookup(held);
  table_->Release(held);
  EXPECT_EQ(table_->count(), 2u);
  EXPECT_TRUE(table_->Forget(a, 1));

  // Two that are forgotten later take its place.
  for (const char* name : {"b", "c"}) EXPECT_TRUE(table_->Forget(Lookup(name)->nodeid(), 1));
  EXPECT_EQ(table_->Hold(a), nullptr);
  EXPECT_EQ(table_->total_count(), 3u);
  EXPECT_NE(Lookup("a")->nodeid(), a);
}

TEST_F(InodeTableTest, AFileWithoutANameIsNotRemembered) {
  tree_.File("a");
  Make(/*path_fd_limit=*/512, /*opens_handles=*/true, /*remembered_limit=*/2);
  Inode* inode = Lookup("a");
  const NodeId nodeid = inode->nodeid();
  ASSERT_EQ(BeginRemoval("a"), inode);
  tree_.Remove("a");
  table_->EndRemoval(inode, /*removed=*/true, table_->root(), "a");
  EXPECT_TRUE(table_->Forget(nodeid, 1));
  EXPECT_EQ(table_->Hold(nodeid), nullptr);
  EXPECT_EQ(table_->path_fds(), 1u) << "its space is not freed";
}

TEST_F(InodeTableTest, TheParentOfADirectoryIsTheOneThatItIsIn) {
  tree_.Directory("d");
  tree_.Directory("d/e");
  tree_.Directory("f");
  Make(/*path_fd_limit=*/512, /*opens_handles=*/true);
  Inode* below = Lookup("d/e");
  Inode* other = Lookup("f");
  Inode* parent = table_->ParentOf(below);
  EXPECT_EQ(parent, Lookup("d"));
  table_->Release(parent);
  tree_.Rename("d/e", "f/e");
  parent = table_->ParentOf(below);
  EXPECT_EQ(parent, other);
  if (parent != nullptr) table_->Release(parent);
  EXPECT_EQ(table_->ParentOf(table_->root()), nullptr);
}

TEST_F(InodeTableTest, WithoutBirthTimesTypeAndHandleTellFilesApart) {
  tree_.File("a");
  tree_.File("b");
  BackingDevice device;
  device.has_handles = true;
  const UniqueFd root = tree_.OpenRoot();
  FileStatus status = tree_.Status("a");
  status.stx_mask &= ~STATX_BTIME;
  const InodeKey key = InodeKey::Of(status, device, root.get(), "a");
  EXPECT_TRUE(key.outlives_the_number());
  EXPECT_EQ(InodeKey::Of(status, device, root.get(), "a"), key);
  EXPECT_NE(InodeKey::Of(status, device, root.get(), "b"), key) << "the number of another file";
  device.has_handles = false;
  const InodeKey number_only = InodeKey::Of(status, device, root.get(), "a");
  EXPECT_FALSE(number_only.outlives_the_number());
  status.stx_mode = S_IFDIR | 0755;
  EXPECT_NE(InodeKey::Of(status, device, root.get(), "a"), number_only);
}

TEST_F(InodeTableTest, WhereBirthTimesChangeTheNumberCounts) {
  tree_.File("a");
  BackingDevice device;
  device.birth_changes = true;
  FileStatus status = tree_.Status("a");
  const InodeKey key = InodeKey::Of(status, device, AT_FDCWD, "");
  status.stx_btime.tv_sec += 1;
  EXPECT_EQ(InodeKey::Of(status, device, AT_FDCWD, ""), key);
}

TEST(InodeKey, IsMadeOfFileSystemNumberAndBirth) {
  BackingDevice device;
  device.id = 1;
  FileStatus status{};
  status.stx_mask = STATX_BTIME;
  status.stx_mnt_id = 1;
  status.stx_ino = 3;
  status.stx_btime.tv_sec = 4;
  status.stx_btime.tv_nsec = 5;
  const InodeKey key = InodeKey::Of(status, device, AT_FDCWD, "");
  EXPECT_EQ(key.birth_ns, 4'000'000'005);
  FileStatus other = status;
  other.stx_mnt_id = 9;
  EXPECT_EQ(InodeKey::Of(other, device, AT_FDCWD, ""), key) << "the same file on another mount";
  other = status;
  other.stx_ino = 9;
  EXPECT_NE(InodeKey::Of(other, device, AT_FDCWD, ""), key);
  other = status;
  other.stx_mask = 0;
  EXPECT_EQ(InodeKey::Of(other, device, AT_FDCWD, "").birth_ns, 0)
      << "a file system without birth times";
  device.id = 2;
  EXPECT_NE(InodeKey::Of(status, device, AT_FDCWD, ""), key);
}

TEST_F(InodeTableTest, ContentIsUnchangedOnlyWhenNothingSpeaksAgainstIt) {
  tree_.File("a", "x");
  Make();
  Inode* inode = Lookup("a");
  FileStatus status = tree_.Status("a");
  status.stx_ctime.tv_sec -= 3600;
  EXPECT_FALSE(inode->UnchangedSinceLastOpen(status)) << "the first open knows of no earlier one";
  EXPECT_TRUE(inode->UnchangedSinceLastOpen(status));
  for (const int changed : {0, 1, 2}) {
    FileStatus now = status;
    if (changed == 0) now.stx_size += 1;
    if (changed == 1) now.stx_mtime.tv_nsec ^= 1;
    if (changed == 2) now.stx_ctime.tv_nsec ^= 1;
    EXPECT_FALSE(inode->UnchangedSinceLastOpen(now)) << changed;
    EXPECT_FALSE(inode->UnchangedSinceLastOpen(status)) << changed;
  }
  // Whole seconds, as ext4 with small inodes or vfat stores them: two changes within them look
  // alike.
  timespec clock{};
  clock_gettime(CLOCK_REALTIME, &clock);
  FileStatus coarse = status;
  coarse.stx_ctime.tv_sec = clock.tv_sec - 1;
  coarse.stx_ctime.tv_nsec = 0;
  EXPECT_FALSE(inode->UnchangedSinceLastOpen(coarse));
  EXPECT_FALSE(inode->UnchangedSinceLastOpen(coarse));
  coarse.stx_ctime.tv_sec = clock.tv_sec - 10;
  EXPECT_FALSE(inode->UnchangedSinceLastOpen(coarse)) << "its content may be of before";
  EXPECT_TRUE(inode->UnchangedSinceLastOpen(coarse));
  // A time in the future is as good as now: the file may change again within the same tick.
  FileStatus fresh = status;
  fresh.stx_ctime.tv_sec += 7200;
  EXPECT_FALSE(inode->UnchangedSinceLastOpen(fresh));
  EXPECT_FALSE(inode->UnchangedSinceLastOpen(fresh));
}

}  // namespace
}  // namespace shuntfs
