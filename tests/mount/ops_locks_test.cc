// flock and POSIX record locks between processes, as the kernel keeps them for the mount.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <string>

#include "tests/mount/fixture.h"

namespace shuntfs::mount_test {
namespace {

struct flock Range(int type, off_t start, off_t length) {
  struct flock range = {};
  range.l_type = static_cast<short>(type);
  range.l_whence = SEEK_SET;
  range.l_start = start;
  range.l_len = length;
  return range;
}

// errno with which another process fails to lock, 0 when it gets the lock.
int OtherProcessLocks(const std::string& path, int type, off_t start, off_t length) {
  return RunAs(kRoot, [&] {
    const File file(path, O_RDWR);
    struct flock range = Range(type, start, length);
    return ErrorOf(fcntl(file.get(), F_SETLK, &range));
  });
}

int OtherProcessFlocks(const std::string& path, int operation) {
  return RunAs(kRoot, [&] {
    const File file(path, O_RDWR);
    return ErrorOf(flock(file.get(), operation | LOCK_NB));
  });
}

// Two processes take turns: one holds the lock and says so, the other waits for it.
class Turn {
 public:
  Turn() : ok_(pipe2(ends_.data(), O_CLOEXEC) == 0) {}
  ~Turn() {
    close(ends_[0]);
    close(ends_[1]);
  }
  bool ok() const { return ok_; }
  void Say() const { EXPECT_EQ(write(ends_[1], "x", 1), 1); }
  bool Hear() const {
    char byte;
    return read(ends_[0], &byte, 1) == 1;
  }

