// A plugin of QEMU's emulator: how often each block of code ran in a measured region, and how many
// bytes it stored.
//
//   qemu-system-x86_64 -accel tcg,thread=single -plugin block_counts.so,out=FILE ...
//
// A region lies between the two instructions of markers.h, which a program in the guest executes.
// At its end FILE grows by
//
//   region
//   ADDRESS INSTRUCTIONS EXECUTIONS STORED_BYTES      one line for each block that ran; ADDRESS is
//   hexadecimal end
//
// STORED_BYTES is what copying could be done with: moves and string instructions (stores.h). Asking
// QEMU for each access to memory would be exact, but made it translate without end. The emulator
// takes each round of a repeated string instruction for a block of its own.
//
// Whatever the guest does in between counts, in every process and in the kernel. A block that an
// exception leaves half way counts in full.
//
// Floor: tests. Runs on the one thread that emulates.
#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "tests/bench/counts/qemu_plugin_api.h"
#include "tests/bench/counts/stores.h"
#include "tests/bench/modes/markers.h"

namespace {

struct Block {
  uint64_t stored_bytes = 0;  // by one execution
  uint64_t executions = 0;
};

// By address and number of instructions. The same code is translated again and again; translations
// keep pointers to their Block, so none is ever removed.
std::map<std::pair<uint64_t, size_t>, Block> blocks;
std::string output_path;
bool counting = false;

void Begin(unsigned /*cpu*/, void* /*user_data*/) {
  for (auto& [key, block] : blocks) block.executions = 0;
  counting = true;
}

void End(unsigned /*cpu*/, void* /*user_data*/) {
  if (!std::exchange(counting, false)) return;
  FILE* file = std::fopen(output_path.c_str(), "a");
  if (file == nullptr) return;
  std::fputs("region\n", file);
  for (const auto& [key, block] : blocks) {
    if (block.executions == 0) continue;
    std::fprintf(file, "%" PRIx64 " %zu %" PRIu64 " %" PRIu64 "\n", key.first, key.second,
                 block.executions, block.executions * block.stored_bytes);
  }
  std::fputs("end\n", file);
  std::fclose(file);
}

std::span<const uint8_t> Bytes(const qemu_plugin_insn* instruction) {
  return {static_cast<const uint8_t*>(qemu_plugin_insn_data(instruction)),
          qemu_plugin_insn_size(instruction)};
}

bool Is(const qemu_plugin_insn* instruction, const std::array<uint8_t, 3>& code) {
  return std::ranges::equal(Bytes(instruction), code);
}

void Translate(qemu_plugin_id_t /*id*/, qemu_plugin_tb* translated) {
  const size_t length = qemu_plugin_tb_n_insns(translated);
  Block& block = blocks[{qemu_plugin_tb_vaddr(translated), length}];
  block.stored_bytes = 0;
  qemu_plugin_register_vcpu_tb_exec_inline(translated, kQemuPluginAdd, &block.executions, 1);
  for (size_t i = 0; i < length; ++i) {
    qemu_plugin_insn* instruction = qemu_plugin_tb_get_insn(translated, i);
    block.stored_bytes += shuntfs::count::StoredBytes(Bytes(instruction));
    if (Is(instruction, shuntfs::count::kBeginCode)) {
      qemu_plugin_register_vcpu_insn_exec_cb(instruction, Begin, kQemuPluginNoRegisters, nullptr);
    } else if (Is(instruction, shuntfs::count::kEndCode)) {
      qemu_plugin_register_vcpu_insn_exec_cb(instruction, End, kQemuPluginNoRegisters, nullptr);
    }
  }
}

}  // namespace

int qemu_plugin_version = 1;

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t* /*info*/, int argc, char** argv) {
  constexpr std::string_view kOut = "out=";
  for (int i = 0; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.substr(0, kOut.size()) == kOut) output_path = argument.substr(kOut.size());
  }
  if (output_path.empty()) {
    std::fputs("block_counts: out=FILE is missing\n", stderr);
    return 1;
  }
  qemu_plugin_register_vcpu_tb_trans_cb(id, Translate);
  return 0;
}
