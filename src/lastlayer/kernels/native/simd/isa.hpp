// The namespace of one instruction set. Two units per instruction set, api/isa_*.cpp, compile all kernels, with their
// own flags, into the namespace LASTLAYER_ISA and an unnamed namespace inside it. So no template instantiation is
// shared between instruction sets: the linker would keep one copy for all of them, possibly one that this processor
// cannot run. For the same reason these headers use no template or inline function of the standard library that becomes
// code.
#pragma once

// When an editor or `g++ -fsyntax-only` opens a header alone, the compiler's flags say which instruction set it is.
#if !defined(LASTLAYER_ISA)
#if defined(__AVX512F__)
#define LASTLAYER_ISA avx512
#define LASTLAYER_ISA_NAME "avx512"
#elif defined(__AVX2__)
#define LASTLAYER_ISA avx2
#define LASTLAYER_ISA_NAME "avx2"
#else
#define LASTLAYER_ISA baseline
#define LASTLAYER_ISA_NAME "baseline"
#endif
#endif

// Bytes per vector.
#if defined(__AVX512F__)
#define LASTLAYER_BYTES 64
#elif defined(__AVX2__)
#define LASTLAYER_BYTES 32
#else
#define LASTLAYER_BYTES 16
#endif
