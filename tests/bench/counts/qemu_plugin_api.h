// What block_counts.cc needs of QEMU's plugin interface, version 1 (QEMU 7 and 8).
//
// Debian's packages of QEMU bring no header for plugins. These declarations are ours; the interface
// that they state is described in QEMU's docs/devel/tcg-plugins.rst and include/qemu/qemu-plugin.h.
//
// Floor: tests. QEMU calls a plugin on the thread that emulates; with `-accel tcg,thread=single`
// there is one for all CPUs.
#ifndef SHUNTFS_TESTS_BENCH_COUNTS_QEMU_PLUGIN_API_H_
#define SHUNTFS_TESTS_BENCH_COUNTS_QEMU_PLUGIN_API_H_

#include <cstddef>
#include <cstdint>

extern "C" {

using qemu_plugin_id_t = uint64_t;
struct qemu_info_t;
struct qemu_plugin_tb;    // a translated block
struct qemu_plugin_insn;  // an instruction of it, known while the block is translated

// Enumerations of C, of which this is all we use.
constexpr int kQemuPluginNoRegisters = 0;
constexpr int kQemuPluginAdd = 0;

using qemu_plugin_translate_callback = void (*)(qemu_plugin_id_t, qemu_plugin_tb*);
using qemu_plugin_execute_callback = void (*)(unsigned int cpu, void* user_data);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, qemu_plugin_translate_callback);
// Adds `addend` to `*sum` whenever the block is entered.
void qemu_plugin_register_vcpu_tb_exec_inline(qemu_plugin_tb*, int operation, void* sum,
                                              uint64_t addend);
void qemu_plugin_register_vcpu_insn_exec_cb(qemu_plugin_insn*, qemu_plugin_execute_callback,
                                            int registers, void* user_data);

size_t qemu_plugin_tb_n_insns(const qemu_plugin_tb*);
uint64_t qemu_plugin_tb_vaddr(const qemu_plugin_tb*);
qemu_plugin_insn* qemu_plugin_tb_get_insn(const qemu_plugin_tb*, size_t index);
const void* qemu_plugin_insn_data(const qemu_plugin_insn*);
size_t qemu_plugin_insn_size(const qemu_plugin_insn*);

// What the plugin defines.
__attribute__((visibility("default"))) extern int qemu_plugin_version;
__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t, const qemu_info_t*,
                                                               int argc, char** argv);

}  // extern "C"

#endif  // SHUNTFS_TESTS_BENCH_COUNTS_QEMU_PLUGIN_API_H_
