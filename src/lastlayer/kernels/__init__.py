"""Raw buffers: compiled kernels, the native ones in C++. Only `dispatch` knows them."""
