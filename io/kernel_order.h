// Tells ThreadSanitizer about an order that it cannot see: what a thread hands to the kernel
// through its ring happens before what any thread gets from the kernel afterwards (a FORGET follows
// the LOOKUP's reply, a RELEASE the OPEN's).
//
// Floor 3. Nothing at all in other builds. Any thread.
#ifndef SHUNTFS_IO_KERNEL_ORDER_H_
#define SHUNTFS_IO_KERNEL_ORDER_H_

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

namespace shuntfs {

#ifdef __SANITIZE_THREAD__
inline char kernel_order;  // its address alone means something
inline void BeforeTheKernel() { __tsan_release(&kernel_order); }
inline void AfterTheKernel() { __tsan_acquire(&kernel_order); }
#else
inline void BeforeTheKernel() {}
inline void AfterTheKernel() {}
#endif

}  // namespace shuntfs

#endif  // SHUNTFS_IO_KERNEL_ORDER_H_
