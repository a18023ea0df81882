// The ring entry's fuzz target: libFuzzer's entry point, which ring_entry_random_test calls too.
//
// Aborts when an entry breaks one of its promises.
#ifndef SHUNTFS_TESTS_IO_RING_ENTRY_FUZZ_H_
#define SHUNTFS_TESTS_IO_RING_ENTRY_FUZZ_H_

#include <cstddef>
#include <cstdint>

// The first byte chooses the kind of entry (bit 0: with a pool; bit 1: on a zero-copy queue). What
// follows are requests one after the other, each as a Step and the 288 bytes of its header.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace shuntfs::ring_entry_fuzz {

// What the kernel says and the daemon does once.
struct Step {
  int32_t command_result;
  int32_t transfer_result;
  uint32_t transfer_bytes;
  uint32_t transfer_done;
  uint32_t reply_bytes;
  uint16_t reply_error;
  uint8_t way;  // how it is answered: bit 0: behind a READ, bit 1: it came short; the rest: retries
                // before
  uint8_t payload;  // fills the memory
};
static_assert(sizeof(Step) == 24);

}  // namespace shuntfs::ring_entry_fuzz

#endif  // SHUNTFS_TESTS_IO_RING_ENTRY_FUZZ_H_
