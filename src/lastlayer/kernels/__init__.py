"""Raw buffers: compiled kernels. Empty until the native kernels land; `dispatch` finds their place ready."""
