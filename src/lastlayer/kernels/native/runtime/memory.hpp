// Memory of large results. Freed memory is kept for the next result: the first touch of new pages takes longer than the
// kernels.
#pragma once

#include <cstddef>
#include <new>

namespace lastlayer {

struct Region {
  void* data;
  size_t size;
};

// At least `size` bytes with any content, aligned to a page. Throws std::bad_alloc.
Region take_region(size_t size);

// Gives a region back. It stays mapped; the operating system may take its pages when it needs memory.
void return_region(Region region) noexcept;

// How many bytes may be kept, and how many are. The limit is LASTLAYER_KEPT_MEMORY, else an eighth of the machine's
// memory or of a limited address space. Throws std::runtime_error if the variable is not a number of bytes.
size_t kept_limit();
size_t kept_bytes();

// Unmaps everything that is kept. Returns whether there was anything.
bool give_up_kept() noexcept;

// Returns allocate(), and tries again without the kept memory if that is null. Throws std::bad_alloc.
template <class Allocate>
void* allocated(const Allocate& allocate) {
  void* data = allocate();
  if (!data && give_up_kept()) data = allocate();
  if (!data) throw std::bad_alloc();
  return data;
}

}  // namespace lastlayer
