// A kernel setting that a test changes, such as a file below /proc/sys.
//
// Floor: tests. Owner: the test; the destructor puts the setting back. One at a time, on the main
// thread. Errors: changed().
#ifndef SHUNTFS_TESTS_MOUNT_SETTING_H_
#define SHUNTFS_TESTS_MOUNT_SETTING_H_

#include <fstream>
#include <string>

#include "tests/mount/files.h"
#include "tests/mount/watchdog.h"

namespace shuntfs::mount_test {

// A kernel setting changed for a moment and put back, even if the test is killed meanwhile.
class Setting {
 public:
  Setting(const std::string& path, const std::string& value) : path_(path) {
    old_ = ReadFile(path);
    Watchdog::RestoreOnDeath(path, old_);
    changed_ = Write(value);
  }
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;
  ~Setting() {
    if (Write(old_)) {
      Watchdog::Restored();
    }
  }
  bool changed() const { return changed_; }

 private:
  bool Write(const std::string& value) const {
    std::ofstream file(path_);
    file << value;
    file.flush();
    return file.good();
  }

  std::string path_;
  std::string old_;
  bool changed_ = false;
};

}  // namespace shuntfs::mount_test

#endif  // SHUNTFS_TESTS_MOUNT_SETTING_H_
