// Memory of large results. What is freed is kept for the next result: the first touch of new pages takes longer than the kernels.
#pragma once

#include <cstddef>

namespace lastlayer {

struct Region {
  void* data;
  size_t size;
};

// At least `size` bytes, aligned to a page, of any content. Throws std::bad_alloc.
Region take_region(size_t size);

// Gives a region back. It stays mapped; the operating system may take its pages whenever it needs memory.
void return_region(Region region) noexcept;

// The bytes that are kept at most, and those that are kept now.
size_t kept_limit();
size_t kept_bytes();

}  // namespace lastlayer