 private:
  std::array<int, 2> ends_ = {-1, -1};
  bool ok_;
};

class Locks : public Ops {
 protected:
  void SetUp() override {
    Ops::SetUp();
    Serves("OPEN");
    ASSERT_TRUE(WriteFile(Mnt("f"), Pattern(1000)));
  }
};

TEST_F(Locks, FlockExclusive) {
  const File file(Mnt("f"), O_RDWR);
  ASSERT_EQ(flock(file.get(), LOCK_EX), 0);
  EXPECT_EQ(OtherProcessFlocks(Mnt("f"), LOCK_EX), EWOULDBLOCK);
  EXPECT_EQ(OtherProcessFlocks(Mnt("f"), LOCK_SH), EWOULDBLOCK);
  ASSERT_EQ(flock(file.get(), LOCK_UN), 0);
  EXPECT_EQ(OtherProcessFlocks(Mnt("f"), LOCK_EX), 0);
}

TEST_F(Locks, FlockShared) {
  const File file(Mnt("f"), O_RDONLY);
  ASSERT_EQ(flock(file.get(), LOCK_SH), 0);
  EXPECT_EQ(OtherProcessFlocks(Mnt("f"), LOCK_SH), 0);
  EXPECT_EQ(OtherProcessFlocks(Mnt("f"), LOCK_EX), EWOULDBLOCK);
  ASSERT_EQ(flock(file.get(), LOCK_EX), 0);
  EXPECT_EQ(OtherProcessFlocks(Mnt("f"), LOCK_SH), EWOULDBLOCK);
}

TEST_F(Locks, FlockEndsWithItsDescriptor) {
  File file(Mnt("f"), O_RDWR);
  ASSERT_EQ(flock(file.get(), LOCK_EX), 0);
  const int copy = dup(file.get());
  file.Close();
  EXPECT_EQ(OtherProcessFlocks(Mnt("f"), LOCK_EX), EWOULDBLOCK) << "a copy still holds it";
  close(copy);
  EXPECT_TRUE(Eventually([&] { return OtherProcessFlocks(Mnt("f"), LOCK_EX) == 0; }));
}

TEST_F(Locks, FlockOfTwoDescriptorsOfOneProcess) {
  const File one(Mnt("f"), O_RDWR);
  const File other(Mnt("f"), O_RDWR);
  ASSERT_EQ(flock(one.get(), LOCK_EX), 0);
  EXPECT_EQ(ErrorOf(flock(other.get(), LOCK_EX | LOCK_NB)), EWOULDBLOCK);
}

// A caller that waits for a lock must not stop the holder's unlock, even from the same CPU.
TEST_F(Locks, FlockWaits) {
  File file(Mnt("f"), O_RDWR);
  ASSERT_EQ(flock(file.get(), LOCK_EX), 0);
  Turn starts;
  ASSERT_TRUE(starts.ok());
  const pid_t waiter = Spawn(kRoot, [&] {
    const File mine(Mnt("f"), O_RDWR);
    starts.Say();
    if (flock(mine.get(), LOCK_EX) != 0) return 1;
    return WriteAt(mine.get(), "waiter", 0) ? 0 : 2;
  });
  ASSERT_TRUE(starts.Hear());
  EXPECT_EQ(ReadAt(file.get(), 6, 0), Pattern(6));
  ASSERT_EQ(flock(file.get(), LOCK_UN), 0);
  EXPECT_EQ(Wait(waiter), 0);
  EXPECT_EQ(ReadAt(file.get(), 6, 0), "waiter");
}

TEST_F(Locks, PosixRanges) {
  const File file(Mnt("f"), O_RDWR);
  struct flock range = Range(F_WRLCK, 100, 100);
  ASSERT_EQ(fcntl(file.get(), F_SETLK, &range), 0);
  EXPECT_EQ(OtherProcessLocks(Mnt("f"), F_WRLCK, 150, 10), EAGAIN);
  EXPECT_EQ(OtherProcessLocks(Mnt("f"), F_RDLCK, 199, 1), EAGAIN);
  EXPECT_EQ(OtherProcessLocks(Mnt("f"), F_WRLCK, 200, 10), 0);
  EXPECT_EQ(OtherProcessLocks(Mnt("f"), F_WRLCK, 0, 100), 0);
  EXPECT_EQ(OtherProcessLocks(Mnt("f"), F_WRLCK, 0, 0), EAGAIN);
  range = Range(F_UNLCK, 120, 20);
  ASSERT_EQ(fcntl(file.get(), F_SETLK, &range), 0);
  EXPECT_EQ(OtherProcessLocks(Mnt("f"), F_WRLCK, 120, 20), 0);
  EXPECT_EQ(OtherProcessLocks(Mnt("f"), F_WRLCK, 119, 1), EAGAIN);
}

TEST_F(Locks, PosixTellsTheHolder) {
  const File file(Mnt("f"), O_RDWR);
  struct flock range = Range(F_WRLCK, 10, 5);
  ASSERT_EQ(fcntl(file.get(), F_SETLK, &range), 0);
  const pid_t holder = getpid();
  EXPECT_EQ(RunAs(kRoot,
                  [&] {
                    const File mine(Mnt("f"), O_RDWR);
                    struct flock asked = Range(F_RDLCK, 0, 0);
                    if (fcntl(mine.get(), F_GETLK, &asked) != 0) return 1;
                    if (asked.l_type != F_WRLCK) return 2;
                    if (asked.l_pid != holder) return 3;
                    return asked.l_start == 10 && asked.l_len == 5 ? 0 : 4;
                  }),
            0);
}

TEST_F(Locks, PosixEndsWithAnyCloseAndWithTheProcess) {
  const File file(Mnt("f"), O_RDWR);
  struct flock range = Range(F_WRLCK, 0, 0);
  ASSERT_EQ(fcntl(file.get(), F_SETLK, &range), 0);
  EXPECT_EQ(OtherProcessLocks(Mnt("f"), F_WRLCK, 0, 1), EAGAIN);
  File(Mnt("f"), O_RDONLY).Close();
  EXPECT_EQ(OtherProcessLocks(Mnt("f"), F_WRLCK, 0, 1), 0);
  // The child of the line above has ended, and its lock with it.
  ASSERT_EQ(fcntl(file.get(), F_SETLK, &range), 0);
}

TEST_F(Locks, PosixWaits) {
  const File file(Mnt("f"), O_RDWR);
  struct flock range = Range(F_WRLCK, 0, 10);
  ASSERT_EQ(fcntl(file.get(), F_SETLK, &range), 0);
  Turn starts;
  ASSERT_TRUE(starts.ok());
  const pid_t waiter = Spawn(kRoot, [&] {
    const File mine(Mnt("f"), O_RDWR);
    starts.Say();
    struct flock wanted = Range(F_WRLCK, 5, 10);
    return ErrorOf(fcntl(mine.get(), F_SETLKW, &wanted));
  });
  ASSERT_TRUE(starts.Hear());
  range.l_type = F_UNLCK;
  ASSERT_EQ(fcntl(file.get(), F_SETLK, &range), 0);
  EXPECT_EQ(Wait(waiter), 0);
}

TEST_F(Locks, OpenFileDescriptionLocks) {
  const File one(Mnt("f"), O_RDWR);
  const File other(Mnt("f"), O_RDWR);
  struct flock range = Range(F_WRLCK, 0, 10);
  ASSERT_EQ(fcntl(one.get(), F_OFD_SETLK, &range), 0);
  range = Range(F_WRLCK, 5, 10);
  EXPECT_EQ(ErrorOf(fcntl(other.get(), F_OFD_SETLK, &range)), EAGAIN);
  EXPECT_EQ(OtherProcessLocks(Mnt("f"), F_RDLCK, 0, 1), EAGAIN);
  range = Range(F_UNLCK, 0, 0);
  ASSERT_EQ(fcntl(one.get(), F_OFD_SETLK, &range), 0);
  EXPECT_EQ(OtherProcessLocks(Mnt("f"), F_WRLCK, 0, 10), 0);
}

}  // namespace
}  // namespace shuntfs::mount_test
