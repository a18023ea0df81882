// A directory tree on which operations are carried out, and what came of each.
//
// Two subjects that were given the same operations must report the same outcomes; that is the model
// test. A subject opens files through its root directory only and never leaves it: generated paths
// hold no "..", and symbolic links point to generated paths.
//
// Owner: tests/integrity; a subject owns its descriptors. Thread: one, because callers are
// impersonated with the thread's fsuid. Errors: part of the outcome; failing to open the root ends
// the program.
#ifndef SHUNTFS_TESTS_INTEGRITY_SUBJECT_H_
#define SHUNTFS_TESTS_INTEGRITY_SUBJECT_H_

#include <array>
#include <cstdint>
#include <string>

#include "tests/integrity/operation.h"

namespace shuntfs::tests {

struct Outcome {
  int error = 0;
  int64_t value = 0;
  std::string data;

  bool operator==(const Outcome&) const = default;
};

std::string Describe(const Outcome& outcome);

class Subject {
 public:
  explicit Subject(const std::string& root);
  ~Subject();
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;

  Outcome Perform(const Operation& operation);
  void CloseAll();

 private:
  Outcome PerformOnSlot(const Operation& operation);
  Outcome PerformOnPath(const Operation& operation);
  Outcome Open(const Operation& operation, int flags);
  Outcome ListDirectory(const Operation& operation) const;
  std::string Absolute(const std::string& path) const { return root_ + "/" + path; }

  const std::string root_;
  int root_fd_;
  std::array<int, kSlots> slots_;
};

}  // namespace shuntfs::tests

#endif  // SHUNTFS_TESTS_INTEGRITY_SUBJECT_H_
