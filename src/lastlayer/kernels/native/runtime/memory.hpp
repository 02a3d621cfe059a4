// Memory of large results. What is freed is kept for the next result: the first touch of new pages takes longer than
// the kernels.
#pragma once

#include <cstddef>
#include <new>

namespace lastlayer {

struct Region {
  void* data;
  size_t size;
};

// At least `size` bytes, aligned to a page, of any content. Throws std::bad_alloc.
Region take_region(size_t size);

// Gives a region back. It stays mapped; the operating system may take its pages whenever it needs memory.
void return_region(Region region) noexcept;

// The bytes that are kept at most, and those that are kept now. At most LASTLAYER_KEPT_MEMORY, else an eighth of the
// machine's memory, and of the address space where that is limited. Throws std::runtime_error where the variable is no
// number of bytes.
size_t kept_limit();
size_t kept_bytes();

// Unmaps all that is kept, and says whether there was anything.
bool give_up_kept() noexcept;

// What allocate() returns, asked once more without the kept memory where it returns null. Throws std::bad_alloc.
template <class Allocate>
void* allocated(const Allocate& allocate) {
  void* data = allocate();
  if (!data && give_up_kept()) data = allocate();
  if (!data) throw std::bad_alloc();
  return data;
}

}  // namespace lastlayer
